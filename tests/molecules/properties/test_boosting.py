import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from medpipe.molecules.properties.boosting import _columns, _flatten, fit_forest
from medpipe.molecules.properties.features import MoleculeFeatures, read_features
from medpipe.molecules.properties.params import BoostingParams

PARAMS = BoostingParams(max_trees=12, min_leaf=3, min_molecules=3)


@pytest.fixture(scope="module")
def features(molecules: list[str]) -> MoleculeFeatures:
    return read_features(molecules[:150], 1)[0]


@pytest.mark.parametrize("kind", [HistGradientBoostingRegressor, HistGradientBoostingClassifier])
def test_arrays_predict_what_scikit_learn_does(features: MoleculeFeatures, kind: type) -> None:
    fragments = np.arange(200)
    x, y = _columns(features, fragments), features.descriptors[:, 26]
    is_class = kind is HistGradientBoostingClassifier
    model = kind(max_iter=10, min_samples_leaf=3, early_stopping=False).fit(x, y > np.median(y) if is_class else y)
    trees = [stage[0].nodes for stage in model._predictors]
    forest = _flatten(trees, [0] * 10, np.ravel(model._baseline_prediction), fragments)
    expected = model.decision_function(x) if is_class else model.predict(x)
    np.testing.assert_allclose(forest.predict(features)[:, 0], expected, rtol=1e-12)


def test_each_task_learns_from_what_is_known_of_it(features: MoleculeFeatures) -> None:
    targets = np.stack([features.descriptors[:, 26], features.descriptors[:, 25]], axis=1).astype(np.float64)
    hidden = targets.copy()
    hidden[::2, 1] = np.nan
    rows = np.arange(len(features))
    val = features.take(rows[:30])
    number = np.array([False, False])
    forest = fit_forest(features, hidden, val, hidden[:30], number, PARAMS, 0)
    whole = fit_forest(features, targets, val, targets[:30], number, PARAMS, 0)
    one, both = forest.predict(features), whole.predict(features)
    np.testing.assert_allclose(one[:, 0], both[:, 0])
    assert np.abs(one[:, 1] - both[:, 1]).max() > 0
    assert np.corrcoef(one[:, 1], targets[:, 1])[0, 1] > 0.8


def test_rare_fragments_are_left_out(features: MoleculeFeatures) -> None:
    target = features.descriptors[:, [26]].astype(np.float64)
    forest = fit_forest(features, target, features, target, np.array([False]), PARAMS, 0)
    assert ((features.counts[:, forest.fragments] > 0).sum(axis=0) >= 3).all()
