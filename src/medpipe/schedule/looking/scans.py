"""What new scans are like: spacing and Hounsfield units of a few slices of a few patients."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medpipe.ct.ingest import gate, scan_table
from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers import ScanRef, find_reader
from medpipe.schedule.looking.drift import Profile

N_PATIENTS = 48
"""Patients that are looked at; a few slices of one scan of each are read."""

MAX_FILES = 10_000
"""Headers of about so many files are read, in folders drawn at random: about 50 DICOM scans, or all of LUNA16."""

HU_EDGES = np.arange(-1000.0, 1001.0, 100.0)
"""Between bins of Hounsfield units; the first and the last bin are open."""

_SEED = 0
_DIGITS = 4


def profile_of_scans(folder: Path, files: Sequence[Path], params: IngestCTParams) -> Profile:
    """The profile of the scans that are made of these files and would be accepted at intake.

    Args:
        folder: The raw folder.
        files: Below it.
        params: Readers and gate.
    """
    spacings: dict[str, list[float]] = {"slice_spacing_mm": [], "pixel_spacing_mm": []}
    histograms: list[list[float]] = []
    for scan in _accepted(folder, _found(folder, files, params), params):
        row = scan_table([scan]).iloc[0]
        spacings["slice_spacing_mm"].append(_rounded(row["spacing_z_mm"]))
        spacings["pixel_spacing_mm"].append(_rounded((row["spacing_y_mm"] * row["spacing_x_mm"]) ** 0.5))
        values = find_reader(scan.reader).read_samples(folder, scan).ravel()
        counts = np.bincount(np.searchsorted(HU_EDGES, values), minlength=len(HU_EDGES) + 1)
        histograms.append([_rounded(share) for share in counts / counts.sum()])
    return Profile("scans", spacings, {"hu": histograms})


def _found(folder: Path, files: Sequence[Path], params: IngestCTParams) -> list[ScanRef]:
    """Scans in some of the folders, one a patient, in random order."""
    together: dict[Path, list[Path]] = {}
    for file in files:
        together.setdefault(file.parent, []).append(file)
    rng = np.random.default_rng(_SEED)
    chosen: list[Path] = []
    places = sorted(together)
    for index in rng.permutation(len(places)):
        if len(chosen) >= MAX_FILES:
            break
        chosen += together[places[index]]
    scans = [
        replace(scan, reader=name)
        for name in params.readers
        for scan in find_reader(name).discover(folder, sorted(chosen), params)
    ]
    of_patient = {scan.patient_id: scan for scan in (scans[index] for index in rng.permutation(len(scans)))}
    return list(of_patient.values())


def _accepted(folder: Path, scans: Sequence[ScanRef], params: IngestCTParams) -> Iterator[ScanRef]:
    count = 0
    for scan in scans:
        judged = gate(folder, scan, params.gate)
        if judged.rejection is None and judged.geometry is not None:
            yield judged
            count += 1
        if count == N_PATIENTS:
            return


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
