"""A map of generated molecules among those of a reference, and whether neighbours tell the two apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

COLUMNS = {"smiles": "str", "set": "str", "x": "float64", "y": "float64", "same": "float64"}
GENERATED, REFERENCE = "generated", "reference"
N_A_SET = 750
"""Molecules of each set on the map: some seconds of t-SNE, and points that can still be told apart."""
_PERPLEXITY = 30.0  # neighbours a point minds; van der Maaten and Hinton (2008) advise 5 to 50
_ITERATIONS = 500  # the divergence fell by another 2 % with 1000
_START_SPREAD = 1e-4  # of the start along its first axis, as in scikit-learn's own start
_TIE = 1e-6  # similarities of float32 that differ by less are equal

Floats = npt.NDArray[np.float32]


def chemical_space(
    generated: Sequence[str], reference: Sequence[str], *, n: int = N_A_SET, seed: int = 0
) -> pd.DataFrame:
    """Places molecules of two sets on a plane, by t-SNE (van der Maaten and Hinton, JMLR 2008) of Tanimoto distances.

    It starts from the two main axes of the fingerprints, so that the coarse order means something (Kobak and Berens,
    Nature Communications 2019).

    Args:
        generated: Canonical SMILES.
        reference: Canonical SMILES.
        n: Most molecules of each set, drawn with the seed; both sets get as many as the smaller one has, so that
            neither is near by its number.
        seed: Of the draw and of the layout.

    Returns:
        One row a molecule: smiles; set ("generated" or "reference"); x and y, without a unit; same: share of its most
        similar molecules (more than one where they are equally similar) that belong to its own set. The mean of
        ``same`` is the accuracy of the nearest-neighbour two-sample test: 1/2 where neighbours do not tell the sets
        apart, 1 where they always do (Lopez-Paz and Oquab, ICLR 2017; Xu et al., 2018). Empty if a set is.
    """
    size = min(n, len(generated), len(reference))
    if size == 0:
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    rng = np.random.default_rng(seed)
    smiles = [str(one[i]) for one in (generated, reference) for i in np.sort(rng.permutation(len(one))[:size])]
    sets = np.repeat([GENERATED, REFERENCE], size)
    bits = _bits(smiles)
    similarity = _similarities(bits)
    x, y = _layout(bits, similarity, seed).T
    columns = {"smiles": smiles, "set": sets, "x": x, "y": y, "same": _same_set(similarity, sets)}
    return pd.DataFrame(columns).astype(COLUMNS)


def _bits(smiles: Sequence[str]) -> Floats:
    """Morgan fingerprints (n, 1024) of 0 and 1."""
    from rdkit import Chem

    from medpipe.molecules.metrics.fingerprints import morgan, unpack_bytes

    packed = unpack_bytes([morgan(Chem.MolFromSmiles(one)) for one in smiles])
    return np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little").astype(np.float32)


def _similarities(bits: Floats) -> Floats:
    """Tanimoto similarities (n, n)."""
    common, count = bits @ bits.T, bits.sum(1)
    return np.asarray(common / np.maximum(count[:, None] + count - common, 1))


def _layout(bits: Floats, similarity: Floats, seed: int) -> npt.NDArray[np.float64]:
    """Coordinates (n, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    start = np.asarray(PCA(2, svd_solver="randomized", random_state=seed).fit_transform(bits), dtype=np.float64)
    if len(bits) <= 3 * _PERPLEXITY:  # too few for as many neighbours
        return start
    start *= _START_SPREAD / max(float(start[:, 0].std()), _START_SPREAD)
    layout: Any = TSNE(
        metric="precomputed",
        init=start.astype(np.float32),
        perplexity=_PERPLEXITY,
        max_iter=_ITERATIONS,
        random_state=seed,
        n_jobs=-1,
    )
    return np.asarray(layout.fit_transform(1 - similarity), dtype=np.float64)


def _same_set(similarity: Floats, sets: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    others = similarity - 2 * np.eye(len(similarity), dtype=np.float32)  # never its own neighbour
    nearest = others >= others.max(1, keepdims=True) - _TIE
    return np.asarray((nearest & (sets[:, None] == sets)).sum(1) / nearest.sum(1))
