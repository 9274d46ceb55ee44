"""Writes the whole cohort, skipping what is already there."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from medpipe.core.atomic import atomic_path, remove_leftovers, write_json
from medpipe.core.parallel import parallel
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import UID_ROOT, ScanPlan, plan_cohort
from medpipe.ct.phantom.scan import PhantomScan, make_scan
from medpipe.ct.phantom.writers import write_dicom_series, write_metaimage, write_outlines

RECORDS = ".scans"
"""Folder of one JSON file a finished scan: its fingerprint, its files and its labels."""

SEG = "_seg"
"""Ending of the names of label maps."""

FINDING_COLUMNS = [
    "finding_id", "series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "kind", "texture", "spiculation",
    "texture_rating",
]  # fmt: skip
TEXTURE_RATINGS = {"ground-glass": 1, "part-solid": 3, "solid": 5}
SPICULATION_RATINGS = {False: 1, True: 5}
"""LIDC's grades of what the generator knows (McNitt-Gray et al., Academic Radiology 2007, table 3)."""
LABEL_COLUMNS = [
    "series_uid", "patient_id", "finding_id", "x_mm", "y_mm", "z_mm", "diameter_mm", "kind", "texture", "attachment",
    "spiculated", "form",
]  # fmt: skip


def write_cohort(folder: Path, params: PhantomParams, n_jobs: int) -> None:
    """Writes a generated cohort as LUNA16 files and DICOM series.

    Layout below ``folder``: ``luna16/subset0/<series_uid>.mhd`` and ``.raw``, ``luna16/annotations.csv``,
    ``annotations_excluded.csv`` (diameter -1), ``seriesuids.csv`` (no header, as LUNA16's) and ``patients.csv``
    (series_uid, patient_id); ``dicom/<patient_id>/<series_uid>/*.dcm``; beside each scan its nodules' voxels,
    ``<series_uid>_seg.nrrd``; ``findings.csv`` with textures and ratings of the nodules, and the irrelevant findings of
    the DICOM series; ``phantom_labels.csv`` with all that the generator knows of every finding.

    A scan that is there with the fingerprint of these parameters is not made again; scans of other parameters are
    removed. Each file appears under its name only when it is whole, and the tables come last.

    Args:
        folder: Where to write; made if missing.
        params: What to make.
        n_jobs: Worker processes; the result does not depend on it.
    """
    folder = Path(folder)
    plans = plan_cohort(params)
    _remove_others(folder, plans)
    missing = [plan for plan in plans if _record(folder, plan) is None]
    for _ in parallel(partial(_write_scan, folder, params), missing, n_jobs=n_jobs, description="chest phantoms"):
        pass
    records = [json.loads(_record_path(folder, plan.series_uid).read_text(encoding="utf-8")) for plan in plans]
    _write_tables(folder, records)


def _record_path(folder: Path, series_uid: str) -> Path:
    return folder / RECORDS / f"{series_uid}.json"


def _record(folder: Path, plan: ScanPlan) -> dict[str, Any] | None:
    """What is known of a finished scan; None where it has to be made."""
    try:
        record: dict[str, Any] = json.loads(_record_path(folder, plan.series_uid).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if record["digest"] != plan.digest:
        return None
    whole = all(
        (folder / name).is_file() and (folder / name).stat().st_size == n for name, n in record["files"].items()
    )
    return record if whole else None


def _remove_others(folder: Path, plans: list[ScanPlan]) -> None:
    """Removes scans that an earlier run with other parameters left, and half-written files of a killed one."""
    for path in (folder / RECORDS).glob("*.json"):
        if not any(plan.series_uid == path.stem and _record(folder, plan) for plan in plans):
            path.unlink()
    forms = {plan.series_uid: plan.form for plan in plans}
    subset = folder / "luna16" / "subset0"
    for path in subset.glob(f"{UID_ROOT}*"):
        if forms.get(path.stem.removesuffix(SEG)) != "luna16":
            path.unlink()
    for path in (folder / "dicom").glob(f"*/{UID_ROOT}*"):
        if forms.get(path.name.removesuffix(f"{SEG}.nrrd")) != "dicom":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for place in (subset, folder / RECORDS, *(folder / "dicom").glob("*/")):
        remove_leftovers(place)


def _write_scan(folder: Path, params: PhantomParams, plan: ScanPlan) -> None:
    """Makes and writes one scan; its record comes last and marks it as finished."""
    scan = make_scan(params, plan)
    place = folder / "luna16" / "subset0" if plan.form == "luna16" else folder / "dicom" / plan.patient_id
    if plan.form == "luna16":
        header = place / f"{plan.series_uid}.mhd"
        write_metaimage(header, scan.volume)
        files = [header.with_suffix(".raw"), header]
    else:
        write_dicom_series(place / plan.series_uid, scan, params)
        files = sorted((place / plan.series_uid).glob("*.dcm"))
    outlines = place / f"{plan.series_uid}{SEG}.nrrd"
    write_outlines(outlines, scan)
    files.append(outlines)
    write_json(_record_path(folder, plan.series_uid), _as_record(folder, scan, files))


def _as_record(folder: Path, scan: PhantomScan, files: list[Path]) -> dict[str, Any]:
    plan = scan.plan
    labels = [
        {
            "series_uid": plan.series_uid,
            "patient_id": plan.patient_id,
            "finding_id": f"{plan.patient_id}-{plan.visit + 1}-{number:03d}",
            "x_mm": round(label.xyz_mm[0], 4),
            "y_mm": round(label.xyz_mm[1], 4),
            "z_mm": round(label.xyz_mm[2], 4),
            "diameter_mm": round(label.finding.diameter_mm, 3),
            "kind": label.finding.kind,
            "texture": label.finding.texture if label.finding.kind == "nodule" else None,
            "attachment": label.finding.attachment,
            "spiculated": label.finding.spiculated,
            "form": label.finding.form,
        }
        for number, label in enumerate(scan.labels)
    ]
    return {
        "digest": plan.digest,
        "series_uid": plan.series_uid,
        "patient_id": plan.patient_id,
        "form": plan.form,
        "kernel": scan.kernel,
        "files": {file.relative_to(folder).as_posix(): file.stat().st_size for file in files},
        "labels": labels,
    }


def _write_tables(folder: Path, records: list[dict[str, Any]]) -> None:
    labels = pd.DataFrame([label for record in records for label in record["labels"]], columns=LABEL_COLUMNS)
    luna = [record for record in records if record["form"] == "luna16"]
    uids = pd.DataFrame({"series_uid": [r["series_uid"] for r in luna], "patient_id": [r["patient_id"] for r in luna]})
    in_luna = labels[labels["series_uid"].isin(uids["series_uid"])]
    marks = pd.DataFrame(
        {
            "seriesuid": in_luna["series_uid"],
            "coordX": in_luna["x_mm"],
            "coordY": in_luna["y_mm"],
            "coordZ": in_luna["z_mm"],
            "diameter_mm": in_luna["diameter_mm"],
        }
    )
    nodule = in_luna["kind"] == "nodule"
    base = folder / "luna16"
    _write_csv(base / "annotations.csv", marks[nodule])
    _write_csv(base / "annotations_excluded.csv", marks[~nodule].assign(diameter_mm=-1))
    _write_csv(base / "seriesuids.csv", uids[["series_uid"]], header=False)
    _write_csv(base / "patients.csv", uids)
    told = labels[(labels["kind"] == "nodule") | ~labels["series_uid"].isin(uids["series_uid"])]
    ratings = {
        "spiculation": told["spiculated"].map(SPICULATION_RATINGS),
        "texture_rating": told["texture"].map(TEXTURE_RATINGS),
    }
    graded = told["kind"] == "nodule"
    findings = told.assign(**{name: rating.where(graded) for name, rating in ratings.items()})
    _write_csv(folder / "findings.csv", findings[FINDING_COLUMNS])
    _write_csv(folder / "phantom_labels.csv", labels)


def _write_csv(path: Path, table: pd.DataFrame, header: bool = True) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, header=header)
