"""Cohorts drawn from one population of scanners and patients, as the tables that intake writes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

HU_WINDOW = (-1000.0, 400.0)
N_BINS = 256
MANUFACTURERS = np.array(["GE MEDICAL SYSTEMS", "SIEMENS", "TOSHIBA", "Philips"])
KERNELS = np.array(["STANDARD", "LUNG", "BONE", "B30f", "B50f", "FC01"])


@dataclass
class Cohort:
    """Tables and records of the store; see `draw`."""

    scans: pd.DataFrame
    nodules: pd.DataFrame
    splits: pd.DataFrame
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of_split(self, split: str) -> pd.Series:
        """Whether each scan belongs to a split."""
        return self.scans["patient_id"].map(self.splits.set_index("patient_id")["split"]) == split


def draw(n_patients: int, seed: int, *, fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)) -> Cohort:
    """One population, split at random.

    A quarter of the patients have two scans and a few have three, all on the same scanner; the nodules of a patient
    are alike in size. So scans and nodules are not independent of each other, patients are.
    """
    rng = np.random.default_rng(seed)
    scans, nodules, records = [], [], {}
    for number in range(n_patients):
        scanner = rng.choice(4, p=[0.45, 0.3, 0.15, 0.1])
        kernel = rng.choice(KERNELS) if rng.random() < 0.9 else None
        spacing_z, spacing_x = rng.choice([0.625, 1.25, 2.0, 2.5, 3.0]), round(rng.uniform(0.5, 0.9), 3)
        usual_mm, offset = rng.lognormal(2.0, 0.4), rng.normal(0, 25)
        for scan in range(1 + rng.choice(3, p=[0.72, 0.22, 0.06])):
            uid = f"1.2.{number + 1}.{scan + 1}"
            scans.append(
                {
                    "series_uid": uid,
                    "patient_id": f"patient-{number}",
                    "source": "lidc",
                    "n_slices": round(rng.normal(310, 25) / spacing_z),
                    "n_rows": 512,
                    "n_columns": 512,
                    "spacing_z_mm": spacing_z,
                    "spacing_y_mm": spacing_x,
                    "spacing_x_mm": spacing_x,
                    "kernel": kernel,
                    "manufacturer": MANUFACTURERS[scanner],
                    "model": f"model {scanner}",
                    "accepted": True,
                    "rejection_code": None,
                    "rejection_reason": None,
                }
            )
            records[uid] = {"histogram": histogram(rng, offset).tolist(), "hu_window": list(HU_WINDOW)}
            nodules += [
                {
                    "series_uid": uid,
                    "kind": "nodule",
                    "diameter_mm": float(usual_mm * rng.lognormal(0, 0.2)),
                    "malignancy": float(rng.integers(1, 6)) if rng.random() < 0.8 else np.nan,
                    "texture": rng.choice(["solid", "part-solid", "ground-glass"]) if rng.random() < 0.8 else None,
                }
                for _ in range(rng.poisson(1.3))
            ]
    ids = [f"patient-{number}" for number in range(n_patients)]
    splits = pd.DataFrame({"patient_id": ids, "split": rng.choice(["train", "val", "test"], n_patients, p=fractions)})
    columns = ["series_uid", "kind", "diameter_mm", "malignancy", "texture"]
    return Cohort(pd.DataFrame(scans), pd.DataFrame(nodules, columns=columns), splits, records)


def histogram(rng: np.random.Generator, offset_hu: float = 0.0) -> np.ndarray:
    """Counts of a scan: lung around -850 HU, tissue around 30 HU."""
    lung = rng.normal(-850 + offset_hu, 70, 1500)
    tissue = rng.normal(30 + offset_hu, 60, 1500)
    hu = np.clip(np.concatenate([lung, tissue]), *HU_WINDOW)
    return np.histogram(hu, N_BINS, HU_WINDOW)[0]
