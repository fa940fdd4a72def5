"""The loop against a ledger that is a plain list: order of writing, width, retries, closing, interruption."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.loop import run
from zbo_orchestrator.model import (
    Channel,
    Evidence,
    ExecutionError,
    FatalError,
    HistoryError,
    Job,
    Measurement,
    Plan,
    Proposal,
    RefusedError,
    Run,
    Score,
    Status,
    Stop,
    Stopped,
    Trajectory,
    TransientError,
    Trial,
)
from zbo_orchestrator.testing import bowl
from zbo_orchestrator.workers import Inline, Threads

SPACE = bowl()


class ListLedger:
    """A history in a list, which notes the order in which it was written."""

    def __init__(self, repeatable: bool = True) -> None:
        self.repeatable = repeatable
        self.proposals: list[Proposal] = []
        self.trials: dict[int, Trial] = {}
        self.order: list[str] = []
        self.pending_at_plan: list[int] = []
        self.finished = ""

    def waiting(self) -> list[Proposal]:
        return [p for p in self.proposals if p.number not in self.trials]

    def evidence(self) -> Evidence:
        rows = [self.trials[n] for n in sorted(self.trials)]
        pending = [p.z for p in self.waiting()]
        return Evidence(
            SPACE,
            np.reshape([t.proposal.z for t in rows], (-1, 2)),
            [t.value for t in rows],
            np.full(len(rows), np.nan),
            [t.status for t in rows],
            np.reshape(pending, (-1, 2)),
            len(self.proposals),
        )

    def propose(self, plan: Plan) -> list[Proposal]:
        new = [Proposal(len(self.proposals) + i, z) for i, z in enumerate(plan.z)]
        self.proposals += new
        self.order += [f"propose {p.number}" for p in new]
        self.pending_at_plan.append(len(self.waiting()))
        return new

    def start(self, number: int) -> None:
        self.order.append(f"start {number}")

    def check(self, measurement: Measurement) -> None:
        if measurement.arrays["echo"].shape != (1, 1):
            raise ExecutionError("echo has another shape")

    def record(self, trial: Trial) -> None:
        assert trial.number not in self.trials, "recorded twice"
        self.trials[trial.number] = trial
        self.order.append(f"record {trial.number}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.order.append("begin")
        yield
        self.order.append("commit")

    def finish(self, reason: str) -> None:
        self.finished = reason


class Walk:
    """Asks for the feasible candidates one after another."""

    def __init__(self, total: int, most: int = 99) -> None:
        self.total, self.most = total, most

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        left = self.total - evidence.proposed
        if left <= 0:
            return Stop("walked enough")
        points = SPACE.candidates[SPACE.feasible][evidence.proposed :][: min(n, left, self.most)]
        return Plan(points, ["the next one in the row"] * len(points))


class Straight:
    box = (np.zeros(2), np.ones(2))

    def decode(self, z: np.ndarray) -> Trajectory:
        return Trajectory(z.sum(1)[:, None, None], 1.0, (Channel("field"),))


class Total:
    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return Score(float(measurement.arrays["echo"].sum()))


class Echo:
    """Measures its trajectory, after whatever the test wants to happen first."""

    repeatable = True

    def __init__(self, first: Callable[[Run], object] = lambda run: None) -> None:
        self.first = first
        self.seen: list[tuple[int, int, int]] = []

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        self.seen.append((run.number, run.attempt, run.seed))
        self.first(run)
        run.report(1, 1)
        return Measurement({"echo": trajectory.values})


def campaign(ledger: ListLedger, executor: Echo, folder: Path, total: int = 5, **options: object) -> Iterator[Trial]:
    return run(ledger, Walk(total), Straight(), Total(), Inline(executor, folder), **options)  # type: ignore[arg-type]


def raising(error: Exception, at: int, attempts: int = 99) -> Callable[[Run], None]:
    def first(handle: Run) -> None:
        if handle.number == at and handle.attempt <= attempts:
            raise error

    return first


def test_width_1_is_table_1(tmp_path: Path) -> None:
    ledger = ListLedger()
    trials = list(campaign(ledger, Echo(), tmp_path, total=2))
    assert [trial.number for trial in trials] == [0, 1]
    assert ledger.order == ["propose 0", "begin", "record 0", "propose 1", "commit", "begin", "record 1", "commit"]
    assert ledger.finished == "walked enough"


def test_an_executor_that_may_not_repeat_is_started_and_recorded_on_its_own(tmp_path: Path) -> None:
    ledger = ListLedger(repeatable=False)
    list(campaign(ledger, Echo(), tmp_path, total=2))
    assert ledger.order == ["propose 0", "start 0", "record 0", "propose 1", "start 1", "record 1"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ExecutionError("broke"), Status.FAILED),
        (RefusedError("no"), Status.REFUSED),
        (Stopped("enough"), Status.STOPPED),
        (TransientError("blip"), Status.TRANSIENT),
    ],
)
def test_a_failure_is_a_row_not_a_gap(tmp_path: Path, error: Exception, status: Status) -> None:
    ledger = ListLedger()
    trials = list(campaign(ledger, Echo(raising(error, at=1)), tmp_path, total=3))
    assert [trial.status for trial in trials] == [Status.SCORED, status, Status.SCORED]


def test_a_passing_failure_is_tried_again_and_every_attempt_recorded(tmp_path: Path) -> None:
    ledger = ListLedger()
    executor = Echo(raising(TransientError("blip"), at=1, attempts=2))
    trials = list(campaign(ledger, executor, tmp_path, total=2, retries=2, seed_of=lambda n: 40 + n))
    assert trials[1].status is Status.SCORED
    assert [(a.number, a.seed, a.error) for a in trials[1].attempts] == [
        (1, 41, "TransientError: blip"),
        (2, 41, "TransientError: blip"),
        (3, 41, ""),
    ]


def test_a_misfit_and_an_unscorable_measurement_are_failed_trials(tmp_path: Path) -> None:
    class Odd(Echo):
        def execute(self, trajectory: Trajectory, handle: Run) -> Measurement:
            shapes = {0: np.ones((1, 1)), 1: np.ones((2, 2)), 2: np.full((1, 1), np.nan)}
            return Measurement({"echo": shapes[handle.number]})

    trials = list(campaign(ListLedger(), Odd(), tmp_path, total=3))
    assert [trial.status for trial in trials] == [Status.SCORED, Status.FAILED, Status.FAILED]
    assert "another shape" in str(trials[1].outcome)
    assert "nan" in str(trials[2].outcome)
    assert trials[2].measurement is not None, "what could not be scored is still worth keeping"


@pytest.mark.parametrize("error", [FatalError("smoke"), ZeroDivisionError("a bug")])
def test_what_is_no_failed_trial_stops_the_campaign_and_leaves_it_resumable(tmp_path: Path, error: Exception) -> None:
    ledger = ListLedger()
    with pytest.raises(type(error)):
        list(campaign(ledger, Echo(raising(error, at=2)), tmp_path))
    assert sorted(ledger.trials) == [0, 1]
    assert [p.number for p in ledger.waiting()] == [2]
    list(campaign(ledger, Echo(), tmp_path))
    assert sorted(ledger.trials) == [0, 1, 2, 3, 4]


def test_going_on_runs_what_was_proposed_before_planning_anew(tmp_path: Path) -> None:
    ledger = ListLedger()
    ledger.propose(Plan(SPACE.candidates[SPACE.feasible][:3], ["left by a killed process"] * 3))
    executor = Echo()
    list(campaign(ledger, executor, tmp_path, total=4))
    assert [number for number, _, _ in executor.seen] == [0, 1, 2, 3]


@given(width=st.integers(1, 6), total=st.integers(0, 12), most=st.integers(1, 3))
def test_any_width_runs_every_proposal_once_and_never_exceeds_it(
    tmp_path_factory: pytest.TempPathFactory, width: int, total: int, most: int
) -> None:
    ledger = ListLedger()
    workers = Inline(Echo(), tmp_path_factory.mktemp("scratch"))
    trials = list(run(ledger, Walk(total, most), Straight(), Total(), workers, width=width))
    assert sorted(trial.number for trial in trials) == list(range(total))
    assert max(ledger.pending_at_plan, default=0) <= width


@given(width=st.integers(1, 6), left=st.integers(0, 8), total=st.integers(8, 30), most=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_batches_are_planned_only_once_nothing_is_in_flight(
    tmp_path_factory: pytest.TempPathFactory, width: int, left: int, total: int, most: int
) -> None:
    ledger, executor = ListLedger(), Echo()
    if left:
        ledger.propose(Plan(SPACE.candidates[SPACE.feasible][:left], ["left by a killed process"] * left))
    workers = Inline(executor, tmp_path_factory.mktemp("scratch"))
    list(run(ledger, Walk(total, most), Straight(), Total(), workers, width=width, batches=True))
    assert [number for number, _, _ in executor.seen] == list(range(total))
    writing = [entry.split()[0] for entry in ledger.order if entry.startswith(("propose", "record"))][left:]
    planned = [len(list(run_of)) for kind, run_of in groupby(writing) if kind == "propose"]
    batches, rest = divmod(total - left, width)
    assert planned == [width] * batches + [rest] * bool(rest)


def test_batches_repeat_whatever_order_their_trials_end_in(tmp_path: Path) -> None:
    class Witness(Walk):
        def __init__(self) -> None:
            super().__init__(12)
            self.saw: list[list[float]] = []

        def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
            self.saw.append([*evidence.y, *evidence.pending.sum(axis=1)])
            return super().plan(evidence, n)

    ended = [threading.Event() for _ in range(13)]

    def last_first(handle: Run) -> None:
        last_of_its_batch = handle.number % 4 == 3
        assert last_of_its_batch or ended[handle.number + 1].wait(20)
        ended[handle.number].set()

    in_order, reversed_order = Witness(), Witness()
    for planner, workers in (
        (in_order, Inline(Echo(), tmp_path)),
        (reversed_order, Threads(Echo(last_first), 4, tmp_path)),
    ):
        list(run(ListLedger(), planner, Straight(), Total(), workers, width=4, batches=True))
    assert [len(seen) for seen in in_order.saw] == [0, 4, 8, 12]
    assert reversed_order.saw == in_order.saw


def test_threads_keep_the_width_full(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=20)
    executor = Echo(lambda handle: together.wait() if handle.number < 3 else None)
    workers = Threads(executor, 3, tmp_path)
    trials = list(run(ListLedger(), Walk(6), Straight(), Total(), workers, width=3))
    assert sorted(trial.number for trial in trials) == list(range(6))


class Crowded(ListLedger):
    """Has room for two that cannot be had again."""

    def start(self, number: int) -> None:
        if number == 2:
            raise HistoryError("no room")
        super().start(number)


def test_a_trial_that_may_not_start_leaves_those_under_way_their_end(tmp_path: Path) -> None:
    ledger, refused = Crowded(repeatable=False), threading.Event()
    workers = Threads(Echo(lambda _: refused.wait(20)), 3, tmp_path)
    trials = run(ledger, Walk(6), Straight(), Total(), workers, width=3)
    threading.Timer(0.5, refused.set).start()
    with pytest.raises(HistoryError, match="no room"):
        list(trials)
    assert {number: trial.status for number, trial in ledger.trials.items()} == dict.fromkeys((0, 1), Status.SCORED)
    assert [proposal.number for proposal in ledger.waiting()] == [2]


class InGroups:
    """Trials end so many at once, the last of each group with a passing failure at its first attempt."""

    def __init__(self, size: int, *, failing: bool) -> None:
        self.size, self.failing = size, failing
        self.queue: deque[Job] = deque()
        self.left = 0

    def start(self, jobs: Sequence[Job]) -> None:
        self.queue.extend(jobs)

    def results(self) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        while self.queue:
            group = [self.queue.popleft() for _ in range(min(self.size, len(self.queue)))]
            for job in group:
                self.left = len(group) - group.index(job) - 1
                failed = self.failing and self.left == 0 and job.attempt == 1
                measured = Measurement({"echo": job.trajectory.values})
                yield job.number, TransientError("once more") if failed else measured

    def ready(self) -> bool:
        return self.left > 0

    def stop(self, number: int, reason: str) -> None: ...
    def forget(self, number: int) -> None: ...


@given(width=st.integers(1, 6), size=st.integers(1, 6), failing=st.booleans())
def test_those_that_ended_meanwhile_are_planned_for_together(width: int, size: int, failing: bool) -> None:
    asked: list[int] = []

    class Witness(Walk):
        def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
            asked.append(n)
            return super().plan(evidence, n)

    ledger, workers = ListLedger(), InGroups(size, failing=failing)
    list(run(ledger, Witness(24), Straight(), Total(), workers, width=width, retries=1))
    assert sorted(ledger.trials) == list(range(24))
    assert max(ledger.pending_at_plan) <= width
    together = min(width, size) - failing
    assert asked[:2] == [width, together or 1]


def test_closing_stops_what_is_in_flight_and_records_it(tmp_path: Path) -> None:
    begun = threading.Semaphore(0)

    def hold(handle: Run) -> None:
        begun.release()
        while handle.number > 0:
            time.sleep(0.01)
            handle.report(0, 1)

    ledger = ListLedger()
    trials = run(ledger, Walk(9), Straight(), Total(), Threads(Echo(hold), 3, tmp_path), width=3)
    assert next(trials).number == 0
    assert all(begun.acquire(timeout=20) for _ in range(4))
    trials.close()  # type: ignore[attr-defined]
    assert {n: t.status for n, t in ledger.trials.items()} == {
        0: Status.SCORED,
        1: Status.STOPPED,
        2: Status.STOPPED,
        3: Status.STOPPED,
    }
    assert ledger.finished == "", "a closed campaign is not a finished one"


def test_closing_leaves_what_was_not_begun_for_later(tmp_path: Path) -> None:
    ledger = ListLedger()
    trials = campaign(ledger, Echo(), tmp_path)
    next(trials)
    trials.close()  # type: ignore[attr-defined]
    assert [p.number for p in ledger.waiting()] == [1]


def test_an_interrupted_campaign_of_a_repeatable_executor_runs_the_trial_again(tmp_path: Path) -> None:
    ledger = ListLedger()
    with pytest.raises(KeyboardInterrupt):
        list(campaign(ledger, Echo(raising(KeyboardInterrupt(), at=1)), tmp_path))  # type: ignore[arg-type]
    assert [p.number for p in ledger.waiting()] == [1]


def test_an_interruption_costs_no_trial_the_attempts_it_has_left(tmp_path: Path) -> None:
    begun = threading.Event()

    def strike(handle: Run) -> None:
        if handle.number == 0:
            assert begun.wait(20)
            raise KeyboardInterrupt
        begun.set()
        try:
            while True:
                handle.report(0, 1)
        except Stopped as stopped:
            raise TransientError("no answer") from stopped

    ledger, workers = ListLedger(), Threads(Echo(strike), 2, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(run(ledger, Walk(4), Straight(), Total(), workers, width=2, retries=2))
    assert [p.number for p in ledger.waiting()] == [0, 1]


def test_scratch_is_gone_once_a_trial_is_recorded(tmp_path: Path) -> None:
    list(campaign(ListLedger(), Echo(lambda handle: (handle.scratch / "checkpoint").write_text("x")), tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_width_below_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="width is 0"):
        next(campaign(ListLedger(), Echo(), tmp_path, width=0))
