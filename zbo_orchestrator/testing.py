"""Contracts of the roles, as classes to subclass: one set of promises, kept by built-in and foreign parts alike.

    class TestMyExecutor(ExecutorContract):
        def make(self): return MyExecutor(port=0)
        def trajectory(self): return Trajectory([[0.0], [1.0]], dt=0.1, channels=(Channel("field", "V"),))

pytest collects the inherited tests. Nothing here imports pytest.
"""

from __future__ import annotations

import json
import pickle
import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from zbo_orchestrator.model import (
    Array,
    BatchExecutor,
    Budget,
    Channel,
    Decoder,
    DecoderRecipe,
    Evaluator,
    Evidence,
    ExecutionError,
    Executor,
    Job,
    Measurement,
    Plan,
    Planner,
    Score,
    Space,
    Status,
    Stop,
    Stopped,
    Trajectory,
    Workers,
)


@dataclass
class RecordedRun:
    """A `Run` that remembers what was reported, and stops the trial at its `stop_at`-th report."""

    number: int = 0
    attempt: int = 1
    seed: int = 0
    scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="zbo-")))
    stop_at: int | None = None
    reports: list[tuple[int, int, Mapping[str, float]]] = field(default_factory=list)

    def report(self, step: int, of: int, **values: float) -> None:
        self.reports.append((step, of, values))
        if self.stop_at is not None and len(self.reports) >= self.stop_at:
            raise Stopped("the contract asked")


def same(one: Measurement, other: Measurement) -> bool:
    """Whether two measurements hold the same bits, names and axes."""
    return (
        one.arrays.keys() == other.arrays.keys()
        and one.dims == other.dims
        and all(np.array_equal(values, other.arrays[name], equal_nan=True) for name, values in one.arrays.items())
    )


class ExecutorContract:
    """What every executor promises."""

    @abstractmethod
    def make(self) -> Executor: ...

    @abstractmethod
    def trajectory(self) -> Trajectory:
        """A single trajectory that the executor can run, quickly."""

    def test_returns_a_measurement_and_says_whether_it_may_repeat(self) -> None:
        executor = self.make()
        assert isinstance(executor.execute(self.trajectory(), RecordedRun()), Measurement)
        assert isinstance(getattr(executor, "repeatable", False), bool)

    def test_survives_pickling(self) -> None:
        executor = pickle.loads(pickle.dumps(self.make()))
        assert isinstance(executor.execute(self.trajectory(), RecordedRun()), Measurement)

    def test_same_seed_same_measurement_where_repeatable(self) -> None:
        executor = self.make()
        if getattr(executor, "repeatable", False):
            runs = RecordedRun(number=1, seed=5), RecordedRun(number=2, seed=5)
            one, other = (executor.execute(self.trajectory(), run) for run in runs)
            assert same(one, other)

    def test_every_run_has_the_shape_of_the_first(self) -> None:
        executor = self.make()
        one, other = (executor.execute(self.trajectory(), RecordedRun(number=n)) for n in range(2))
        assert {name: (a.shape, a.dtype) for name, a in one.arrays.items()} == {
            name: (a.shape, a.dtype) for name, a in other.arrays.items()
        }

    def test_a_stop_is_not_swallowed(self) -> None:
        run = RecordedRun(stop_at=1)
        try:
            self.make().execute(self.trajectory(), run)
        except Stopped:
            return
        assert not run.reports, "the executor reported, was told to stop, and went on"

    def test_a_batch_equals_its_members(self) -> None:
        executor = self.make()
        if isinstance(executor, BatchExecutor):
            runs = [RecordedRun(number=n, seed=3) for n in range(3)]
            results = dict(executor.execute_many([self.trajectory()] * 3, runs))
            alone = executor.execute(self.trajectory(), RecordedRun(seed=3))
            assert sorted(results) == [0, 1, 2]
            assert all(isinstance(result, Measurement) and same(result, alone) for result in results.values())


class EvaluatorContract:
    """What every evaluator promises."""

    @abstractmethod
    def make(self) -> Evaluator: ...

    @abstractmethod
    def case(self) -> tuple[Trajectory, Measurement]:
        """A trajectory and a measurement that the evaluator can score."""

    def test_scores_are_finite_and_repeat(self) -> None:
        one, other = (self.make().evaluate(*self.case()) for _ in range(2))
        assert isinstance(one, Score)
        assert one == other
        assert all(np.isfinite(term) for term in one.terms.values())

    def test_refuses_a_measurement_it_does_not_know(self) -> None:
        trajectory, _ = self.case()
        try:
            self.make().evaluate(trajectory, Measurement({"something else": np.zeros(3)}))
        except ExecutionError:
            return
        raise AssertionError("an unknown measurement was scored")


class DecoderContract:
    """What every decoder promises, from its recipe on."""

    @abstractmethod
    def recipe(self) -> DecoderRecipe: ...

    @abstractmethod
    def library(self) -> Trajectory | None:
        """A small batch to learn from, or None where the recipe needs none."""

    def learned(self) -> dict[str, Array]:
        return self.recipe().learn(self.library(), 1, lambda *_, **__: None)

    def restored(self) -> Decoder:
        return self.recipe().restore(self.learned())

    def points(self, count: int) -> tuple[Decoder, Array]:
        decoder = self.restored()
        lower, upper = decoder.box
        return decoder, np.random.default_rng(0).uniform(lower, upper, (count, len(lower)))

    def test_same_seed_same_arrays(self) -> None:
        one, other = self.learned(), self.learned()
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one)

    def test_decodes_every_point_to_one_finite_trajectory(self) -> None:
        decoder, z = self.points(7)
        trajectory = decoder.decode(z)
        assert trajectory.values.shape == (7, trajectory.steps, len(trajectory.channels))
        assert np.isfinite(trajectory.values).all()

    def test_a_point_alone_decodes_to_the_same_bits_as_among_others(self) -> None:
        decoder, z = self.points(33)
        together = decoder.decode(z).values
        for index in (0, 16, 32):
            assert np.array_equal(decoder.decode(z[index : index + 1]).values[0], together[index])

    def test_the_arrays_are_all_there_is(self) -> None:
        decoder, z = self.points(3)
        copied = {name: np.array(values) for name, values in self.learned().items()}
        assert np.array_equal(self.recipe().restore(copied).decode(z).values, decoder.decode(z).values)


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


class WorkersContract:
    """What every kind of workers promises."""

    @abstractmethod
    def make(self, executor: Executor, scratch: Path) -> Workers: ...

    @abstractmethod
    def executor(self) -> Executor:
        """One that measures "echo", the trajectory's values, and raises ExecutionError for a negative first value."""

    @staticmethod
    def jobs(first_values: list[float]) -> list[Job]:
        from_value = {n: Trajectory(np.array([[v]]), 1.0, (Channel("field"),)) for n, v in enumerate(first_values)}
        return [Job(n, 1, n, trajectory) for n, trajectory in from_value.items()]

    def test_every_job_ends_once_with_its_own_result(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        workers.start(self.jobs([0.5, -1.0, 2.5]))
        results = list(workers.results())
        assert sorted(number for number, _ in results) == [0, 1, 2]
        by_number = dict(results)
        assert isinstance(by_number[1], ExecutionError)
        for number, value in ((0, 0.5), (2, 2.5)):
            measurement = by_number[number]
            assert isinstance(measurement, Measurement)
            assert measurement.arrays["echo"][0, 0] == value

    def test_jobs_may_be_added_while_results_are_read(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        jobs = self.jobs([0.0, 1.0, 2.0])
        workers.start(jobs[:1])
        seen = []
        for number, _ in workers.results():
            seen.append(number)
            workers.start(jobs[len(seen) : len(seen) + 1])
        assert seen == [0, 1, 2]

    def test_a_stopped_job_ends_or_is_withdrawn(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        workers.start(self.jobs([0.0, 1.0, 2.0]))
        for number in range(3):
            workers.stop(number, "enough")
        assert {number for number, _ in workers.results()} <= {0, 1, 2}
        assert list(workers.results()) == []

    def test_scratch_goes_when_the_trial_is_recorded(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        workers.start(self.jobs([0.0]))
        list(workers.results())
        assert (tmp_path / "0").is_dir()
        workers.forget(0)
        assert not (tmp_path / "0").exists()
