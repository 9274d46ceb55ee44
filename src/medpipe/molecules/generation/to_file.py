"""Molecules from a generator into a file: as drawn, or only those that are new."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.progress import Progress
from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.generation.sample import draw_batches, label, timed_batches
from medpipe.molecules.table_files import check_format, open_table
from medpipe.training.checkpoint import Checkpoint

MAX_DRAWS_A_MOLECULE = 50
"""A generator that draws more than this for one molecule that is new is not worth the wait."""
MIN_DRAWS = 5000
"""Fewest draws before that is judged."""


@dataclass(frozen=True)
class Generated:
    """What came of it.

    Attributes:
        n_drawn: Strings drawn.
        n_written: Strings in the file.
    """

    n_drawn: int
    n_written: int


def generate(
    checkpoint: Checkpoint, params: SampleParams, path: Path, known: Collection[str] | None = None
) -> Generated:
    """Draws molecules into a file; memory does not grow with their number, but for what must be told apart.

    Args:
        checkpoint: What ``train_gan`` made.
        params: How many molecules the file is to hold, and how they are drawn.
        path: A file of one of `medpipe.molecules.table_files.FORMATS`, with column smiles where there are columns.
        known: Canonical SMILES that are not new. With it the file holds ``params.n`` valid molecules that are not among
            these, each once and in canonical form; None writes all that is drawn, as it is.

    Raises:
        InputError: The format is not known, the checkpoint holds no generator, there is no such device, or hardly
            anything new is drawn.
    """
    check_format(path, columns=False)
    made = label(checkpoint, params)
    if known is None:
        with open_table(path, made) as write:
            for drawn in draw_batches(checkpoint, params):
                write(_table(drawn))
        return Generated(params.n, params.n)
    n_drawn = n_written = 0
    with open_table(path, {**made, "product": "novel and valid only, each once"}) as write:
        for n_batch, novel in _novel_batches(checkpoint, params, known):
            n_drawn, n_written = n_drawn + n_batch, n_written + len(novel)
            write(_table(novel))
    return Generated(n_drawn, n_written)


def _novel_batches(
    checkpoint: Checkpoint, params: SampleParams, known: Collection[str]
) -> Iterator[tuple[int, list[str]]]:
    """How many were drawn, and the new ones of them, until there are enough."""
    from rdkit import rdBase

    from medpipe.molecules.metrics.validity import canonical_smiles

    most = max(MIN_DRAWS, MAX_DRAWS_A_MOLECULE * params.n)
    seen, n_drawn, n_kept = set(known), 0, 0
    with Progress("Drawing novel molecules", params.n) as progress:
        for drawn, _ in timed_batches(checkpoint, params.model_copy(update={"n": most})):
            with rdBase.BlockLogs():
                valid = [smiles for text in drawn if (smiles := canonical_smiles(text)) is not None]
            novel = [smiles for smiles in dict.fromkeys(valid) if smiles not in seen][: params.n - n_kept]
            seen.update(novel)
            n_drawn, n_kept = n_drawn + len(drawn), n_kept + len(novel)
            yield len(drawn), novel
            progress.advance(len(novel), f"{n_kept / n_drawn:.0%} of those drawn")
            if n_kept == params.n:
                return
    raise InputError(
        f"of {n_drawn} strings drawn {n_kept} are valid and new, {params.n} are wanted; nothing was written. Ask for "
        "fewer, set another temperature, or train the generator longer."
    )


def _table(smiles: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"smiles": pd.Series(smiles, dtype="str")})
