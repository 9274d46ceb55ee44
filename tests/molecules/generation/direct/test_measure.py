from medpipe.molecules.generation.direct.measure import validity


def test_what_is_no_molecule_counts_against_validity_and_repeats_against_uniqueness() -> None:
    assert validity(["CCO", "OCC", "", "C1CC", "CN"]) == {"sample_validity": 0.6, "sample_uniqueness": 2 / 3}


def test_nothing_valid_has_no_uniqueness() -> None:
    assert validity(["", "C("]) == {"sample_validity": 0}
