import numpy as np
import pytest
from scipy.stats import ks_2samp

from medpipe.schedule.looking.drift import Profile, compare, psi, psi_of_numbers


def profile(unit="scans", hu=None, **numbers):
    return Profile(unit, {name: list(map(float, values)) for name, values in numbers.items()}, {"hu": hu or []})


def normal(n, mean=0.0, seed=0):
    return np.random.default_rng(seed).normal(mean, 1.0, n)


def test_psi_of_two_bins_by_hand():
    # (0.7 - 0.5) ln(0.7 / 0.5) + (0.3 - 0.5) ln(0.3 / 0.5)
    assert psi([1, 1], [7, 3]) == pytest.approx(0.2 * np.log(1.4) - 0.2 * np.log(0.6))


def test_psi_of_normal_distributions_is_near_its_closed_form():
    # Two normal distributions of variance 1: the symmetrised Kullback-Leibler divergence is the squared distance of the
    # means; ten bins lose a little of it.
    found = psi_of_numbers(normal(200_000), normal(200_000, mean=0.5, seed=1))
    assert 0.22 < found < 0.25


@pytest.mark.parametrize("now", [[1.0] * 20, [1.5] * 20])
def test_a_value_that_all_share_has_a_bin_of_its_own(now):
    assert psi_of_numbers(np.full(30, 1.25), np.array(now)) > 2
    assert psi_of_numbers(np.full(30, 1.25), np.full(20, 1.25)) == pytest.approx(0, abs=0.01)


def test_a_shift_is_found_and_ks_is_scipy_s():
    reference, now = normal(60), normal(40, mean=1.5, seed=1)
    (found,) = compare(profile(spacing=reference), profile(spacing=now))
    assert found.above(0.2)
    assert found.ks == pytest.approx(ks_2samp(reference, now).statistic)
    assert (found.n_reference, found.n) == (60, 40)


def test_small_samples_of_the_same_raise_hardly_any_alarm():
    alarms, sizes = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        then, now = ({name: rng.normal(size=n) for name in "abc"} for n in (30, 12))
        found = compare(profile(**then), profile(**now), seed)
        alarms += any(drift.above(0.2) for drift in found)
        sizes.append(found[0].psi)
    assert np.mean(np.array(sizes) > 0.2) > 0.9  # by its size alone nearly every one would be
    assert alarms <= 8  # 5 % of 60 are 3; more than 8 has a chance of 0.2 %


def test_histograms_are_compared_scan_by_scan():
    rng = np.random.default_rng(0)
    then, same = ([list(rng.dirichlet([50, 30, 20])) for _ in range(20)] for _ in range(2))
    other = [list(rng.dirichlet([20, 30, 50])) for _ in range(20)]
    assert not compare(profile(hu=then), profile(hu=same))[0].above(0.1)
    assert compare(profile(hu=then), profile(hu=other))[0].above(0.1)


def test_the_largest_shift_comes_first_and_what_one_side_lacks_is_left_out():
    then = profile(still=normal(50), moved=normal(50), gone=normal(5))
    now = profile(still=normal(50, seed=1), moved=normal(50, 3, seed=2), new=normal(5), gone=[])
    assert [drift.feature for drift in compare(then, now)] == ["moved", "still"]


def test_a_profile_comes_back_from_its_text():
    one = profile(hu=[[0.5, 0.5]], spacing=[1.25, 2.5])
    assert Profile.from_json(one.to_json()) == one


def test_the_same_samples_give_the_same_answer():
    then, now = profile(a=normal(30)), profile(a=normal(20, seed=3))
    assert compare(then, now) == compare(then, now)
