"""The product for those who want molecules, not measurements: novel and valid ones only, and what was left out.

The measures of a generator are taken on all that it drew, never on this.
"""

from collections.abc import Sequence

import pandas as pd

from medpipe.core.parallel import parallel
from medpipe.core.progress import track

NOVEL_COLUMNS = {"smiles": "str", "row": "int64"}
DROPPED = {
    "known": "a molecule of train or val",
    "repeated": "a molecule that was kept already",
}
"""Why a valid string was left out, beside `medpipe.molecules.metrics.validity.REASONS` for those that are not."""
_CHUNK = 2000


def novel_and_valid(
    drawn: pd.DataFrame, known: pd.Series, *, n_jobs: int = -1
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Keeps each valid molecule that is not known, once.

    Args:
        drawn: Column smiles: strings as they came out of a generator.
        known: Canonical SMILES of the molecules that the generator has seen.
        n_jobs: Processes; -1 is one a core.

    Returns:
        Columns smiles (canonical) and row (of the first string in ``drawn`` that says it, from 0), in the order drawn,
        with counts and ``drawn.attrs`` in ``attrs``; and the counts: ``n_drawn``, ``n_kept`` and ``dropped_<reason>``,
        which add up.
    """
    from medpipe.molecules.metrics.validity import REASONS

    chunks = [drawn["smiles"].iloc[start : start + _CHUNK].tolist() for start in range(0, len(drawn), _CHUNK)]
    judging = parallel(_judge, chunks, n_jobs=n_jobs, description=None)
    shown = track(judging, "Keeping novel and valid molecules", len(drawn), size=len)
    judged = pd.concat([_table([], []), *shown], ignore_index=True)
    known_here = (judged["dropped"] == "") & judged["smiles"].isin(known)
    judged.loc[known_here, "dropped"] = "known"
    judged.loc[(judged["dropped"] == "") & judged["smiles"].duplicated(), "dropped"] = "repeated"
    kept = judged[judged["dropped"] == ""]
    table = pd.DataFrame({"smiles": kept["smiles"], "row": kept.index}).astype(NOVEL_COLUMNS).reset_index(drop=True)
    found = judged["dropped"].value_counts()
    counts = {"n_drawn": len(drawn), "n_kept": len(table)}
    counts |= {f"dropped_{reason}": int(found.get(reason, 0)) for reason in (*REASONS, *DROPPED)}
    table.attrs = drawn.attrs | {"product": "novel and valid only, each once", "counts": counts}
    return table, {name: float(value) for name, value in counts.items()}


def _judge(strings: Sequence[str]) -> pd.DataFrame:
    """Canonical SMILES of each string, or why it is no molecule."""
    from rdkit import rdBase

    from medpipe.molecules.metrics.validity import canonical_smiles, invalid_reason

    with rdBase.BlockLogs():
        smiles = [canonical_smiles(text) or "" for text in strings]
        dropped = ["" if one else invalid_reason(text) for one, text in zip(smiles, strings, strict=True)]
    return _table(smiles, dropped)


def _table(smiles: list[str], dropped: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"smiles": smiles, "dropped": dropped}).astype("str")
