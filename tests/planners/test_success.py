"""The probability of success, and what it saves."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import campaign, empty, grid, sampled, told, waves

from zbo_orchestrator.model import Array, Status, Stop
from zbo_orchestrator.planners.acquisition import Acquisition
from zbo_orchestrator.planners.agent import Agent
from zbo_orchestrator.planners.baselines import Random
from zbo_orchestrator.planners.success import ROWS, WHOLE, learnt

POINTS = np.random.default_rng(0).uniform(0, 1, (500, 2))


def test_without_failures_success_is_certain() -> None:
    assert np.array_equal(learnt(POINTS[:9], np.zeros(9, bool)).at(POINTS), np.ones(500))


def test_a_half_plane_is_learnt() -> None:
    x = np.random.default_rng(1).uniform(0, 1, (40, 2))
    chance = learnt(x, x[:, 0] > 0.5).at(POINTS)
    assert (chance[POINTS[:, 0] > 0.7] < 0.25).all()
    assert (chance[POINTS[:, 0] < 0.3] > 0.75).all()


def test_one_failure_lowers_its_neighbourhood_and_little_else() -> None:
    x = np.random.default_rng(2).uniform(0, 1, (30, 2))
    chance = learnt(x, np.arange(30) == 7).at(np.concatenate([x[[7]], POINTS]))
    assert chance[0] < np.median(chance) - 0.05
    assert np.median(chance) > 0.85


def test_everything_failing_is_survived_and_many_rows_are_thinned() -> None:
    assert (learnt(POINTS[:6], np.ones(6, bool)).at(POINTS) < 0.5).all()
    x = np.random.default_rng(3).uniform(0, 1, (3 * ROWS, 2))
    chance = learnt(x, x[:, 1] > 0.3).at(POINTS)
    assert (chance[POINTS[:, 1] > 0.4] < 0.2).all()


def half(z: Array) -> tuple[float, Status]:
    """The right half, where the scores are highest, always fails."""
    failed = z[0] > 0.5
    return float(waves(z[None])[0] + z[0]), Status.FAILED if failed else Status.SCORED


def failures(planner: object) -> float:
    """The share of failed trials among the 20 after the first 20."""
    evidence = empty(grid(25, 25), initial=20, total=40)
    *_, (last, stop) = campaign(planner, evidence, half)  # type: ignore[arg-type]
    assert isinstance(stop, Stop)
    return float(np.mean(last.status[20:] == Status.FAILED))


@pytest.mark.parametrize("acquisition", ["log-ei", "ucb"])
def test_a_failing_half_plane_is_left_alone(acquisition: Acquisition) -> None:
    assert failures(Agent(acquisition, patience=0)) <= 0.2
    assert failures(Random()) > 0.3


@pytest.mark.parametrize("status", [Status.TRANSIENT, Status.INTERRUPTED, Status.REFUSED])
def test_only_plain_failures_speak_of_the_point(status: Status) -> None:
    space = grid(20, 20)
    rows = np.random.default_rng(0).permutation(400)[:14]
    z, y = space.candidates[rows], waves(space.candidates[rows])
    known = told(empty(space), z[:12], y[:12])
    silent = told(known, z[12:], y[12:], np.array([status, status]))
    failed = told(known, z[12:], y[12:], np.array([Status.FAILED, Status.FAILED]))
    maps = [Agent(refine=0).plan(evidence, 1).maps for evidence in (known, silent, failed)]  # type: ignore[union-attr]
    assert np.array_equal(maps[0]["acquisition"], maps[1]["acquisition"])
    assert maps[2]["acquisition"][rows[12]] < maps[0]["acquisition"][rows[12]] - 0.1
    assert np.allclose(maps[0]["mean"], maps[2]["mean"], atol=1e-9)


def test_a_stopped_trial_is_no_score_and_no_failure_but_is_not_asked_about_again_soon() -> None:
    space = grid(20, 20)
    rows = np.random.default_rng(0).permutation(400)[:14]
    z, y = space.candidates[rows], waves(space.candidates[rows])
    known = told(empty(space), z[:12], y[:12])
    stopped = told(known, z[12:], y[12:], np.array([Status.STOPPED, Status.STOPPED]))
    before, after = (Agent("ei", refine=0).plan(evidence, 1) for evidence in (known, stopped))
    assert np.allclose(before.maps["mean"], after.maps["mean"], atol=1e-9)  # type: ignore[union-attr]
    assert after.maps["deviation"][rows[12]] < 0.5 * before.maps["deviation"][rows[12]]  # type: ignore[union-attr]
    assert "succeeds with" not in after.reasons[0]  # type: ignore[union-attr]


@pytest.mark.parametrize("repeats", [False, True])
def test_a_hopeless_corner_is_not_asked_about_from_one_neighbour_to_the_next(repeats: bool) -> None:
    def hopeless(z: Array) -> tuple[float, Status]:
        value = float(waves(z[None])[0])
        return value, Status.STOPPED if value < -0.5 else Status.SCORED

    space = grid(25, 25)
    *_, (last, _) = campaign(Agent(repeats=repeats, patience=0), sampled(space, 10, initial=10, total=30), hopeless)
    stopped = last.z[last.status == Status.STOPPED]
    assert len(stopped) <= 8
    assert len({tuple(z) for z in stopped}) == len(stopped)


def test_many_trials_are_judged_in_blocks_to_the_same_effect() -> None:
    x = np.random.default_rng(4).uniform(0, 1, (WHOLE + 1, 2))
    points = np.random.default_rng(5).uniform(0, 1, (3000, 2))
    failed = x[:, 0] > 0.6
    assert np.allclose(learnt(x, failed).at(points)[:500], learnt(x, failed).at(points[:500]), atol=1e-12)
