import numpy as np
import pandas as pd
import pytest

from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.balance import draw_weights
from medpipe.nodules.detection.params import SamplingParams
from medpipe.nodules.detection.sampling import PatchBatches, scan_places


def findings(**columns) -> pd.DataFrame:
    """Six large solid nodules, two small ones, one of ground glass, and a finding that is no nodule."""
    return pd.DataFrame(
        {
            "diameter_mm": [12.0] * 6 + [5.0] * 2 + [12.0] * 2,
            "texture": ["solid"] * 8 + ["ground-glass", None],
            "kind": ["nodule"] * 9 + ["irrelevant"],
        }
        | columns
    )


@pytest.mark.parametrize(("balance", "of_large"), [(0.0, 6.0), (0.5, 6.0**0.5), (1.0, 1.0)])
def test_rare_kinds_weigh_more(balance: float, of_large: float):
    weights = draw_weights(findings(), balance)
    assert weights[:6].sum() == pytest.approx(of_large)
    assert weights[6:8].sum() == pytest.approx(2.0 ** (1 - balance))
    assert weights[8] == 1.0
    assert weights[9] == 0.0


@pytest.mark.parametrize("texture", [None, [np.nan] * 10])
def test_without_texture_size_alone_counts(texture):
    table = findings().drop(columns="texture") if texture is None else findings(texture=texture)
    np.testing.assert_allclose(draw_weights(table, 1.0)[[0, 8, 6]], [1 / 7, 1 / 7, 1 / 2])


def test_nodules_are_drawn_by_their_weight(blobs: tuple[ScanStore, pd.DataFrame]):
    """One ball is of another texture than the eleven others: with full balance, half of the patches show it."""
    store, nodules = blobs
    marked = nodules.assign(texture=["ground-glass"] + ["solid"] * (len(nodules) - 1), diameter_mm=9.0)
    for balance, share in ((0.0, 1 / 12), (1.0, 1 / 2)):
        params = SamplingParams(patch_edge=16, border_voxels=4, lesion_share=1.0, hard_share=0.0, balance=balance)
        batches = PatchBatches(store, scan_places(store, marked, store.series_uids, params, 0, 1), params, 0)
        drawn = [batches._draw_place(np.random.default_rng(step)) for step in range(600)]
        first = batches._places[0].centres[0]
        found = np.mean([number == 0 and np.allclose(centre, first) for number, centre in drawn])
        assert found == pytest.approx(share, abs=0.07)
