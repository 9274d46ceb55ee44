"""Scores any file of SMILES, against files or against MOSES."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest, digest_path
from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.intake.params import SmilesSourceParams
from medpipe.molecules.intake.readers import FORMATS, holds_mol_blocks, read_lines
from medpipe.molecules.intake.sources import provide
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.reference import MADE_BY, load_references
from medpipe.molecules.metrics.score import Score, score

MOSES = "moses"
"""Stands for MOSES's own molecules where a file of training molecules is expected."""
_MOSES_COLUMN = "SMILES"
_CHUNK = 2000
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileScore:
    """Result of scoring a file.

    Attributes:
        score: Metrics, and one row a distinct valid molecule.
        reference: logP, SA, QED and weight (g/mol) of the reference molecules.
        reference_smiles: SMILES of the reference molecules.
    """

    score: Score
    reference: pd.DataFrame
    reference_smiles: list[str]


def score_file(
    path: Path, *, column: str, train: str | None, reference: Path | None, cache: Path, params: ScoreParams
) -> FileScore:
    """Scores the molecules of a file.

    Args:
        path: CSV, TSV, SMI, text or Parquet, also gzipped; strings count as they stand there.
        column: SMILES column of every file that has columns, whatever its case.
        train: File of the molecules the generator has seen, ``MOSES`` for MOSES's training set, None for no novelty
            and no nearest training molecules.
        reference: File to compare with; None takes MOSES's statistics of its two test sets.
        cache: Folder for MOSES, which is fetched once, and for statistics.
        params: How to score.

    Raises:
        InputError: If a file is not there, is empty, lacks the column, or a reference holds no molecule.
    """
    generated = _read(path, column)
    if reference is None:
        moses = provide(SmilesSourceParams(), cache / MOSES)
        reference_smiles = _read(moses / "test.csv.gz", _MOSES_COLUMN)
        references = load_references({}, kept=cache, params=params, shipped=moses)
    else:
        reference_smiles = _canonical(reference, column, cache, params.n_jobs)
        own = params.model_copy(update={"reference": "computed"})
        references = load_references({"Test": reference_smiles}, kept=cache, params=own)
    seen = _training(train, column, cache, params.n_jobs)
    result = score(generated, seen, references, params, cache)
    return FileScore(result, next(iter(references.values())).profile(), reference_smiles)


def _read(path: Path, column: str) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a file of SMILES strings.")
    if not path.name.lower().endswith(FORMATS) or holds_mol_blocks(path):
        known = ", ".join(name for name in FORMATS if not holds_mol_blocks(Path(name)))
        raise InputError(f"{path}: no known format of SMILES; expected a name that ends in one of {known}.")
    strings = [line.text for line in read_lines(path, column)]
    if not strings:
        raise InputError(f"{path}: the file holds no molecule; expected one SMILES string a line or row.")
    return strings


def _training(train: str | None, column: str, cache: Path, n_jobs: int) -> list[str]:
    if train is None:
        return []
    if train == MOSES:  # canonical as MOSES compares them
        return _read(provide(SmilesSourceParams(), cache / MOSES) / "train.csv.gz", _MOSES_COLUMN)
    return _canonical(Path(train), column, cache, n_jobs)


def _canonical(path: Path, column: str, cache: Path, n_jobs: int) -> list[str]:
    """Canonical SMILES of the valid molecules of a file, each once; kept by the content of the file."""
    strings = _read(path, column)
    kept = cache / f"canonical-{digest(MADE_BY, digest_path(path, cache), column)}.parquet"
    if not kept.exists():
        chunks = [strings[start : start + _CHUNK] for start in range(0, len(strings), _CHUNK)]
        written = parallel(_canonical_chunk, chunks, n_jobs=n_jobs, description=None)
        shown = track(written, f"reading {path.name}", len(strings), size=len)
        molecules = list(dict.fromkeys(smiles for chunk in shown for smiles in chunk if smiles is not None))
        with atomic_path(kept, suffix=".parquet") as temporary:
            pd.DataFrame({"smiles": pd.Series(molecules, dtype="str")}).to_parquet(temporary, index=False)
    molecules = pd.read_parquet(kept)["smiles"].tolist()
    if not molecules:
        raise InputError(f"{path}: none of {len(strings)} SMILES strings is valid; check its column and its content.")
    if len(molecules) < len(strings):
        _logger.info("%s: %d strings, %d distinct valid molecules", path.name, len(strings), len(molecules))
    return [str(smiles) for smiles in molecules]


def _canonical_chunk(smiles: Sequence[str]) -> list[str | None]:
    from rdkit import rdBase

    from medpipe.molecules.metrics.validity import canonical_smiles

    with rdBase.BlockLogs():
        return [canonical_smiles(text) for text in smiles]
