"""The page on CT scans names every code with which a scan can be rejected."""

import re
from pathlib import Path

import pytest

import medpipe.ct

CODES = re.compile(
    r"""Rejection\(\s*"([a-z_]+)"  # Rejection("missing_slices", ...
    |ScanReadError\([^()]*(?:\([^()]*\)[^()]*)*,\s*"([a-z_]+)"\)  # ScanReadError(f"... {size(x)} ...", "not_ct")
    |code:\ str\ =\ "([a-z_]+)"  # its default
    |\breject\("([a-z_]+)"  # of preprocessing""",
    re.VERBOSE,
)
PAGE = Path(__file__).parents[2] / "docs" / "ct.md"


def test_every_code_is_explained_and_no_other():
    sources = [path.read_text(encoding="utf-8") for path in Path(medpipe.ct.__path__[0]).rglob("*.py")]
    used = {code for text in sources for groups in CODES.findall(text) for code in groups if code}
    if not PAGE.is_file():
        pytest.skip("the project was installed without its documentation")
    table = PAGE.read_text(encoding="utf-8").partition("## The gate")[2].partition("## ")[0]
    explained = {
        code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert used - explained == set()
    assert explained - used == set()
