import pandas as pd
import pytest

from medpipe.molecules.generation.novel import novel_and_valid

DRAWN = ["CCO", "C1CC", "OCC", "", "CC(C)(C)(C)C", "CCN", "NCC", "c1cccc1", "CCBr", "CCO"]
KNOWN = pd.Series(["CCN", "CCCCC"], dtype="str")


def keep(strings: list[str]) -> tuple[pd.DataFrame, dict[str, float]]:
    drawn = pd.DataFrame({"smiles": pd.Series(strings, dtype="str")})
    drawn.attrs = {"generator": "abc", "product": "as drawn"}
    return novel_and_valid(drawn, KNOWN, n_jobs=1)


def test_each_novel_molecule_is_kept_once_with_its_row() -> None:
    table, _ = keep(DRAWN)
    assert table.smiles.tolist() == ["CCO", "CCBr"]
    assert table.row.tolist() == [0, 8]


def test_what_was_left_out_is_counted_by_reason() -> None:
    _, counts = keep(DRAWN)
    assert {name: n for name, n in counts.items() if n} == {
        "n_drawn": 10, "n_kept": 2, "dropped_syntax": 1, "dropped_empty": 1, "dropped_valence": 1,
        "dropped_aromaticity": 1, "dropped_known": 2, "dropped_repeated": 2,
    }  # fmt: skip


def test_the_counts_add_up() -> None:
    _, counts = keep(DRAWN)
    assert sum(n for name, n in counts.items() if name != "n_drawn") == counts["n_drawn"]


def test_the_table_is_labelled(tmp_path) -> None:
    table, counts = keep(DRAWN)
    table.to_parquet(tmp_path / "novel.parquet")
    attrs = pd.read_parquet(tmp_path / "novel.parquet").attrs
    assert attrs["product"].startswith("novel and valid only")
    assert attrs["generator"] == "abc"
    assert attrs["counts"] == counts


@pytest.mark.parametrize("strings", [[], ["", "C1"], ["CCN"]])
def test_nothing_may_be_left(strings: list[str]) -> None:
    table, counts = keep(strings)
    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == {"smiles": "str", "row": "int64"}
    assert counts["n_kept"] == 0
    assert counts["n_drawn"] == len(strings)
