from pathlib import Path

import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.properties.params import PropertySourceParams
from medpipe.molecules.properties.sources import provide_properties


def test_a_file_of_the_users_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("smiles,y\nC,1\n")
    assert provide_properties(PropertySourceParams(path=str(path)), tmp_path / "raw") == path


@pytest.mark.parametrize(("name", "said"), [("none.csv", "no such file"), ("mine.xlsx", "unknown format")])
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "mine.xlsx").touch()
    with pytest.raises(InputError, match=said):
        provide_properties(PropertySourceParams(path=str(tmp_path / name)), tmp_path)
