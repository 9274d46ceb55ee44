"""Molecule pictures: what is on them, and what cannot be drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from medpipe.core.errors import InputError
from medpipe.reporting.molecules import (
    molecule_grid,
    nearest_neighbours,
    nearest_train,
    property_histograms,
    structure_grid,
)


def _profile(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = {
        "logP": rng.normal(2, 1, n),
        "SA": rng.uniform(1, 5, n),
        "QED": rng.random(n),
        "weight": rng.normal(300, 30, n),
    }
    return pd.DataFrame({"smiles": pd.Series(["C" * (i + 1) for i in range(n)], dtype="str"), **numbers, "count": 1})


def _texts(figure: Figure) -> list[str]:
    (axis,) = figure.axes
    return [text.get_text() for text in axis.texts if text.get_text()]


def _ink(figure: Figure, rows: int, columns: int) -> np.ndarray:
    """Share of dark pixels in each cell, (rows, columns)."""
    (axis,) = figure.axes
    picture = np.asarray(axis.images[0].get_array())[..., 0] < 0.5
    height, width = picture.shape
    return picture.reshape(rows, height // rows, columns, width // columns).mean(axis=(1, 3))


def test_grid_draws_molecules_with_their_properties() -> None:
    figure = molecule_grid(_profile(7).assign(smiles="c1ccccc1"), n=5, columns=3)
    assert len(_texts(figure)) == 5
    assert all("QED" in legend and "g/mol" in legend for legend in _texts(figure))
    assert (_ink(figure, 2, 3).ravel() > 0).tolist() == [True] * 5 + [False]
    assert "first 5 of 7" in figure.get_suptitle()


def test_grid_of_nothing_says_so() -> None:
    assert molecule_grid(_profile(0)).texts[0].get_text() == "no valid molecule was generated"


def test_what_is_no_molecule_has_a_cell_that_says_so() -> None:
    figure = structure_grid(["CCO", "bad", ""])
    assert (_ink(figure, 1, 3) > 0).tolist() == [[True, False, False]]
    assert _texts(figure) == ["not a molecule"] * 2


def test_pictures_show_the_structure() -> None:
    assert 0.001 < _ink(structure_grid(["c1ccccc1"]), 1, 1) < 0.3


@pytest.mark.parametrize(("smiles", "legends"), [([], None), (["C"], []), (["C"], ["a", "b"])])
def test_grid_needs_molecules_and_a_legend_for_each(smiles: list[str], legends: list[str] | None) -> None:
    with pytest.raises(InputError, match="structure_grid"):
        structure_grid(smiles, legends)


def test_neighbours_stand_beside_each_other() -> None:
    figure = nearest_neighbours(["CCO", "CCN"], ["CCC", "CCS"], [0.25, 1.0])
    assert _texts(figure) == ["generated", "nearest, similarity 0.25", "generated", "nearest, similarity 1.00"]
    with pytest.raises(InputError, match="1 molecules, 2 neighbours"):
        nearest_neighbours(["C"], ["C", "C"], [1.0])


def _with_neighbours(n: int) -> pd.DataFrame:
    return _profile(n).assign(novel=True, nearest_train="CCO", similarity_train=np.linspace(0, 1, n))


def test_nearest_of_train_go_from_the_most_to_the_least_similar() -> None:
    figure = nearest_train(_with_neighbours(101), n=3)
    assert [text for text in _texts(figure) if text != "generated"] == [
        "nearest, similarity 1.00", "nearest, similarity 0.50", "nearest, similarity 0.00",
    ]  # fmt: skip


def test_known_molecules_and_those_not_looked_up_are_no_neighbours() -> None:
    profile = _with_neighbours(4).assign(novel=[False, True, True, True])
    profile.loc[1, ["nearest_train", "similarity_train"]] = None
    assert len(_texts(nearest_train(profile))) == 2 * 2


@pytest.mark.parametrize("profile", [_profile(3).assign(novel=True), _with_neighbours(2).assign(novel=False)])
def test_without_a_neighbour_the_picture_says_so(profile: pd.DataFrame) -> None:
    assert nearest_train(profile).texts[0].get_text() == "no novel molecule to compare with train"


def _shares(figure: Figure) -> dict[str, np.ndarray]:
    from matplotlib.patches import StepPatch

    return {
        patch.get_label(): patch.get_data().values for patch in figure.axes[0].patches if isinstance(patch, StepPatch)
    }


def test_histograms_have_both_sets_on_the_same_bins() -> None:
    figure = property_histograms(_profile(50), _profile(500))
    assert len(figure.axes) == 4
    shares = _shares(figure)
    assert set(shares) == {"generated", "test set"}
    assert all(values.sum() == pytest.approx(100.0) for values in shares.values())


def test_repeated_molecules_count_each_time() -> None:
    profile = _profile(2).assign(logP=[0.0, 3.0], count=[3, 1])
    assert _shares(property_histograms(profile, _profile(300)))["generated"].max() == pytest.approx(75.0)


def test_histograms_without_a_valid_molecule_show_the_reference() -> None:
    assert set(_shares(property_histograms(_profile(0), _profile(20)))) == {"test set"}


def test_one_reference_molecule_has_a_histogram() -> None:
    assert _shares(property_histograms(_profile(3), _profile(1)))["test set"].max() == 100.0


@pytest.mark.parametrize(
    ("generated", "reference"), [(_profile(3), _profile(0)), (_profile(3).drop(columns="SA"), _profile(3))]
)
def test_histograms_name_what_is_missing(generated: pd.DataFrame, reference: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="property_histograms"):
        property_histograms(generated, reference)
