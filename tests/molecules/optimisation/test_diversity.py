"""Scaffold buckets."""

from medpipe.molecules.optimisation.diversity import ScaffoldMemory
from medpipe.molecules.optimisation.params import DiversityParams


def test_a_full_bucket_admits_no_more_good_molecules() -> None:
    memory = ScaffoldMemory(DiversityParams(bucket_size=2, min_score=0.5))
    first = [("Cc1ccccc1", 0.9), ("CCc1ccccc1", 0.1), ("OCc1ccccc1", 0.8), ("NCc1ccccc1", 0.7), ("CC1CCCC1", 0.7)]
    assert memory.admit(first) == [True, True, True, False, True]
    assert memory.admit([("Brc1ccccc1", 0.6), ("Clc1ccccc1", 0.4)]) == [False, True]


def test_a_bucket_of_no_size_sets_no_limit() -> None:
    memory = ScaffoldMemory(DiversityParams(bucket_size=0))
    assert memory.admit([("Cc1ccccc1", 1.0)] * 100) == [True] * 100


def test_memory_goes_on() -> None:
    params = DiversityParams(bucket_size=1, min_score=0.0)
    before = ScaffoldMemory(params)
    before.admit([("Cc1ccccc1", 1.0)])
    assert ScaffoldMemory(params, dict(before.counts)).admit([("CCc1ccccc1", 1.0)]) == [False]
