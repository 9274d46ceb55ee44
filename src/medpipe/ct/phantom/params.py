"""What a user may choose about the generated chest cohort."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from medpipe.core.params import Params

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class PhantomParams(Params):
    """Size, acquisition and disease of a cohort of generated chest scans.

    A patient is a function of ``seed`` and its own number alone: a larger ``n_patients`` adds patients and leaves
    the first ones as they are, and the number of workers changes nothing.
    """

    seed: int = Field(0, ge=0, description="Seed of the whole cohort.")
    n_patients: int = Field(36, ge=1, le=100_000, description="Number of patients.")
    second_scan_fraction: Fraction = Field(0.12, description="Share of patients with a follow-up scan.")
    healthy_fraction: Fraction = Field(0.14, description="Share of patients without a nodule.")
    dicom_fraction: Fraction = Field(0.17, description="Share of patients written as DICOM series.")
    reoriented_fraction: Fraction = Field(0.25, description="Share of LUNA16 scans with flipped or permuted axes.")
    contrast_fraction: Fraction = Field(0.4, description="Share of scans with contrast medium in the blood.")
    sharp_kernel_fraction: Fraction = Field(0.35, description="Share of scans with a sharp (lung) kernel.")

    chest_scale: tuple[float, float] = Field(
        (0.88, 1.03),
        description="Range of the body size, relative to an adult chest 275 mm wide (0.4 to 1.2).",
    )
    matrix: tuple[int, int] = Field((256, 320), description="Range of rows = columns (64 to 768).")
    pixel_spacing_mm: tuple[float, float] = Field(
        (0.7, 1.2),
        description="Range of the in-plane spacing; it yields where the chest needs a larger field.",
    )
    slice_spacing_mm: tuple[float, float] = Field((1.25, 2.5), description="Range of slice distances (0.5 to 6).")

    mean_nodules: float = Field(3.5, ge=1.0, le=20.0, description="Mean number of nodules of a patient with any.")
    nodule_diameter_mm: tuple[float, float] = Field((4.0, 25.0), description="Range of nodule diameters (3 to 40).")
    size_exponent: float = Field(
        1.0, gt=0.0, le=4.0, description="1 draws diameters log-uniform, less than 1 larger ones, more than 1 smaller."
    )
    ground_glass_fraction: Fraction = Field(0.12, description="Share of nodules of pure ground glass.")
    part_solid_fraction: Fraction = Field(0.12, description="Share of part-solid nodules.")
    spiculated_fraction: Fraction = Field(0.25, description="Share of spiculated nodules among those above 7 mm.")
    juxtapleural_fraction: Fraction = Field(0.25, description="Share of nodules that touch the pleura.")
    juxtavascular_fraction: Fraction = Field(0.2, description="Share of nodules that touch a vessel.")
    mean_irrelevant: float = Field(4.0, ge=0.0, le=40.0, description="Mean number of irrelevant findings a patient.")
    mean_lookalikes: float = Field(6.0, ge=0.0, le=60.0, description="Mean number of vessel knots a patient.")

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        limits = {
            "chest_scale": (0.4, 1.2),
            "matrix": (64, 768),
            "pixel_spacing_mm": (0.3, 6.0),
            "slice_spacing_mm": (0.5, 6.0),
            "nodule_diameter_mm": (3.0, 40.0),
        }
        for name, (lowest, highest) in limits.items():
            low, high = getattr(self, name)
            if not lowest <= low <= high <= highest:
                raise ValueError(f"{name} is ({low}, {high}); expected {lowest} <= low <= high <= {highest}")
        if self.ground_glass_fraction + self.part_solid_fraction > 1.0:
            raise ValueError("ground_glass_fraction + part_solid_fraction must not exceed 1")
        return self
