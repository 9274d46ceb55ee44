import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from medpipe.molecules.intake.ingest import ingest
from medpipe.molecules.intake.params import IngestSmilesParams
from medpipe.molecules.intake.readers import read_lines
from medpipe.molecules.intake.sdf import field_of, fields_of, read_records


def write_sdf(path: Path, smiles: list[str]) -> Path:
    """As RDKit writes it, with a name and a data field for the split."""
    writer = Chem.SDWriter(str(path))
    for i, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(text)
        molecule.SetProp("_Name", f"molecule {i}")
        molecule.SetProp("Split", ("train", "test", "val")[i % 3])
        writer.write(molecule)
    writer.close()
    return path


@pytest.fixture
def sdf(tmp_path: Path, molecules: list[str]) -> Path:
    return write_sdf(tmp_path / "a.sdf", molecules[:30])


def test_records_are_molecules(sdf: Path, molecules: list[str]) -> None:
    lines = list(read_lines(sdf, "smiles"))
    assert [line.number for line in lines] == list(range(1, 31))
    assert [Chem.MolToSmiles(Chem.MolFromMolBlock(line.text)) for line in lines] == molecules[:30]
    assert all("Split" not in line.text for line in lines)


def test_a_data_field_holds_the_split(sdf: Path, molecules: list[str]) -> None:
    params = IngestSmilesParams(split="column", split_column="SPLIT", n_jobs=1)
    smiles, _ = ingest(sdf, params)
    assert smiles.set_index("smiles").split.to_dict() == {
        one: ("train", "test", "val")[i % 3] for i, one in enumerate(molecules[:30])
    }


def test_a_compressed_file_and_its_lines_ends_are_read(sdf: Path) -> None:
    packed = sdf.with_name("b.SDF.gz")
    packed.write_bytes(gzip.compress(sdf.read_bytes().replace(b"\n", b"\r\n")))
    assert list(read_lines(packed, "smiles")) == list(read_lines(sdf, "smiles"))


def test_a_broken_record_costs_itself_alone(sdf: Path, molecules: list[str]) -> None:
    records = sdf.read_text().split("$$$$\n")
    records[3] = "broken\n\n\n 99 12  0 garbage\n\x00\nM  END\n"
    records[5] = "\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n"
    sdf.write_text("$$$$\n".join(records))
    smiles, rejected = ingest(sdf, IngestSmilesParams(test_fraction=0.4, n_jobs=1))
    assert set(smiles.smiles) == set(molecules[:30]) - {molecules[3], molecules[5]}
    assert rejected.line.tolist() == [4, 6]
    assert rejected.text.tolist() == ["broken", ""]
    assert rejected.code.tolist() == ["not_parsable", "empty"]
    assert rejected.reason[0] == "a.sdf: It is no mol block: RDKit's parser refuses it."


def test_a_file_without_its_last_mark_and_an_endless_record_end() -> None:
    lines = ["name\n", "\n", "M  END\n", "> <x>\n", " 7\n", "$$$$\n", *["C\n"] * 100_000, "$$$$\n", "last\n"]
    (first, second, last) = read_records(iter(lines))
    assert first[:2] == (1, "name\n\nM  END\n")
    assert fields_of(first) == {"x": "7"}
    assert field_of(first, "X") == "7"
    assert len(second.block) < 50_000
    assert last == (3, "last\n", [])
    assert field_of(last, "x") == ""
