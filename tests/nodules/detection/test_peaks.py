import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.nodules.detection.peaks import find_peaks, suppress_neighbours


def greedy(position: torch.Tensor, diameter: torch.Tensor, min_distance_mm: float) -> list[bool]:
    """Plain greedy suppression, candidate by candidate."""
    kept: list[int] = []
    for index in range(len(position)):
        reach = [max(min_distance_mm, float(diameter[better]) / 2) for better in kept]
        distance = [float((position[index] - position[better]).norm()) for better in kept]
        if all(d >= r for d, r in zip(distance, reach, strict=True)):
            kept.append(index)
    return [index in kept for index in range(len(position))]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 40), seed=st.integers(0, 1000), distance=st.sampled_from([1.0, 4.0, 12.0]))
def test_suppression_is_the_greedy_one(n: int, seed: int, distance: float):
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(n, 3, generator=generator, dtype=torch.float64) * 30
    diameter = torch.rand(n, generator=generator, dtype=torch.float64) * 16
    assert suppress_neighbours(position, diameter, distance).tolist() == greedy(position, diameter, distance)


def test_a_dropped_candidate_drops_nobody():
    position = torch.tensor([[0.0, 0, 0], [3.0, 0, 0], [6.0, 0, 0]])
    assert suppress_neighbours(position, torch.zeros(3), 4.0).tolist() == [True, False, True]


def test_a_peak_is_read_with_its_offset_and_diameter():
    output = torch.zeros(5, 8, 8, 8)
    output[0, 3, 4, 5] = 0.9
    output[0, 3, 4, 6] = 0.8  # on the flank of the first
    output[1:4, 3, 4, 5] = torch.tensor([0.5, -0.25, 0.0])
    output[4, 3, 4, 5] = math.log(2.0)
    peaks = find_peaks(output, torch.ones(8, 8, 8, dtype=torch.bool), 0.1, 10)
    torch.testing.assert_close(peaks, torch.tensor([[0.9, 7.5, 8.0, 10.5, 16.0]]))


def test_peaks_lie_where_allowed_and_the_best_come_first():
    output = torch.zeros(5, 8, 8, 8)
    for cell, probability in ((1, 0.3), (3, 0.9), (5, 0.5), (7, 0.7)):
        output[0, cell, cell, cell] = probability
    allowed = torch.ones(8, 8, 8, dtype=torch.bool)
    allowed[3] = False
    probabilities = find_peaks(output, allowed, 0.1, 2)[:, 0]
    torch.testing.assert_close(probabilities, torch.tensor([0.7, 0.5]))


def test_wild_diameters_of_an_untrained_network_stay_finite():
    output = torch.full((5, 4, 4, 4), 1e6)
    assert torch.isfinite(find_peaks(output, torch.ones(4, 4, 4, dtype=torch.bool), 0.1, 5)).all()
