"""What the measures need to know of a reference set, computed once and kept on disk."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.atomic import atomic_path, write_json
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest, digest_path
from medpipe.molecules.metrics import chemnet, guacamol
from medpipe.molecules.metrics.fcd import Moments, moments
from medpipe.molecules.metrics.fingerprints import Packed
from medpipe.molecules.metrics.fragments import count_names
from medpipe.molecules.metrics.moses_statistics import read_moses_statistics
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.parse import Molecules, read_molecules
from medpipe.molecules.metrics.properties import PROPERTIES

DEFINITIONS = 2  # goes up when a definition changes, so that kept references are computed anew
MADE_BY = [DEFINITIONS, version("rdkit")]
"""What kept statistics depend on beside the molecules: RDKit writes the SMILES and makes fragments and fingerprints."""
SHIPPED = {"Test": "test_stats.npz", "TestSF": "test_scaffolds_stats.npz"}
_ARRAYS, _COUNTS = "arrays.npz", "counts.json"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reference:
    """Statistics of a set of molecules that generated ones are compared with.

    Attributes:
        n: Number of molecules.
        origin: Where the statistics come from, for people.
        fingerprints: Packed Morgan fingerprints, (n, 16).
        fragments: How often each BRICS fragment occurs.
        scaffolds: How often each Murcko scaffold of two or more rings occurs.
        properties: Values of logP, SA, QED and weight (g/mol), (n, 4); SA and QED are NaN where ``physchem`` was
            computed, for molecules that are drawn to be compared with in other ways.
        chemnet: Mean and covariance of ChemNet's activations; None where they were not computed.
        physchem: The table of GuacaMol's KL score (``guacamol.measures``); None where it was not computed.
    """

    n: int
    origin: str
    fingerprints: Packed
    fragments: dict[str, int]
    scaffolds: dict[str, int]
    properties: npt.NDArray[np.float64]
    chemnet: Moments | None
    physchem: npt.NDArray[np.float64] | None = None

    def profile(self) -> pd.DataFrame:
        """Properties as a table, one row a molecule."""
        return pd.DataFrame(self.properties, columns=list(PROPERTIES))

    def save(self, folder: Path) -> None:
        """Writes the statistics into a folder that appears in full or not at all."""
        arrays = {"fingerprints": self.fingerprints, "properties": self.properties}
        if self.chemnet is not None:
            arrays |= {"chemnet_mean": self.chemnet.mean, "chemnet_covariance": self.chemnet.covariance}
        if self.physchem is not None:
            arrays["physchem"] = self.physchem
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            np.savez(temporary / _ARRAYS, **arrays)  # type: ignore[arg-type]
            counts = {"fragments": self.fragments, "scaffolds": self.scaffolds}
            write_json(temporary / _COUNTS, {"n": self.n, "origin": self.origin, **counts})

    @classmethod
    def load(cls, folder: Path) -> "Reference":
        """Reads what ``save`` wrote; no pickle is involved."""
        counts = json.loads((folder / _COUNTS).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        known = "chemnet_mean" in kept
        return cls(
            **counts,
            fingerprints=kept["fingerprints"],
            properties=kept["properties"],
            chemnet=Moments(kept["chemnet_mean"], kept["chemnet_covariance"]) if known else None,
            physchem=kept.get("physchem"),
        )


References = Mapping[str, Reference]


def reference_of(
    smiles: Sequence[str],
    *,
    fcd: bool = True,
    with_physchem: bool = False,
    device: str = "cpu",
    batch: int = 512,
    n_jobs: int = -1,
) -> Reference:
    """Computes the statistics of reference molecules; invalid strings are left out, repeated ones count each time.

    Raises:
        InputError: If there is no valid molecule.
    """
    molecules = read_molecules(
        smiles,
        n_jobs=n_jobs,
        with_filters=False,
        with_quality=not with_physchem,
        with_physchem=with_physchem,
        description="reading reference molecules",
    )
    if not molecules.n_valid:
        raise InputError(
            f"reference molecules: none of {len(smiles)} SMILES strings is valid; at least one is needed. Check the "
            "column that holds the SMILES, or the split that the reference is taken from."
        )
    repeated = np.repeat(np.arange(len(molecules.counts)), molecules.counts)
    return Reference(
        n=molecules.n_valid,
        origin="computed",
        fingerprints=molecules.fingerprints,
        fragments=dict(count_names(molecules.fragments, molecules.counts.tolist())),
        scaffolds=dict(scaffold_counts(molecules)),
        properties=molecules.properties[repeated],
        chemnet=chemnet_moments(molecules, device=device, batch=batch) if fcd else None,
        physchem=guacamol.measures(molecules.physchem, n_jobs) if with_physchem else None,
    )


def scaffold_counts(molecules: Molecules) -> Mapping[str, int]:
    """How often each scaffold occurs; molecules without one are left out."""
    return count_names(scaffold_lists(molecules), molecules.counts.tolist())


def scaffold_lists(molecules: Molecules) -> list[list[str]]:
    """The scaffold of each molecule, or none, as fragments are given."""
    return [[scaffold] if scaffold is not None else [] for scaffold in molecules.scaffolds]


def chemnet_moments(molecules: Molecules, *, device: str, batch: int) -> Moments | None:
    """Mean and covariance of ChemNet's activations; None for fewer than two molecules."""
    if molecules.n_valid < 2:
        return None
    return moments(chemnet.activations(molecules.smiles, device=device, batch=batch), molecules.counts)


def load_references(
    smiles: Mapping[str, Sequence[str]], *, kept: Path, params: ScoreParams, shipped: Path | None = None
) -> dict[str, Reference]:
    """Reference sets by name, from what is kept on disk wherever it was made from the same content.

    Args:
        smiles: Molecules of each reference set; ``Test`` and ``TestSF`` are MOSES's names.
        kept: Folder for statistics, one folder a content.
        params: How to score; in the mode ``auto`` or ``shipped`` of ``reference`` MOSES's own statistics are used,
            also for a set that ``smiles`` doesn't name.
        shipped: Folder with MOSES's own statistics (``test_stats.npz``, ``test_scaffolds_stats.npz``), if any.

    Raises:
        InputError: If there is nothing to compare with, or shipped statistics are asked for and not there.
    """
    found = _find_shipped(shipped) if params.reference != "computed" else {}
    if params.reference == "shipped" and "Test" not in found:
        raise InputError(
            f"reference: shipped: {SHIPPED['Test']} is not in {shipped}. Fetch the MOSES wheel into that folder, or "
            "set reference: computed."
        )
    references = {name: _keep(kept, digest_path(path, kept), path) for name, path in found.items()}
    for name, strings in smiles.items():
        if name not in references and len(strings):
            references[name] = kept_reference(strings, kept, params)
    if not references:
        raise InputError(
            "reference molecules: none given; expected SMILES of a test set, or MOSES's statistics. A split without "
            "test molecules cannot be scored: give it some."
        )
    return references


def kept_reference(smiles: Sequence[str], kept: Path, params: ScoreParams, *, with_physchem: bool = False) -> Reference:
    """``reference_of`` molecules, computed once for the same content and kept in a folder of ``kept``."""
    from medpipe.training.device import torch_device

    strings = list(smiles)
    folder = kept / digest(MADE_BY, params.fcd, strings, *(["physchem"] if with_physchem else []))
    if not folder.exists():
        reference_of(
            strings,
            fcd=params.fcd,
            with_physchem=with_physchem,
            device=str(torch_device(params.device)),
            batch=params.chemnet_batch,
            n_jobs=params.n_jobs,
        ).save(folder)
    return Reference.load(folder)


def _find_shipped(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    return {name: folder / file for name, file in SHIPPED.items() if (folder / file).exists()}


def _keep(kept: Path, content: str, path: Path) -> Reference:
    """Reads shipped statistics once, then from our own form."""
    folder = kept / digest(DEFINITIONS, content)
    if not folder.exists():
        _logger.info("reading the statistics of %s", path.name)
        statistics = read_moses_statistics(path)
        Reference(origin=f"molsets {path.name}", **statistics).save(folder)
    return Reference.load(folder)
