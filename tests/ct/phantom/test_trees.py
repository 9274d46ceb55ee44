import numpy as np

from medpipe.ct.phantom.trees import PIECES, grow_tree


def _tree(seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    points = rng.uniform(-30, 30, (200, 3)) + np.array([0, 0, 60])
    return points, grow_tree(points, np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.4, rng)


def test_every_point_is_reached_by_a_tip() -> None:
    points, tree = _tree()
    tips = tree.end_zyx[PIECES - 1 :: PIECES][tree.tips[::PIECES] == 1]
    assert len(tips) == len(points)
    nearest = np.linalg.norm(points[:, None] - tips[None], axis=2).min(axis=1)
    assert nearest.max() < 1e-6


def test_radii_taper_from_root_to_tips() -> None:
    _, tree = _tree()
    assert np.all(tree.radii_mm[:, 0] >= tree.radii_mm[:, 1] - 1e-9)
    trunk = tree.radii_mm[tree.tips == tree.tips.max()].mean()
    assert trunk > 4 * tree.radii_mm[tree.tips == 1].mean()


def test_pieces_of_a_branch_join() -> None:
    _, tree = _tree()
    inner = np.arange(len(tree)) % PIECES != PIECES - 1
    np.testing.assert_allclose(tree.end_zyx[inner], tree.start_zyx[np.flatnonzero(inner) + 1])


def test_same_chance_same_tree() -> None:
    np.testing.assert_array_equal(_tree(5)[1].start_zyx, _tree(5)[1].start_zyx)
