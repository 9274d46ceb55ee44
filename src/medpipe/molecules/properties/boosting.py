"""The control: gradient boosting of trees on counted fragments and descriptors, a forest a task.

scikit-learn grows the trees. What is kept of them are arrays, so that a checkpoint needs no pickle.
"""

from dataclasses import dataclass, fields
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from medpipe.molecules.properties.features import MoleculeFeatures
from medpipe.molecules.properties.params import BoostingParams

LEAF = -1
"""Feature of a node that is a leaf."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forest:
    """Boosted trees of several tasks, all nodes one behind the other.

    Attributes:
        feature: Column that a node asks for, `LEAF` in a leaf, (nodes,).
        value: Threshold of a node (left if not above), prediction of a leaf, (nodes,).
        children: Left and right child, counted over all trees, (nodes, 2).
        roots: First node of each tree, (trees,).
        task: Task of each tree, (trees,).
        baseline: What the trees of a task are added to, (tasks,).
        fragments: Places of the fragments used, which come first among the columns.
    """

    feature: npt.NDArray[np.int32]
    value: FloatArray
    children: npt.NDArray[np.int32]
    roots: npt.NDArray[np.int64]
    task: npt.NDArray[np.int64]
    baseline: FloatArray
    fragments: npt.NDArray[np.int64]

    def predict(self, features: MoleculeFeatures) -> FloatArray:
        """Numbers, or logits of classes: (n, tasks)."""
        result = np.tile(self.baseline, (len(features), 1))
        if len(self.roots):
            columns = _columns(features, self.fragments)
            _add_trees(columns, self.feature, self.value, self.children, self.roots, self.task, result)
        return result

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Name to array, from which ``Forest(**arrays)`` makes the same forest."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def fit_forest(
    train: MoleculeFeatures,
    targets: FloatArray,
    val: MoleculeFeatures,
    val_targets: FloatArray,
    is_class: npt.NDArray[np.bool_],
    params: BoostingParams,
    seed: int,
) -> Forest:
    """Grows the trees of each task on the molecules whose target is known.

    Args:
        train: n molecules.
        targets: (n, tasks), not a number where unknown.
        val: Molecules on which improvement is watched.
        val_targets: Of them.
        is_class: Whether a task is a class, (tasks,).
        params: Of the trees.
        seed: Of the drawn features.
    """
    fragments = np.flatnonzero((train.counts > 0).sum(axis=0) >= params.min_molecules)
    x, val_x = _columns(train, fragments), _columns(val, fragments)
    trees: list[Any] = []
    tasks, baseline = [], np.zeros(targets.shape[1])
    for task, target in enumerate(targets.T):
        known, val_known = np.isfinite(target), np.isfinite(val_targets[:, task])
        watched = (val_x[val_known], val_targets[val_known, task])
        model = _fit(x[known], target[known], watched, bool(is_class[task]), params, seed)
        baseline[task] = float(np.ravel(model._baseline_prediction)[0])
        n_best = max(1, int(np.argmax(model.validation_score_))) if len(model.validation_score_) else None
        grown = [stage[0].nodes for stage in model._predictors[:n_best]]
        trees += grown
        tasks += [task] * len(grown)
    return _flatten(trees, tasks, baseline, fragments)


def _fit(
    x: npt.NDArray[np.float32],
    target: FloatArray,
    watched: tuple[npt.NDArray[np.float32], FloatArray],
    is_class: bool,
    params: BoostingParams,
    seed: int,
) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    val_x, val_target = watched
    can_watch = len(val_target) > 0 and (not is_class or len(np.unique(val_target)) == 2)
    kind = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
    model = kind(
        learning_rate=params.learning_rate,
        max_iter=params.max_trees,
        max_leaf_nodes=params.max_leaves,
        min_samples_leaf=params.min_leaf,
        max_features=params.feature_share,
        early_stopping=can_watch,
        n_iter_no_change=params.patience,
        random_state=seed,
    )
    return model.fit(x, target, X_val=val_x, y_val=val_target) if can_watch else model.fit(x, target)


def _columns(features: MoleculeFeatures, fragments: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Counts of the chosen fragments, then descriptors: (n, columns)."""
    return np.concatenate([features.counts[:, fragments].astype(np.float32), features.descriptors], axis=1)


def _flatten(trees: list[Any], tasks: list[int], baseline: FloatArray, fragments: npt.NDArray[np.int64]) -> Forest:
    """Forest of scikit-learn's node tables; the values of their leaves already hold the learning rate."""
    sizes = np.array([len(nodes) for nodes in trees], dtype=np.int64)
    roots = np.cumsum(sizes) - sizes
    nodes = np.concatenate(trees)
    leaf = nodes["is_leaf"].astype(bool)
    first = np.repeat(roots, sizes)
    children = np.stack([nodes["left"], nodes["right"]], axis=1).astype(np.int64) + first[:, None]
    return Forest(
        feature=np.where(leaf, LEAF, nodes["feature_idx"]).astype(np.int32),
        value=np.where(leaf, nodes["value"], nodes["num_threshold"]),
        children=np.where(leaf[:, None], 0, children).astype(np.int32),
        roots=roots,
        task=np.array(tasks, dtype=np.int64),
        baseline=baseline,
        fragments=fragments,
    )


@numba.njit(cache=True, nogil=True)
def _add_trees(
    columns: npt.NDArray[np.float32],
    feature: npt.NDArray[np.int32],
    value: FloatArray,
    children: npt.NDArray[np.int32],
    roots: npt.NDArray[np.int64],
    task: npt.NDArray[np.int64],
    result: FloatArray,
) -> None:
    """Adds the leaf that each row falls into, tree after tree."""
    for row in range(len(columns)):
        for tree in range(len(roots)):
            node = roots[tree]
            while feature[node] >= 0:
                above = columns[row, feature[node]] > value[node]
                node = children[node, 1 if above else 0]
            result[row, task[tree]] += value[node]
