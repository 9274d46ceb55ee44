from datetime import UTC, datetime

import pytest

from medpipe.registry.comparison import compare_versions
from medpipe.registry.version import Version


def version(number: str, **tags: str) -> Version:
    return Version("m", number, "run", datetime(2026, 1, 1, tzinfo=UTC), (), tags, "models:/m", "READY")


class Recorded:
    """A registry of two versions."""

    def metrics(self, version):
        return {"1": {"cpm": 0.5, "cpm_low": 0.4, "cpm_high": 0.6, "n": 9.0}, "2": {"cpm": 0.6, "n": 9.0}}[
            version.version
        ]

    def params(self, version):
        return {"1": {"seed": "1", "steps": "5"}, "2": {"seed": "2", "steps": "5"}}[version.version]


def test_only_what_differs_is_told():
    found = compare_versions(Recorded(), version("1", env="a", test_data="x"), version("2", env="b", test_data="x"))
    assert found.params == {"seed": ("1", "2")}
    assert found.metrics == {"cpm": ("0.5 (0.4 to 0.6)", "0.6")}
    assert found.origin == {"env": ("a", "b")}
    assert (found.same, found.comparable) == (1, True)


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ({"test_data": "x"}, {"test_data": "y"}, "different test data"),
        ({"test_data": "x"}, {}, "not recorded on which test data version 2"),
        ({}, {}, "not recorded on which test data version 1 and 2"),
    ],
)
def test_versions_of_other_test_data_do_not_compare(a, b, why):
    found = compare_versions(Recorded(), version("1", **a), version("2", **b))
    assert not found.comparable
    assert why in found.why
