"""The agent: what it asks, when it stops, what it says, and that evidence alone decides."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import campaign, empty, grid, ring, sampled, scattered, told, waves

from zbo_orchestrator.model import Array, Evidence, Goal, Plan, Space, Status, Stop
from zbo_orchestrator.planners.acquisition import ACQUISITIONS, Acquisition
from zbo_orchestrator.planners.agent import Agent, AsPublished
from zbo_orchestrator.planners.candidates import Design, distance, unit
from zbo_orchestrator.testing import PlannerContract


class TestAgentKeepsTheContract(PlannerContract):
    def make(self) -> Agent:
        return Agent()


class TestAsPublishedKeepsTheContract(PlannerContract):
    def make(self) -> AsPublished:
        return AsPublished(steps=20)


def asked(planner: Agent | AsPublished, evidence: Evidence, n: int = 1) -> Plan:
    plan = planner.plan(evidence, n)
    assert isinstance(plan, Plan), plan
    return plan


def everything(z: Array) -> Array:
    """A certificate that every point holds."""
    return np.ones((len(z), 1))


# --- invariants -----------------------------------------------------------------------------------

SPACES = {"1d": grid(60), "ring": grid(14, 14, feasible=ring), "refined": grid(6, 6, certify=everything)}
SPACES["4d"] = scattered(4, 150, certify=everything)


@given(
    st.sampled_from(sorted(SPACES)),
    st.sampled_from(ACQUISITIONS),
    st.sampled_from(["sobol", "maximin", "random"]),
    st.tuples(st.integers(0, 99), st.integers(1, 5)),
    st.lists(st.sampled_from(list(Status)), min_size=4, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_asks_only_feasible_new_points_within_the_budget(
    name: str, acquisition: Acquisition, design: Design, at: tuple[int, int], fates: list[Status]
) -> None:
    space, turn, (seed, batch) = SPACES[name], iter(range(10**6)), at

    def outcome(z: Array) -> tuple[float, Status]:
        number = next(turn)
        return float(waves(z[None])[0]), fates[number % 4] if number > 3 else Status.SCORED

    planner = Agent(acquisition, design=design, seed=seed)
    for evidence, plan in campaign(planner, empty(space, initial=4, total=11), outcome, batch=batch):
        if isinstance(plan, Stop):
            assert evidence.proposed == 11 or not plan.reason.startswith("budget")
            continue
        assert len(plan.z) <= min(batch, 11 - evidence.proposed)
        assert ((plan.z >= space.lower) & (plan.z <= space.upper)).all()
        assert (distance(unit(space, plan.z), unit(space, evidence.z)) > 1e-9).all()
        assert len({tuple(z) for z in plan.z}) == len(plan.z)
        if space.certify is None:
            assert {tuple(z) for z in plan.z} <= {tuple(z) for z in space.candidates[space.feasible]}


def test_a_small_space_is_used_up_to_the_last_point_and_no_further() -> None:
    space = grid(5, 5, feasible=ring)
    *_, (evidence, stop) = campaign(Agent(patience=0), empty(space, initial=4, total=99), batch=2)
    assert isinstance(stop, Stop)
    assert stop.reason.startswith("exhausted")
    assert len({tuple(z) for z in evidence.z}) == len(evidence.z) == space.feasible.sum()


def test_a_space_that_can_be_refined_does_not_run_out() -> None:
    space = grid(3, 3, certify=everything)
    *_, (evidence, stop) = campaign(Agent(patience=0), empty(space, initial=4, total=20))
    assert isinstance(stop, Stop)
    assert stop.reason.startswith("budget")
    assert len({tuple(z) for z in evidence.z}) == 20
    assert evidence.y.max() > waves(space.candidates).max()


def test_finer_points_must_be_certified() -> None:
    def certify(z: Array) -> Array:
        return np.where(z[:, :1] < 0, 1.0, -1.0)

    space = grid(4, 4, certify=certify)
    candidates = {tuple(z) for z in space.candidates}
    *_, (evidence, _) = campaign(Agent(patience=0), empty(space, initial=4, total=25))
    finer = np.array([z for z in evidence.z if tuple(z) not in candidates])
    assert len(finer) >= 9
    assert (finer[:, 0] < 0).all()


# --- purity ---------------------------------------------------------------------------------------

FRESH = """
import json, sys
sys.path.insert(0, {path!r})
from worlds import grid, sampled
from zbo_orchestrator.planners.agent import Agent
plan = Agent({acquisition!r}, seed=3).plan(sampled(grid(20, 20), 25), 2)
print(json.dumps([plan.z.tolist(), list(plan.reasons), plan.maps["mean"].tolist(), plan.memory]))
"""


@pytest.mark.parametrize("acquisition", ["log-ei", "thompson"])
def test_a_fresh_process_gives_the_same_plan_bit_for_bit(acquisition: Acquisition) -> None:
    code = FRESH.format(path=str(__file__).rsplit("/", 1)[0], acquisition=acquisition)
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    agent = Agent(acquisition, seed=3)
    asked(agent, sampled(grid(9, 9), 12), 3)  # what was planned before must leave no trace
    plan = asked(agent, sampled(grid(20, 20), 25), 2)
    here = [plan.z.tolist(), list(plan.reasons), plan.maps["mean"].tolist(), plan.memory]
    assert json.loads(there.stdout) == json.loads(json.dumps(here))


def test_the_order_of_rows_does_not_matter() -> None:
    evidence = sampled(grid(20, 20), 30)
    order = np.random.default_rng(1).permutation(30)
    shuffled = replace(evidence, z=evidence.z[order], y=evidence.y[order])
    one, other = asked(Agent(), evidence), asked(Agent(), shuffled)
    assert np.allclose(one.maps["mean"], other.maps["mean"], atol=1e-3)
    assert np.array_equal(one.z, other.z)


def test_minimising_is_maximising_the_negated() -> None:
    evidence = sampled(grid(20, 20), 20)
    mirrored = replace(evidence, y=-evidence.y, goal=Goal(maximize=False))
    up, down = asked(Agent(), evidence, 3), asked(Agent(), mirrored, 3)
    assert np.array_equal(up.z, down.z)
    assert np.allclose(up.maps["mean"], -down.maps["mean"])
    assert np.array_equal(up.maps["deviation"], down.maps["deviation"])
    assert np.array_equal(up.maps["acquisition"], down.maps["acquisition"])


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e4)])
def test_the_unit_of_the_score_does_not_matter(scale: float, shift: float) -> None:
    evidence = sampled(grid(20, 20), 20)
    plan = asked(Agent(), evidence)
    scaled = asked(Agent(), replace(evidence, y=evidence.y * scale + shift))
    assert np.array_equal(plan.z, scaled.z)
    assert np.allclose(plan.maps["mean"] * scale + shift, scaled.maps["mean"], rtol=1e-3)


def test_equal_scores_are_no_obstacle() -> None:
    evidence = sampled(grid(20, 20), 8, f=lambda z: np.full(len(z), 7.0))
    assert np.isfinite(asked(Agent(), evidence, 3).maps["mean"]).all()


# --- maps, reasons, distances ---------------------------------------------------------------------


def test_maps_cover_the_feasible_candidates_in_the_scores_own_units() -> None:
    space = grid(20, 20, feasible=ring)
    evidence = sampled(space, 40, f=lambda z: 100 * waves(z) + 1000, total=99)
    maps = asked(Agent(), evidence).maps
    truth = 100 * waves(space.candidates) + 1000
    for values in maps.values():
        assert np.array_equal(np.isnan(values), ~space.feasible)
    inside = space.feasible
    assert np.abs(maps["mean"] - truth)[inside].mean() < 20
    assert np.mean(np.abs(maps["mean"] - truth)[inside] < 3 * maps["deviation"][inside] + 5) > 0.9


def test_reasons_say_what_was_expected_and_why() -> None:
    reason = asked(Agent(), sampled(grid(20, 20), 25)).reasons[0]
    assert reason.startswith(("explore:", "exploit:"))
    for words in ("predicted", "±", "where the best is", "expected improvement", "nearest trial"):
        assert words in reason
    first = asked(Agent(design="maximin"), empty(grid(9, 9)), 2).reasons
    assert first == ("initial maximin design, point 1", "initial maximin design, point 2")


def test_knowing_little_it_explores_and_greedy_it_exploits() -> None:
    evidence = sampled(grid(30, 30), 30)
    assert asked(Agent("ucb", factor=10.0), evidence).reasons[0].startswith("explore")
    assert asked(Agent("mean"), evidence).reasons[0].startswith("exploit")
    eager = asked(Agent("ucb", factor=10.0), evidence).z[0]
    greedy = asked(Agent("mean"), evidence).z[0]
    maps = asked(Agent("mean"), evidence).maps
    index = [int(np.flatnonzero((evidence.space.candidates == z).all(axis=1))[0]) for z in (eager, greedy)]
    assert maps["deviation"][index[0]] > maps["deviation"][index[1]]


@pytest.mark.parametrize("acquisition", ["log-ei", "ucb", "mean", "thompson"])
def test_points_of_a_batch_and_pending_ones_keep_their_distance(acquisition: Acquisition) -> None:
    space = grid(30, 30)
    evidence = sampled(space, 15)
    first = asked(Agent(acquisition), evidence).z
    waiting = replace(evidence, pending=first, proposed=16)
    plan = asked(Agent(acquisition, distance=0.2), waiting, 5)
    points = unit(space, np.concatenate([first, plan.z]))
    apart = np.linalg.norm(points[:, None] - points, axis=-1)[~np.eye(6, dtype=bool)]
    assert apart.min() >= 0.2
    assert not any("relaxed" in reason for reason in plan.reasons)


def test_a_distance_that_cannot_be_kept_is_relaxed_and_the_reason_says_so() -> None:
    space = grid(7, 7)
    plan = asked(Agent(distance=0.9), sampled(space, 10), 6)
    assert len(plan.z) == 6
    assert "distance within the batch relaxed from 0.9 to 0.45" in plan.reasons[-1]


@given(st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_points_of_a_batch_lie_a_length_scale_apart_along_each_axis(seed: int) -> None:
    def stripes(z: Array) -> Array:  # change nine times as fast along the second axis
        return np.sin(0.5 * z[:, 0]) + np.sin(4.5 * z[:, 1])

    space = grid(30, 30)
    evidence = sampled(space, 60, seed=seed, f=stripes, total=99)
    plan = asked(Agent(distance="length-scale", refine=0), evidence, 4)
    lengthscales = plan.memory["hyperparameters"]["lengthscales"]
    points = unit(space, plan.z) / lengthscales
    apart = np.linalg.norm(points[:, None] - points, axis=-1)[~np.eye(4, dtype=bool)]
    relaxed = [reason.rpartition(" to ")[2] for reason in plan.reasons if "relaxed from 1 to" in reason]
    assert all(text.endswith(" length scales") for text in relaxed)
    assert apart.min() >= min([1.0, *(float(text.split()[0]) for text in relaxed)]) * 0.999
    assert lengthscales[0] > lengthscales[1]


def test_a_pending_point_is_taken_at_its_predicted_mean() -> None:
    evidence = sampled(grid(20, 20), 20)
    plan = asked(Agent(refine=0), evidence)
    waiting = asked(Agent(refine=0), replace(evidence, pending=plan.z, proposed=21))
    index = int(np.flatnonzero((evidence.space.candidates == plan.z[0]).all(axis=1))[0])
    assert np.allclose(plan.maps["mean"], waiting.maps["mean"], atol=1e-9)
    assert waiting.maps["deviation"][index] < 0.5 * plan.maps["deviation"][index]


# --- noise, repeats, refusals ---------------------------------------------------------------------


def test_one_lucky_noisy_score_is_not_the_incumbent() -> None:
    evidence = sampled(grid(20, 20), 40, total=99)
    lucky = evidence.y.copy()
    lucky[np.argsort(lucky)[20]] += 4.0
    noise = np.where(lucky == evidence.y, 0.01, 4.0)
    reason = asked(Agent(), replace(evidence, y=lucky, noise=noise)).reasons[0]
    best = float(reason.split("where the best is ")[1].split(",")[0])
    assert best < evidence.y.max() + 0.5 < lucky.max()


def test_repeats_only_on_request_and_never_of_what_was_refused() -> None:
    space = grid(3, 3)
    z = space.candidates
    status = np.full(9, Status.SCORED)
    status[4] = Status.REFUSED
    y = np.where(np.arange(9) == 8, 1.0, 0.0)
    evidence = replace(told(empty(space), z, y, status), noise=np.full(9, 0.5))
    assert isinstance(Agent().plan(evidence, 1), Stop)
    plan = asked(Agent("ucb", repeats=True), evidence, 9)
    assert {tuple(p) for p in plan.z} == {tuple(p) for p in z} - {tuple(z[4])}


# --- stops ----------------------------------------------------------------------------------------


def reason(evidence: Evidence, planner: Agent | None = None) -> str:
    stop = (planner or Agent()).plan(evidence, 1)
    assert isinstance(stop, Stop), stop
    return stop.reason


def test_stops_on_budget_target_time_and_says_which() -> None:
    evidence = sampled(grid(9, 9), 12, total=12)
    assert reason(evidence) == "budget: 12 of 12 trials are proposed"
    reached = replace(evidence, goal=Goal(target=float(evidence.y.max()) - 0.1))
    assert reason(reached).startswith("target: a trial scored")
    low = replace(evidence, goal=Goal(maximize=False, target=float(evidence.y.min()) + 0.1))
    assert reason(low).startswith("target:")
    late = replace(evidence, elapsed=60.0, budget=replace(evidence.budget, total=99, seconds=60.0))
    assert reason(late).startswith("time: 60.0 s of 60.0 s")
    early = replace(late, elapsed=59.0)
    assert isinstance(Agent().plan(early, 1), Plan)


def test_stops_once_improvement_stayed_small_for_as_many_plans_as_stated() -> None:
    agent = Agent(improvement=0.05, patience=3)
    plans = list(campaign(agent, empty(grid(15, 15), initial=10, total=200)))
    stop = plans[-1][1]
    assert isinstance(stop, Stop)
    assert stop.reason == "improvement: 3 plans in a row expected less than 0.05 of the range of scores"
    quiet = [plan.memory["quiet"] for _, plan in plans[10:-1] if isinstance(plan, Plan)]
    assert quiet[-2:] == [1, 2]
    assert max(quiet) == 2
    last = plans[-1][0]
    assert last.y.max() > waves(last.space.candidates).max() - 0.1
    assert isinstance(Agent(improvement=0.05, patience=0).plan(last, 1), Plan)
    assert isinstance(agent.plan(replace(last, memory={}), 1), Plan)


# --- the initial design ---------------------------------------------------------------------------


def test_the_design_lasts_as_long_as_the_budget_says_and_then_until_two_scores_are_known() -> None:
    evidence = empty(grid(9, 9), initial=4)
    assert len(asked(Agent(), evidence, 9).z) == 4
    failed = told(evidence, evidence.space.candidates[:6], np.zeros(6), np.full(6, Status.FAILED))
    assert asked(Agent(), failed).reasons[0].startswith("fewer than two scores: sobol design")


# --- finding the best -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "trials"),
    [(grid(200), 14), (grid(40, 40, feasible=ring), 30), (scattered(4, 500, certify=everything), 60)],
    ids=["1d", "2d ring", "4d"],
)
def test_finds_the_best_point_in_few_trials(space: Space, trials: int) -> None:
    *_, (evidence, _) = campaign(Agent(patience=0), empty(space, initial=8, total=trials))
    truth = waves(space.candidates[space.feasible])
    assert evidence.y.max() > truth.max() - 0.03 * np.ptp(truth)


def test_as_published_stays_on_the_grid_and_finds_a_smooth_maximum() -> None:
    space = grid(25, 25, certify=everything)
    *_, (evidence, stop) = campaign(AsPublished(steps=60), empty(space, initial=10, total=30))
    assert isinstance(stop, Stop)
    assert {tuple(z) for z in evidence.z} <= {tuple(z) for z in space.candidates}
    assert evidence.y.max() > np.quantile(waves(space.candidates), 0.99)
