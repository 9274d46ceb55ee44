import pytest
from pydantic import ValidationError

from medpipe.ct.phantom.params import PhantomParams


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_patients", 0),
        ("healthy_fraction", 1.2),
        ("chest_scale", (1.0, 0.9)),
        ("matrix", (32, 64)),
        ("slice_spacing_mm", (1.0, 9.0)),
        ("nodule_diameter_mm", (1.0, 5.0)),
        ("number_of_patients", 3),
    ],
)
def test_bad_value_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        PhantomParams(**{field: value})  # type: ignore[arg-type]


def test_texture_shares_cannot_exceed_one() -> None:
    with pytest.raises(ValidationError, match="must not exceed 1"):
        PhantomParams(ground_glass_fraction=0.6, part_solid_fraction=0.6)
