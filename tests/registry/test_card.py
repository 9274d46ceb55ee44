from datetime import UTC, datetime

import pytest

from medpipe.registry.card import Card, Measured, cell
from medpipe.registry.cohort import Cohort
from medpipe.registry.version import Version

VERSION = Version(
    name="nodule_models",
    version="3",
    run_id="abc",
    created=datetime(2026, 11, 1, tzinfo=UTC),
    aliases=("challenger",),
    tags={"env": "luna16", "pipeline": "imaging", "git.commit": "f00", "git.dirty": "true", "data.ct_splits": "d1"},
    source="models:/m-1",
    status="READY",
)
COHORT = Cohort(
    {"ct_splits": {"train": 1200, "test": 300}}, {"ct_scans.manufacturer": {"A | B": {"train": 7, "test": 2}}}, "t3st"
)
METRICS = {"cpm": 0.5, "cpm_low": 0.4, "cpm_high": 0.6, "cpm_vendor_a": 0.25}


def card(template: str, params: dict[str, str] | None = None) -> str:
    return Card(
        version=VERSION,
        full_name="luna16.nodule_models",
        template=template,
        cohort=COHORT,
        measured=[Measured("detection", METRICS, ["cpm"])],
        params=params or {},
        run_tags={"version.torch": "2.13.0", "device": "CPU"},
        inputs=[{"name": "path", "type": "string", "required": False}],
        outputs=[{"name": "x_mm", "type": "double"}],
    ).render()


@pytest.mark.parametrize("template", ["model", "nodules", "generator", "properties"])
def test_every_card_tells_what_was_recorded(template):
    text = card(template)
    for part in (
        "# nodule_models, version 3",
        "`luna16.nodule_models` version 3",
        "`f00` with changes that are not committed",
        "| ct_splits | 1,200 | 0 | 300 | `d1` |",
        "| ct_scans.manufacturer | A \\| B | 7 | 0 | 2 |",
        "Fingerprint of the test rows: `t3st`",
        "| cpm | 0.5 | 0.4 to 0.6 |",
        "| vendor_a | cpm | 0.25 |",
        'load_model("models:/luna16.nodule_models/3")',
        "path (string, optional)",
        "torch 2.13.0",
    ):
        assert part in text


@pytest.mark.parametrize("template", ["nodules", "generator", "properties"])
def test_cards_of_our_models_tell_use_misuse_and_limits(template):
    assert "Not described" not in card(template)


@pytest.mark.parametrize(
    ("params", "told"),
    [({"ct_source.kind": "phantom", "ct_source.folder": "null"}, True), ({"ct_source.kind": "lidc_wheels"}, False)],
)
def test_results_on_phantoms_are_said_to_be_such(params, told):
    assert ("generated phantoms, not patients" in card("nodules", params)) is told


def test_tables_are_whole():
    lines = card("nodules", {"a": "x|y\nz"}).splitlines()
    rows = [index for index, line in enumerate(lines) if line.startswith("|---")]
    assert len(rows) >= 5
    for index in rows:
        assert lines[index - 1].count("|") == lines[index].count("|")
        assert lines[index - 2] == ""
    assert "| a | x\\|y z |" in lines


def test_cell_cannot_break_out():
    assert cell("a|b\n<script>`x`" + "y" * 200).startswith("a\\|b &lt;script>'x'yyy")
    assert len(cell("y" * 999)) == 160
