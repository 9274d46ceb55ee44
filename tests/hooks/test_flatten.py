import pytest

from medpipe.core.params import Params
from medpipe.hooks.flatten import flatten


class Trainer(Params):
    seed: int = 1


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        ({"a": {"b": 1, "c": {"d": 2}}}, {"p.a.b": 1, "p.a.c.d": 2}),
        ({"a": [1, {"b": 2}]}, {"p.a": [1, {"b": 2}]}),
        (Trainer(), {"p.seed": 1}),
        (3, {"p": 3}),
        ({}, {}),
    ],
)
def test_flatten(value, flat):
    assert flatten(value, "p") == flat
