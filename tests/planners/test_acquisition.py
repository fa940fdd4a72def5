"""Acquisitions against their closed forms in 60 digits, and against Monte Carlo."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbo_orchestrator.planners.acquisition import acquire, ei, log_ei, log_h, pi, ucb, weigh

FAR = [-1e8, -1e5, -3e3, -101.0, -100.0, -99.9, -37.5, -12.0, -5.0, -1.0001, -1.0, -0.99, 0.0, 0.5, 3.0, 9.0, 40.0, 1e6]


def exact_log_h(u: float) -> float:
    """log(φ(u) + u·Φ(u)), with digits enough for what cancels: φ and uΦ agree to 1/u² in the tail."""
    with mpmath.workdps(60):
        x = mpmath.mpf(u)
        if u < -50:  # mpmath's own Φ is a continued fraction of the same quantity there
            mills = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(x**2 / 2) * mpmath.erfc(-x / mpmath.sqrt(2))
            return float(-(x**2) / 2 - mpmath.log(2 * mpmath.pi) / 2 + mpmath.log(1 + x * mills))
        return float(mpmath.log(mpmath.npdf(x) + x * mpmath.ncdf(x)))


@pytest.mark.parametrize("u", [u for u in FAR if u > -4e3])
def test_log_h_agrees_with_sixty_digits(u: float) -> None:
    assert log_h(np.array([u]))[0] == pytest.approx(exact_log_h(u), rel=1e-11, abs=1e-11)


def test_log_h_is_finite_and_rises_over_the_whole_axis() -> None:
    u = np.sort(np.concatenate([FAR, -np.logspace(9, -9, 4001), np.logspace(-9, 9, 4001)]))
    value = log_h(u)
    assert np.isfinite(value).all()
    assert (np.diff(value) >= -1e-12 * np.abs(value[1:])).all()


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.0, 1.0, 0.5), (2.0, 0.3, 1.0), (-1.0, 2.0, 3.0)])
def test_ei_and_pi_agree_with_monte_carlo(mean: float, deviation: float, best: float) -> None:
    draws = np.random.default_rng(0).normal(mean, deviation, 400_000)
    gains = np.maximum(draws - best, 0.0)
    error = gains.std() / np.sqrt(len(draws))
    arrays = np.array([mean]), np.array([deviation])
    assert ei(*arrays, best)[0] == pytest.approx(gains.mean(), abs=5 * error)
    assert pi(*arrays, best)[0] == pytest.approx((draws > best).mean(), abs=5 * 0.5 / np.sqrt(len(draws)))


def test_ei_in_the_far_tail_agrees_with_importance_sampling() -> None:
    """30 deviations below the best: the plain estimate would be 0, one centred on the best is not."""
    mean, deviation, best = -27.0, 1.0, 3.0
    excess = np.random.default_rng(1).exponential(1 / 30.0, 400_000)
    # p(best + t) / q(t), with φ(30) taken out of both.
    weight = np.exp(-0.5 * excess**2) / 30.0
    estimate = np.log((excess * weight).mean()) - 0.5 * 900 - 0.5 * np.log(2 * np.pi)
    assert log_ei(np.array([mean]), np.array([deviation]), best)[0] == pytest.approx(estimate, abs=0.02)
    assert ei(np.array([mean * 3]), np.array([deviation]), best)[0] == 0.0


@given(st.floats(-50, 50), st.floats(1e-6, 50), st.floats(-50, 50), st.floats(0, 5))
def test_log_ei_is_the_logarithm_of_ei_and_xi_moves_the_best(mean: float, dev: float, best: float, xi: float) -> None:
    m, s = np.array([mean]), np.array([dev])
    assert np.array_equal(log_ei(m, s, best, xi), log_ei(m, s, best + xi)) or np.allclose(
        log_ei(m, s, best, xi), log_ei(m, s, best + xi), rtol=1e-6
    )
    assert ei(m, s, best)[0] >= max(mean - best, 0.0) * (1 - 1e-9)
    assert np.isfinite(log_ei(m, s, best)[0])


def test_without_deviation_only_the_mean_counts() -> None:
    mean = np.array([1.0, 3.0])
    assert np.allclose(ei(mean, np.zeros(2), 2.0), [0.0, 1.0])
    assert np.allclose(pi(mean, np.zeros(2), 2.0), [0.0, 1.0])


def test_names_and_parameters_reach_the_formulas() -> None:
    mean, deviation = np.array([0.0, 1.0]), np.array([1.0, 0.2])
    assert np.array_equal(acquire("ucb", mean, deviation, 0.0, factor=10.0), [10.0, 3.0])
    assert np.array_equal(ucb(mean, deviation, 10.0), [10.0, 3.0])
    assert np.array_equal(acquire("mean", mean, deviation, 0.0), mean)
    assert np.array_equal(acquire("ei", mean, deviation, 0.5, xi=0.1), ei(mean, deviation, 0.6))
    assert np.array_equal(acquire("pi", mean, deviation, 0.5), pi(mean, deviation, 0.5))
    with pytest.raises(ValueError, match="'thompson'"):
        acquire("thompson", mean, deviation, 0.0)


def test_success_multiplies_improvements() -> None:
    value, chance = np.array([0.2, 0.3]), np.array([0.9, 0.4])
    assert np.array_equal(weigh("ei", value, chance, 0.0), value * chance)
    assert np.array_equal(weigh("pi", value, chance, 0.0), value * chance)
    assert np.allclose(weigh("log-ei", np.log(value), chance, 0.0), np.log(value * chance))
    assert np.array_equal(weigh("ucb", -value, chance, 0.0), -value)


def test_caution_confines_every_kind_to_what_probably_succeeds_or_to_the_likeliest() -> None:
    value, chance = np.array([0.2, 0.3, 0.1]), np.array([0.9, 0.4, 0.85])
    assert np.array_equal(weigh("ucb", value, chance, 0.7), [0.2, -np.inf, 0.1])
    assert np.array_equal(weigh("mean", value, chance / 10, 0.7), [0.2, -np.inf, 0.1])
    assert weigh("log-ei", value, chance, 0.7)[1] == -np.inf
