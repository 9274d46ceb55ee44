"""What a model learned from and is tested on, in numbers: counts by split, and a fingerprint of the test rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest

TEST = "test"
KEYS = ("patient_id", "series_uid", "smiles")
"""Columns by which a table without splits gets them from the tables before it."""
_SPLIT = "split"
_MISSING = "not known"


@dataclass(frozen=True)
class Cohort:
    """Numbers only; no row leaves its table.

    Attributes:
        counts: Table -> split -> rows.
        groups: ``table.column`` -> value -> split -> rows.
        test_data: Fingerprint of the test rows of all tables, whatever their order; rows of train and val, and their
            number, leave it as it is.
    """

    counts: Mapping[str, Mapping[str, int]]
    groups: Mapping[str, Mapping[str, Mapping[str, int]]]
    test_data: str

    def summary(self) -> str:
        """Counts in one line."""
        parts = (f"{table}: {_line(counts)}" for table, counts in self.counts.items())
        return "; ".join(parts)


def describe_cohort(tables: Mapping[str, pd.DataFrame], groups: Sequence[str] = ()) -> Cohort:
    """Counts what is in each split.

    Args:
        tables: By name; the first has a column ``split``, each other one too or one of `KEYS` in common with a table
            before it. Rows that belong to no split, such as rejected scans, do not count.
        groups: Columns whose values are counted, in each table that has them.

    Raises:
        InputError: A table has neither.
    """
    split = _splits(tables)
    parts = [
        (f"{name}.{column}", table[column].astype("object").fillna(_MISSING), table[_SPLIT])
        for name, table in split.items()
        for column in groups
        if column in table
    ]
    return Cohort(
        counts={name: _counts(table[_SPLIT]) for name, table in split.items()},
        groups={
            name: {str(value): _counts(splits[values == value]) for value in sorted(values.unique(), key=str)}
            for name, values, splits in parts
        },
        test_data=digest([[name, _rows(table[table[_SPLIT] == TEST])] for name, table in split.items()]),
    )


def _splits(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables with a column split each, without rows that have none."""
    done: dict[str, pd.DataFrame] = {}
    for name, table in tables.items():
        if _SPLIT in table:
            done[name] = table
            continue
        key, known = _key(name, table, done)
        splits = known.drop_duplicates(key).set_index(key)[_SPLIT]
        done[name] = table.assign(**{_SPLIT: table[key].map(splits)}).dropna(subset=[_SPLIT])
    return done


def _key(name: str, table: pd.DataFrame, done: Mapping[str, pd.DataFrame]) -> tuple[str, pd.DataFrame]:
    for known in reversed(list(done.values())):
        for key in KEYS:
            if key in table and key in known:
                return key, known
    raise InputError(f"{name}: has no column split, and none of {', '.join(KEYS)} in common with a table before it.")


def _counts(splits: "pd.Series[str]") -> dict[str, int]:
    return {str(split): int(count) for split, count in splits.value_counts().sort_index(key=_order).items()}


def _order(splits: pd.Index) -> pd.Index:
    """Train, val, test."""
    return splits.map({"train": 0, "val": 1, TEST: 2})


def _line(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in counts.items()) or "none"


def _rows(table: pd.DataFrame) -> str:
    """Digest of the rows as a set: neither their order nor that of the columns counts."""
    hashes = pd.util.hash_pandas_object(table[sorted(table.columns)], index=False)
    return digest(hashes.sort_values().to_numpy())
