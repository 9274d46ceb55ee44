"""Places of findings: "isolated" and "juxtavascular" mean what they say."""

import numpy as np
import pytest

from medpipe.ct.phantom.anatomy import build_anatomy
from medpipe.ct.phantom.findings import draw_findings
from medpipe.ct.phantom.lungtrees import build_trees
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.trees import Segments

LARGE_VESSEL_MM = 1.5
N_PATIENTS = 4


@pytest.fixture(scope="module")
def nodules() -> list[tuple[str, float, float]]:
    """Attachment, radius and distance to the surface of the next large vessel, of the nodules of some patients."""
    made: list[tuple[str, float, float]] = []
    for number in range(N_PATIENTS):
        rng = np.random.default_rng(number)
        anatomy = build_anatomy(rng, 1.0)
        trees = build_trees(anatomy, rng)
        vessels = Segments.join([trees.arteries, trees.veins])
        large = vessels.where(vessels.radii_mm.max(axis=1) > LARGE_VESSEL_MM)
        findings = draw_findings(PhantomParams(mean_nodules=12.0), anatomy, trees, False, rng)
        made += [
            (item.attachment, 0.5 * item.diameter_mm, float(large.gap(np.asarray(item.centre_zyx)).min()))
            for item in findings.listed
            if item.kind == "nodule"
        ]
    return made


def test_an_isolated_nodule_touches_no_large_vessel(nodules: list[tuple[str, float, float]]) -> None:
    isolated = [(radius, gap) for kind, radius, gap in nodules if kind == "isolated"]
    assert len(isolated) > 10
    assert all(gap > radius for radius, gap in isolated)


def test_a_nodule_at_a_vessel_lies_beside_it_and_not_inside(nodules: list[tuple[str, float, float]]) -> None:
    gaps = [gap for kind, _, gap in nodules if kind == "juxtavascular"]
    assert len(gaps) > 5
    assert min(gaps) > 0


def test_gap_is_the_distance_to_the_surface() -> None:
    cone = Segments(np.zeros((1, 3)), np.array([[0.0, 0.0, 10.0]]), np.array([[2.0, 1.0]]), np.ones(1, dtype=np.int64))
    beside, inside, beyond = (cone.gap(np.array(point))[0] for point in ([0, 5.0, 5], [0, 0.0, 0], [0, 0.0, 13]))
    assert (beside, inside, beyond) == pytest.approx((3.5, -2.0, 2.0))
