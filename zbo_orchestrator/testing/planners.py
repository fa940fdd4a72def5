"""The contract of planners, and evidence to plan on."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import replace

import numpy as np

from zbo_orchestrator.model import Array, Budget, Evidence, Plan, Planner, Space, Status, Stop


def bowl(side: int = 12, hole: bool = True) -> Space:
    """A side x side grid over the unit square; with a hole, its lower left corner is infeasible."""
    axis = np.linspace(0, 1, side)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    margins = points.sum(1, keepdims=True) - (0.3 if hole else -1.0)
    return Space(np.zeros(2), np.ones(2), points, margins, ("corner",), (side, side))


def evidence_of(space: Space, rows: Array, total: int = 40) -> Evidence:
    """Evidence in which the candidates at `rows` were scored by a smooth function with its optimum at (0.7, 0.4)."""
    z = space.candidates[rows]
    y = np.exp(-8 * ((z - [0.7, 0.4][: z.shape[1]]) ** 2).sum(1))
    n = len(rows)
    status = np.full(n, Status.SCORED)
    return Evidence(space, z, y, np.full(n, np.nan), status, np.empty((0, z.shape[1])), n, budget=Budget(5, total))


class PlannerContract:
    """What every planner promises."""

    @abstractmethod
    def make(self) -> Planner: ...

    def evidence(self, count: int) -> Evidence:
        space = bowl()
        rows = np.random.default_rng(2).permutation(np.flatnonzero(space.feasible))[:count]
        return evidence_of(space, rows)

    def plan(self, evidence: Evidence, n: int = 1) -> Plan:
        plan = self.make().plan(evidence, n)
        assert isinstance(plan, Plan), f"stopped early: {plan}"
        return plan

    def test_the_same_evidence_gives_the_same_plan(self) -> None:
        for count in (0, 12):
            one, other = (self.plan(self.evidence(count), 2) for _ in range(2))
            assert np.array_equal(one.z, other.z)
            assert one.reasons == other.reasons
            assert json.dumps(one.memory) == json.dumps(other.memory)

    def test_asks_for_at_most_n_feasible_points_that_are_new_and_differ(self) -> None:
        for count in (0, 12):
            evidence = self.evidence(count)
            plan = self.plan(evidence, 4)
            allowed = {tuple(z) for z in evidence.space.candidates[evidence.space.feasible]}
            asked = [tuple(z) for z in plan.z]
            assert 1 <= len(asked) <= 4
            assert len(set(asked)) == len(asked)
            assert set(asked) <= allowed - {tuple(z) for z in evidence.z}

    def test_leaves_pending_points_alone(self) -> None:
        evidence = self.evidence(12)
        first = self.plan(evidence)
        later = self.plan(replace(evidence, pending=first.z, proposed=evidence.proposed + 1, memory=first.memory))
        assert tuple(later.z[0]) != tuple(first.z[0])

    def test_gives_reasons_in_words_and_a_memory_that_json_keeps(self) -> None:
        plan = self.plan(self.evidence(12))
        assert all(len(reason.split()) > 2 for reason in plan.reasons)
        assert json.loads(json.dumps(plan.memory)) == plan.memory

    def test_stops_when_the_budget_is_spent(self) -> None:
        evidence = replace(self.evidence(12), budget=Budget(5, 12))
        stop = self.make().plan(evidence, 1)
        assert isinstance(stop, Stop)
        assert stop.reason
