"""What paired scores say: spreads, intervals, and who stands where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from zbo_orchestrator.comparison.statistics import difference, differences, spread
from zbo_orchestrator.model import Array, Goal

SCORES = arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 8)), elements=st.integers(-50, 50).map(float))


def test_the_spread_is_the_best_founds_and_the_range_is_over_means() -> None:
    seen = spread(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [4.0, 4.0, 4.0]]))
    assert seen.deviation == 1.0
    assert seen.range == 18.0
    assert not seen.drowned


def test_seeds_that_move_the_score_more_than_schedules_do_drown_them() -> None:
    assert spread(np.array([[-3.0, 3.0, 0.0], [-2.0, 2.0, 1.0]])).drowned


def test_equal_schedules_are_drowned_even_without_any_spread() -> None:
    equal = spread(np.zeros((3, 4)))
    assert equal.drowned
    assert equal.p == 1.0


@pytest.mark.parametrize("values", [np.full((2, 3), np.nan), np.array([[np.nan, 1.0], [2.0, 3.0]])])
def test_what_cannot_be_known_drowns_the_comparison(values: Array) -> None:
    assert spread(values).drowned


def test_an_arm_that_always_fails_leaves_the_others_their_test() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0], [np.nan] * 4, [-1.0, 0.0, 1.0, 2.0]])
    seen = spread(values)
    assert seen.seeds == 4
    assert seen.p == pytest.approx(stats.friedmanchisquare(values[0], values[1], values[3]).pvalue)


def test_seeds_under_which_an_arm_failed_are_left_out_of_its_pairs_alone() -> None:
    found, one, other = np.array([[1.0, 2.0, 3.0, 9.0], [0.0, 1.0, 2.0, np.nan], [0.0, 1.0, 2.0, 5.0]])
    assert difference("one", one, found).seeds == 3
    assert difference("one", one, found).mean == -1.0
    assert difference("other", other, found).mean == -1.75


@settings(max_examples=40, deadline=None)
@given(SCORES, st.integers(0, 2**32 - 1))
def test_what_a_seed_does_to_every_arm_alike_cancels(values: Array, seed: int) -> None:
    shifted = values + np.random.default_rng(seed).integers(-1000, 1000, values.shape[1])
    names = [str(arm) for arm in range(len(values))]
    for one, other in zip(differences(names, values), differences(names, shifted), strict=True):
        assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(SCORES)
def test_the_interval_is_students(values: Array) -> None:
    apart, pairs = difference("arm", values[1], values[0]), values[1] - values[0]
    if np.ptp(pairs) > 0:
        wanted = stats.ttest_1samp(pairs, 0.0).confidence_interval(0.95)
        assert (apart.low, apart.high) == pytest.approx((wanted.low, wanted.high))
    else:
        assert apart.low == apart.mean == apart.high


def test_nineteen_of_twenty_intervals_hold_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        found = rng.normal(0, 5, 8)
        apart = difference("arm", found + 0.3 + rng.normal(0, 1, 8), found)
        held += apart.low <= 0.3 <= apart.high
    assert 370 <= held <= 390


def test_who_is_better_depends_on_the_goal_and_not_on_the_mean_alone() -> None:
    found = np.arange(5.0)
    higher = difference("higher", found + np.array([2.0, 2.1, 1.9, 2.0, 2.0]), found)
    unclear = difference("unclear", found + np.array([9.0, -8.0, 3.0, -2.0, 4.0]), found)
    assert [higher.standing(Goal()), higher.standing(Goal(maximize=False))] == [-1, 1]
    assert unclear.mean > 0
    assert unclear.standing(Goal()) == unclear.standing(Goal(maximize=False)) == 0


def test_one_pair_is_no_interval() -> None:
    apart = difference("arm", np.array([1.0, np.nan]), np.array([3.0, 4.0]))
    assert apart.mean == -2.0
    assert np.isnan(apart.low)
    assert apart.standing(Goal()) == 0
