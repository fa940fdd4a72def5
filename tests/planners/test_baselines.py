"""Baselines: every feasible point once, by the same rules of stopping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import campaign, empty, grid, ring, sampled

from zbo_orchestrator.model import Budget, Goal, Plan, Planner, Stop
from zbo_orchestrator.planners.baselines import Random, Sobol
from zbo_orchestrator.testing import PlannerContract


class TestRandomKeepsTheContract(PlannerContract):
    def make(self) -> Random:
        return Random()


class TestSobolKeepsTheContract(PlannerContract):
    def make(self) -> Sobol:
        return Sobol()


@pytest.mark.parametrize("planner", [Random(1), Sobol(1)])
def test_goes_through_every_feasible_point_once(planner: Planner) -> None:
    space = grid(8, 8, feasible=ring)
    *_, (evidence, stop) = campaign(planner, empty(space, total=999), batch=7)
    assert isinstance(stop, Stop)
    assert stop.reason.startswith("exhausted")
    assert sorted(map(tuple, evidence.z)) == sorted(map(tuple, space.candidates[space.feasible]))


@pytest.mark.parametrize("planner", [Random(), Sobol()])
def test_stops_as_the_agent_does(planner: Planner) -> None:
    evidence = sampled(grid(9, 9), 12)
    stops = [
        replace(evidence, budget=Budget(5, 12)),
        replace(evidence, goal=Goal(target=float(evidence.y.max()))),
        replace(evidence, budget=Budget(5, 99, 1.0), elapsed=2.0),
    ]
    for met, word in zip(stops, ("budget", "target", "time"), strict=True):
        stop = planner.plan(met, 1)
        assert isinstance(stop, Stop)
        assert stop.reason.startswith(word)


def test_seeds_differ() -> None:
    evidence = empty(grid(9, 9))
    for kind in (Random, Sobol):
        plans = [kind(seed).plan(evidence, 5) for seed in (0, 0, 1)]
        assert all(isinstance(plan, Plan) for plan in plans)
        z = [plan.z for plan in plans if isinstance(plan, Plan)]
        assert np.array_equal(z[0], z[1])
        assert not np.array_equal(z[0], z[2])


def test_asking_for_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="asked for 0 points"):
        Random().plan(empty(grid(3, 3)), 0)
