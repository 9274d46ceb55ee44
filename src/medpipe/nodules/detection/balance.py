"""How often each nodule is shown in training: rare kinds more often than their number."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.nodules.evaluation.matching import diameters_mm

SIZE_LIMITS_MM = (6.0, 10.0)
"""Fleischner Society's classes begin and end near these diameters (MacMahon et al., Radiology 284, 2017)."""


def draw_weights(findings: pd.DataFrame, balance: float) -> npt.NDArray[np.float64]:
    """Weight of each finding: (nodules of its kind) to the power of minus ``balance``.

    A kind is a class of diameter (limits `SIZE_LIMITS_MM`) and a texture, where one is known. Ground glass and small
    nodules are what detectors miss; in a cohort of few hundred nodules there is only a handful of them.

    Args:
        findings: Columns diameter_mm, kind, and texture if known; n rows.
        balance: 0 weighs all alike; 1 gives every kind the same weight in all.

    Returns:
        n weights; of findings that are no nodules, 0.
    """
    size = pd.Series(np.digitize(diameters_mm(findings), SIZE_LIMITS_MM), index=findings.index)
    texture = findings["texture"].fillna("") if "texture" in findings else pd.Series("", index=findings.index)
    is_nodule = findings["kind"] == "nodule"
    kinds = pd.DataFrame({"size": size, "texture": texture, "is_nodule": is_nodule})
    count = kinds.groupby(["size", "texture"])["is_nodule"].transform("sum").to_numpy(np.float64)
    return np.where(is_nodule, np.maximum(count, 1.0) ** -balance, 0.0)
