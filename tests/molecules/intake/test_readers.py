import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.intake.readers import MAX_LINE_CHARACTERS, Line, read_lines


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"id,SMILES\n1,CCO\n2,CCN\n", [(2, "CCO"), (3, "CCN")]),
        ("a.csv.gz", b"smiles\nCCO\n", [(2, "CCO")]),
        ("a.csv", b"\xef\xbb\xbfsmiles,x\r\nCCO,1\r\n", [(2, "CCO")]),
        ("a.csv", b'smiles;name\n"CCO";"a;b"\n', [(2, "CCO")]),
        ("a.csv", b"smiles;IC50, nM, mean\nCCO;1,5\n", [(2, "CCO")]),
        ("a.tsv", b"name\tsmiles\nx\tCCO\n", [(2, "CCO")]),
        ("a.csv", b"name,smiles\nonly a name\n", [(2, "")]),
        ("a.smi", b"CCO ethanol\n\nCCN\tamine\n", [(1, "CCO"), (2, ""), (3, "CCN")]),
        ("a.smi.gz", b"smiles name\nCCO ethanol\n", [(2, "CCO")]),
        ("a.smi", b"CC\xffO\nC\x00C\n", [(1, "CC\ufffdO"), (2, "C\x00C")]),
    ],
)
def test_lines_come_with_their_numbers(
    tmp_path: Path, name: str, content: bytes, expected: list[tuple[int, str]]
) -> None:
    lines = read_lines(write(tmp_path / name, content), "smiles")
    assert [(line.number, line.text) for line in lines] == expected


def test_parquet_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"Smiles": ["CCO", None], "x": [1, 2]}).to_parquet(path)
    assert list(read_lines(path, "smiles")) == [Line(1, "CCO"), Line(2, "")]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
def test_text_of_parquet_may_be_of_any_kind(tmp_path: Path, kind: pa.DataType) -> None:
    pq.write_table(pa.table({"smiles": pa.array(["CCO", None, "CCO"]).cast(kind)}), tmp_path / "a.parquet")
    assert [line.text for line in read_lines(tmp_path / "a.parquet", "smiles")] == ["CCO", "", "CCO"]


def test_bad_bytes_in_parquet_come_as_text(tmp_path: Path) -> None:
    smiles = pa.array([b"CC\xffO", b"CCO"]).view(pa.string())
    pq.write_table(pa.table({"smiles": smiles}), tmp_path / "a.parquet")
    assert [line.text for line in read_lines(tmp_path / "a.parquet", "smiles")] == ["CC\ufffdO", "CCO"]


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"smiles": [f"{'C' * n}O" for n in range(100)]}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[100:200] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet: not a readable Parquet file"):
        list(read_lines(path, "smiles"))


def test_an_endless_line_is_cut_and_the_next_one_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'smiles\n"' + b"C" * 10_000_000 + b'"\nCCO\n')
    first, second = read_lines(path, "smiles")
    assert len(first[1]) <= MAX_LINE_CHARACTERS
    assert second == Line(3, "CCO")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"mol,activity\nCCO,1\n", "no column 'smiles'; there are 'mol', 'activity'"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b'smiles\n"CCO\n' + b"CCO\n" * 300_000, "line .* cannot be read .*quotation mark left open"),
        ("a.parquet", b"no parquet", "not a readable Parquet file"),
        ("a.csv", "smiles\nCCO\n".encode("utf-16"), "UTF-16 text, expected UTF-8"),
        ("a.smi", gzip.compress(b"CCO\n"), "compressed by gzip.* expected UTF-8"),
        ("a.csv", b"PK\x03\x04 a workbook", "ZIP archive .* expected UTF-8"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        list(read_lines(write(tmp_path / name, content), "smiles"))
    assert name in str(raised.value)


def test_an_smi_file_has_no_split(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.smi: an SMI file has no column 'set'"):
        list(read_lines(write(tmp_path / "a.smi", b"CCO\n"), "smiles", "set"))


def test_numbers_are_no_smiles(tmp_path: Path) -> None:
    pd.DataFrame({"smiles": [1.5]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="holds double, expected text"):
        list(read_lines(tmp_path / "a.parquet", "smiles"))


def test_a_cut_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"smiles\n" + b"CCO\n" * 1000)[:-20])
    with pytest.raises(InputError, match=r"a\.csv\.gz: not a readable gzip file"):
        list(read_lines(path, "smiles"))


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, place: str) -> None:
    packed = bytearray(gzip.compress(b"".join(b"C" * (i % 50 + 1) + b"\n" for i in range(20_000))))
    at = {"start": 12, "middle": len(packed) // 2, "end": len(packed) - 5}[place]
    packed[at] ^= 0xFF
    (tmp_path / "a.smi.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"a\.smi\.gz: not a readable gzip file"):
        list(read_lines(tmp_path / "a.smi.gz", "smiles"))
