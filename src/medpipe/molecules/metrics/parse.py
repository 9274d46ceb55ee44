"""One pass over the molecules: everything the measures need of a molecule is computed where it is parsed, once.

Strings are cut into chunks that worker processes describe; equal strings are described once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.metrics.filters import passes_filters
from medpipe.molecules.metrics.fingerprints import Packed, morgan, unpack_bytes
from medpipe.molecules.metrics.fragments import brics_fragments, murcko_scaffold
from medpipe.molecules.metrics.guacamol import N_MOLECULES, Physchem, physchem
from medpipe.molecules.metrics.patterns import count_features
from medpipe.molecules.metrics.properties import PROPERTIES, molecule_properties
from medpipe.molecules.metrics.validity import read_valid

_CHUNK = 200


class Description(NamedTuple):
    """What is known of one valid molecule."""

    smiles: str
    passes_filters: bool
    properties: tuple[float, float, float, float]
    fingerprint: bytes
    fragments: tuple[str, ...]
    scaffold: str | None
    physchem: Physchem | None


@dataclass(frozen=True)
class Molecules:
    """Distinct valid molecules of a list of strings, in the order in which they first appear.

    Attributes:
        n: Number of strings, invalid ones among them.
        row_of: Row of the molecule of each valid string, in the order of the strings, (n_valid,).
        smiles: Canonical SMILES, (n_distinct,).
        counts: How often each molecule was written, (n_distinct,).
        passes_filters: (n_distinct,).
        properties: Columns as ``PROPERTIES``, (n_distinct, 4).
        fingerprints: Packed Morgan fingerprints, (n_distinct, 16).
        fragments: SMILES of the BRICS fragments of each.
        scaffolds: Murcko scaffold of each, None for fewer than two rings.
        physchem: What GuacaMol's KL score needs of the first ones, where it was asked for.
    """

    n: int
    row_of: npt.NDArray[np.int64]
    smiles: list[str]
    counts: npt.NDArray[np.int64]
    passes_filters: npt.NDArray[np.bool_]
    properties: npt.NDArray[np.float64]
    fingerprints: Packed
    fragments: list[tuple[str, ...]]
    scaffolds: list[str | None]
    physchem: list[Physchem]

    @property
    def n_valid(self) -> int:
        """Number of valid strings, repeated molecules counted each time."""
        return len(self.row_of)


def read_molecules(
    smiles: Sequence[str],
    *,
    n_jobs: int = -1,
    with_filters: bool = True,
    with_quality: bool = True,
    with_physchem: bool = False,
    description: str = "reading molecules",
) -> Molecules:
    """Parses and describes SMILES strings.

    A string is valid as in MOSES: not empty, RDKit parses it, and the molecule passes a second sanitization (a few
    parse but fail that one). Its canonical SMILES must be readable in turn, because all is computed from the molecule
    of the canonical SMILES.

    Args:
        smiles: The strings as they came out.
        n_jobs: Processes.
        with_filters: Whether to apply the filters; else all count as passing.
        with_quality: Whether to compute SA and QED; else they are NaN.
        with_physchem: Whether to describe the first ``guacamol.N_MOLECULES`` distinct strings for the KL score.
        description: What the user reads beside the progress bar.
    """
    distinct = list(dict.fromkeys(smiles))
    chunks = [
        (distinct[start : start + _CHUNK], with_physchem and start < N_MOLECULES)
        for start in range(0, len(distinct), _CHUNK)
    ]
    describe_chunk = partial(_describe_chunk, with_filters=with_filters, with_quality=with_quality)
    described = track(
        parallel(describe_chunk, chunks, n_jobs=n_jobs, description=None), description, len(distinct), size=len
    )
    of_string = dict(zip(distinct, (one for chunk in described for one in chunk), strict=True))
    return _collect(len(smiles), (of_string[text] for text in smiles))


def _collect(n: int, descriptions: Iterator[Description | None]) -> Molecules:
    rows: dict[str, int] = {}
    kept: list[Description] = []
    row_of = []
    for one in descriptions:
        if one is None:
            continue
        if one.smiles not in rows:
            rows[one.smiles] = len(kept)
            kept.append(one)
        row_of.append(rows[one.smiles])
    of_string = np.array(row_of, dtype=np.int64)
    return Molecules(
        n=n,
        row_of=of_string,
        smiles=[one.smiles for one in kept],
        counts=np.bincount(of_string, minlength=len(kept)),
        passes_filters=np.array([one.passes_filters for one in kept], dtype=np.bool_),
        properties=np.array([one.properties for one in kept], dtype=np.float64).reshape(-1, len(PROPERTIES)),
        fingerprints=unpack_bytes([one.fingerprint for one in kept]),
        fragments=[one.fragments for one in kept],
        scaffolds=[one.scaffold for one in kept],
        physchem=[one.physchem for one in kept if one.physchem is not None],
    )


def _describe_chunk(
    chunk: tuple[Sequence[str], bool], with_filters: bool, with_quality: bool
) -> list[Description | None]:
    from rdkit import rdBase

    smiles, with_physchem = chunk
    with rdBase.BlockLogs():
        return [describe(text, with_filters, with_quality, with_physchem) for text in smiles]


def describe(
    smiles: str, with_filters: bool = True, with_quality: bool = True, with_physchem: bool = False
) -> Description | None:
    """Describes the molecule of one SMILES string; None if it is invalid. The rest is as in ``read_molecules``."""
    from rdkit import Chem

    if (read := read_valid(smiles)) is None:
        return None
    canonical = Chem.MolToSmiles(read)
    mol = read if canonical == smiles else read_valid(canonical)
    if mol is None:
        return None
    features = count_features(mol) if with_filters or with_quality else None
    properties = molecule_properties(mol, features if with_quality else None)
    written = canonical if mol is read else str(Chem.MolToSmiles(mol))
    return Description(
        smiles=written,
        passes_filters=features is None or not with_filters or passes_filters(mol, features, canonical),
        properties=properties,
        fingerprint=morgan(mol),
        fragments=tuple(brics_fragments(mol)),
        scaffold=murcko_scaffold(mol),
        physchem=physchem(mol, written, properties) if with_physchem else None,
    )
