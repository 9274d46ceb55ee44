from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules import table_files
from medpipe.molecules.table_files import check_format, open_table


def part(*smiles: str) -> pd.DataFrame:
    return pd.DataFrame({"smiles": pd.Series(smiles, dtype="str"), "y": [float(len(one)) for one in smiles]})


def test_a_parquet_file_grows_by_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "ROWS_A_GROUP", 3)
    with open_table(tmp_path / "a.parquet", {"seed": 1}) as write:
        for smiles in (("C", "CC"), ("CCC", "CCCC"), ("O",)):
            write(part(*smiles))
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 1]
    read = pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read, part("C", "CC", "CCC", "CCCC", "O"))
    assert read.attrs == {"seed": 1}


def test_text_has_one_header(tmp_path: Path) -> None:
    with open_table(tmp_path / "a.csv") as write:
        write(part("C"))
        write(part("CC"))
    assert (tmp_path / "a.csv").read_text() == "smiles,y\nC,1.0\nCC,2.0\n"


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.smi.gz"])
def test_what_fails_leaves_no_file(tmp_path: Path, name: str) -> None:
    def fail() -> None:
        with open_table(tmp_path / name) as write:
            write(part("C"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "columns"), [("a.xlsx", False), ("a", False), ("a.parquet.gz", False), ("a.smi", True)]
)
def test_a_name_that_says_no_format_is_refused(name: str, columns: bool) -> None:
    with pytest.raises(InputError, match=f"{name}: no known format"):
        check_format(Path(name), columns=columns)
