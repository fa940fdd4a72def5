"""Beyond a thousand trials: neighbourhoods against the exact posterior, and what a plan says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree
from worlds import empty, grid, sampled, scattered, told, waves

from zbo_orchestrator.model import Array, Evidence, Plan, Status
from zbo_orchestrator.planners.acquisition import log_ei
from zbo_orchestrator.planners.agent import Agent
from zbo_orchestrator.planners.candidates import distance, unit
from zbo_orchestrator.planners.local import TILE, LocalBelief, _tilings, correlation
from zbo_orchestrator.planners.surrogate import Belief, Hyperparameters, Kernel, Surrogate

VALUES = Hyperparameters((0.3, 0.5), 0.02, 0.1)
POINTS = np.random.default_rng(0).uniform(0, 1, (300, 2))


def trials(count: int, *, clustered: bool = False, noise: float = 0.0) -> tuple[Array, Array, Array]:
    """x, standardised y and noise variances that are not known."""
    rng = np.random.default_rng(count)
    x = rng.uniform(0, 1, (count, 2))
    if clustered:
        x[::2] = np.clip([0.5, 0.4] + 0.06 * rng.standard_normal((len(x[::2]), 2)), 0, 1)
    y = waves(5 * x - 2) + noise * rng.standard_normal(count)
    return x, (y - y.mean()) / y.std(), np.full(count, np.nan)


def many(count: int = 1100, *, failed: int = 0) -> Evidence:
    """Trials between the points of a small grid, all of it certified; the last ones failed."""
    space = grid(15, 15, certify=lambda z: np.ones((len(z), 1)))
    z = np.random.default_rng(5).uniform(-2, 3, (count, 2))
    status = np.where(np.arange(count) < count - failed, Status.SCORED, Status.FAILED)
    return told(empty(space, total=10**6), z, waves(z), status)


def asked(evidence: Evidence, n: int = 1, **options: object) -> Plan:
    plan = Agent(patience=0, **options).plan(evidence, n)  # type: ignore[arg-type]
    assert isinstance(plan, Plan), plan
    return plan


# --- against the exact posterior ------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["matern-3/2", "matern-5/2", "rbf"])
def test_correlations_are_gpytorchs(kernel: Kernel) -> None:
    a, b = torch.tensor(POINTS[:20]), torch.tensor(POINTS[20:50])
    lengths = torch.tensor(VALUES.lengthscales, dtype=torch.float64)
    wanted = Surrogate(kernel, 2).take(VALUES).covariance(a, b).detach()
    assert torch.allclose(correlation(kernel, a / lengths, b / lengths), wanted, atol=1e-12)


@pytest.mark.parametrize("kernel", ["matern-3/2", "matern-5/2", "rbf"])
def test_where_all_trials_are_near_it_is_exact(kernel: Kernel) -> None:
    data = (*trials(60), kernel, replace(VALUES, noise=1e-4, scale=1.7))
    local, exact = LocalBelief(*data).at(POINTS), Belief(*data).at(POINTS)
    assert np.allclose(local.mean, exact.mean, atol=1e-5)
    assert np.allclose(local.variance, exact.variance, atol=1e-8)
    narrowed, wanted = local.expecting(3).expecting(70), exact.expecting(3).expecting(70)
    assert np.array_equal(narrowed.mean, local.mean)
    assert np.allclose(narrowed.variance, wanted.variance, atol=1e-6)
    expected = LocalBelief(*data).expecting(POINTS[[3, 70]]).at(POINTS)
    assert np.allclose(expected.variance, wanted.variance, atol=1e-6)


@pytest.mark.parametrize(
    ("clustered", "noise", "lengths"),
    [(False, 1e-4, (0.07, 0.06)), (True, 1e-4, (0.38, 0.32)), (False, 0.16, (0.2, 0.2)), (True, 0.2, (0.25, 0.2))],
)
def test_a_thousand_trials_are_judged_as_the_exact_posterior_does(
    clustered: bool, noise: float, lengths: tuple[float, float]
) -> None:
    x, y, known = trials(1000, clustered=clustered, noise=np.sqrt(noise))
    belief = Hyperparameters(lengths, noise)
    points = unit(grid(40, 40), grid(40, 40).candidates)
    exact, local = (kind(x, y, known, "matern-5/2", belief).at(points) for kind in (Belief, LocalBelief))
    spread = exact.deviation.mean()
    assert np.sqrt(np.square(local.mean - exact.mean).mean()) < 0.15 * spread
    assert np.sqrt(np.square(local.deviation - exact.deviation).mean()) < 0.03 * spread
    best = float(exact.mean.max())
    worth = log_ei(exact.mean, exact.deviation, best)
    choice = int(log_ei(local.mean, local.deviation, float(local.mean.max())).argmax())
    assert worth[choice] > worth.max() + np.log(0.9)


def test_trials_at_one_point_count_as_one_with_less_noise() -> None:
    x = unit(grid(8, 5), grid(8, 5).candidates)
    y = waves(5 * x - 2)
    x, y = np.repeat(x, 8, axis=0), np.repeat(y, 8) + np.tile([1, -1, 0.5, -0.5, 0.2, -0.2, 0.9, -0.9], 40)
    known = np.where(np.arange(320) % 3, 0.5, 0.2)
    data = (x, y, known, "matern-5/2", VALUES)
    local, exact = LocalBelief(*data), Belief(*data)  # type: ignore[arg-type]
    assert local.neighbours == 40
    assert np.allclose(local.at(POINTS).mean, exact.at(POINTS).mean, atol=1e-9)
    assert np.allclose(local.at(POINTS).variance, exact.at(POINTS).variance, atol=1e-9)


def test_draws_have_the_posteriors_moments_and_their_seed_decides_them() -> None:
    belief = LocalBelief(*trials(400), "matern-5/2", VALUES)
    draws = belief.draws(POINTS, 2000, np.random.default_rng(0), features=2048)
    posterior = belief.at(POINTS)
    assert np.allclose(draws.mean(axis=0), posterior.mean, atol=0.05)
    assert np.allclose(draws.std(axis=0), posterior.deviation, atol=0.05)
    assert np.array_equal(draws, belief.draws(POINTS, 2000, np.random.default_rng(0), features=2048))


@given(st.integers(1, 400), st.integers(1, 3), st.booleans(), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_every_point_is_in_one_small_tile_amid_its_trials(count: int, d: int, coinciding: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, known = rng.uniform(0, 1, (count, d)) ** 3, rng.uniform(0, 1, (200, d))
    if coinciding:
        points[::2] = points[0]
    seen: list[int] = []
    for tiles, near in _tilings(points, KDTree(known), 20):
        for tile, trial in zip(tiles, near, strict=True):
            members = np.unique(tile)
            seen += members.tolist()
            assert len(members) <= TILE
            if len(members) > 1:
                middle = (points[members].max(axis=0) + points[members].min(axis=0)) / 2
                reach = np.linalg.norm(known[trial] - middle, axis=1).max()
                assert (np.linalg.norm(points[members] - middle, axis=1) <= reach / 2 + 1e-12).all()
    assert sorted(seen) == list(range(count))


# --- in a plan ------------------------------------------------------------------------------------


def test_a_plan_says_where_neighbourhoods_took_over() -> None:
    assert asked(many(1001)).reasons[0].endswith("; judged by the 192 nearest of 1,001 trials")
    assert "judged" not in asked(sampled(grid(20, 20), 60, total=99)).reasons[0]


@pytest.mark.parametrize("acquisition", ["log-ei", "thompson"])
def test_a_plan_by_neighbourhoods_is_pure_and_asks_new_points_apart(acquisition: str) -> None:
    evidence = many()
    one, other = (asked(evidence, 3, acquisition=acquisition) for _ in range(2))
    assert np.array_equal(one.z, other.z)
    assert all(np.array_equal(one.maps[name], other.maps[name]) for name in one.maps)
    points = unit(evidence.space, one.z)
    assert (distance(points, unit(evidence.space, evidence.z)) > 1e-9).all()
    apart = np.linalg.norm(points[:, None] - points, axis=-1)[~np.eye(3, dtype=bool)]
    assert apart.min() >= 0.05 or "relaxed" in one.reasons[-1]


def test_pending_and_failed_points_narrow_deviations_and_leave_means() -> None:
    evidence = many()
    waiting = replace(evidence, pending=np.array([[0.5, 0.5]]), proposed=evidence.proposed + 1)
    before, after = asked(evidence).maps, asked(waiting).maps
    index = int(np.linalg.norm(evidence.space.candidates - 0.5, axis=1).argmin())
    assert np.allclose(before["mean"], after["mean"], atol=1e-3)
    assert after["deviation"][index] < before["deviation"][index]
    assert "nearest of 1,100 trials" in asked(many(failed=600)).reasons[0]


def test_four_dimensions_are_no_obstacle() -> None:
    space = scattered(4, 1400)
    rows = np.random.default_rng(0).permutation(1400)[:1050]
    known = told(empty(space, total=10**6), space.candidates[rows], waves(space.candidates[rows]))
    maps = asked(known).maps
    truth = waves(space.candidates)
    assert np.abs(maps["mean"] - truth)[np.setdiff1d(np.arange(1400), rows)].mean() < 0.3 * truth.std()
