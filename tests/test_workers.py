"""One contract over every place where trials run, and what only a child process can do."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from waiting import alive, eventually

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.executors.guarded import Guarded, GuardedBatch, guarded
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.model import (
    Channel,
    ExecutionError,
    Executor,
    FatalError,
    HistoryError,
    Job,
    Measurement,
    RefusedError,
    Run,
    Stopped,
    Trajectory,
    TransientError,
    Workers,
)
from zbo_orchestrator.testing import RecordedRun, WorkersContract
from zbo_orchestrator.workers import Inline, Threads


class Echo:
    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        run.report(1, 1, value=float(trajectory.values[0, 0]))
        if trajectory.values[0, 0] < 0:
            raise ExecutionError("negative")
        return Measurement({"echo": trajectory.values})


class BatchEcho(Echo):
    capacity = 2

    def execute_many(self, trajectories, runs):
        for index, (trajectory, run) in enumerate(zip(trajectories, runs, strict=True)):
            try:
                yield index, self.execute(trajectory, run)
            except ExecutionError as error:
                yield index, error


class Misbehaves:
    """Does what the trajectory's first value says."""

    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        match int(trajectory.values[0, 0]):
            case 1:
                os.kill(os.getpid(), signal.SIGKILL)
            case 2:
                raise FatalError("smoke")
            case 3:
                raise ZeroDivisionError("a bug")
            case 4:
                while True:
                    run.report(0, 1)
                    time.sleep(0.005)
        return Measurement({"pid": [os.getpid()]})


def trajectory(value: float) -> Trajectory:
    return Trajectory([[value]], 1.0, (Channel("field"),))


class TestInline(WorkersContract):
    def executor(self) -> Executor:
        return Echo()

    def make(self, executor: Executor, scratch: Path) -> Workers:
        return Inline(executor, scratch)


class TestInlineBatch(TestInline):
    def executor(self) -> Executor:
        return BatchEcho()


class TestThreads(WorkersContract):
    def executor(self) -> Executor:
        return Echo()

    def make(self, executor: Executor, scratch: Path) -> Workers:
        return Threads(executor, 2, scratch)

    def test_a_bug_in_a_thread_is_not_lost(self, tmp_path: Path) -> None:
        workers = self.make(Misbehaves(), tmp_path)
        workers.start([Job(0, 1, 0, trajectory(3))])
        with pytest.raises(ZeroDivisionError):
            list(workers.results())


class TestThreadsOfChildren(WorkersContract):
    def executor(self) -> Executor:
        return Supervised(Echo())

    def make(self, executor: Executor, scratch: Path) -> Workers:
        return Threads(executor, 2, scratch)


class TestGuarded(TestInline):
    def executor(self) -> Executor:
        return guarded(Echo(), Envelope({"field": Limits(-5, 5)}))


@pytest.fixture(scope="module")
def child() -> Supervised:
    return Supervised(Misbehaves())


def test_a_child_process_is_kept_for_the_next_trial(child: Supervised) -> None:
    pids = {int(child.execute(trajectory(0), RecordedRun()).arrays["pid"][0]) for _ in range(2)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_a_child_that_dies_is_a_transient_error_and_is_replaced(child: Supervised) -> None:
    with pytest.raises(TransientError, match="exit code -9"):
        child.execute(trajectory(1), RecordedRun())
    assert child.execute(trajectory(0), RecordedRun()).arrays["pid"][0] != os.getpid()


@pytest.mark.parametrize(("value", "error"), [(2, FatalError), (3, ZeroDivisionError)])
def test_errors_cross_the_process_boundary_with_their_class(
    child: Supervised, value: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        child.execute(trajectory(value), RecordedRun())


def test_a_stop_reaches_the_child_which_lives_on(child: Supervised) -> None:
    before = child.execute(trajectory(0), RecordedRun()).arrays["pid"][0]
    with pytest.raises(Stopped, match="the contract asked"):
        child.execute(trajectory(4), RecordedRun(stop_at=3))
    assert child.execute(trajectory(0), RecordedRun()).arrays["pid"][0] == before


def test_a_child_whose_report_is_never_answered_is_not_kept(child: Supervised) -> None:
    class Unheard(RecordedRun):
        def report(self, step: int, of: int, **values: float) -> None:
            raise HistoryError("the disk is full")

    with pytest.raises(HistoryError):
        child.execute(trajectory(4), Unheard())
    assert child.execute(trajectory(0), RecordedRun()).arrays["pid"][0] != os.getpid()


def test_threads_know_of_a_result_before_it_is_read(tmp_path: Path) -> None:
    workers = Threads(Echo(), 2, tmp_path)
    workers.start([Job(number, 1, 0, trajectory(number)) for number in range(2)])
    results, deadline = workers.results(), time.monotonic() + 20
    for _ in range(2):
        while not workers.ready():
            assert time.monotonic() < deadline
        next(results)
    assert not workers.ready()


def test_after_ctrl_c_at_any_moment_nothing_is_waited_for_in_vain(tmp_path: Path) -> None:
    moments, before = random.Random(1), signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        for _ in range(300):
            workers = Threads(Echo(), 2, tmp_path)
            workers.start([Job(number, 1, 0, trajectory(number)) for number in range(6)])
            strike = threading.Timer(moments.uniform(0, 0.002), os.kill, (os.getpid(), signal.SIGUSR1))
            with contextlib.suppress(KeyboardInterrupt):
                strike.start()
                list(workers.results())
                while True:
                    time.sleep(0.001)
            list(workers.results())
            assert not workers.ready()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_workers import Misbehaves, trajectory\n"
        "from zbo_orchestrator.executors.supervised import Supervised\n"
        "from zbo_orchestrator.testing import RecordedRun\n"
        "if __name__ == '__main__':\n"
        "    print(int(Supervised(Misbehaves()).execute(trajectory(0), RecordedRun()).arrays['pid'][0]), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    pid = int(subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=60).stdout)
    assert eventually(lambda: not alive(pid))


def test_the_guard_refuses_before_anything_moves() -> None:
    class Untouchable(Echo):
        def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
            raise AssertionError("it moved")

    guard = Guarded(Untouchable(), Envelope({"field": Limits(-1, 1)}))
    for value in (1.5, float("nan"), float("inf")):
        with pytest.raises(RefusedError):
            guard.execute(trajectory(value), RecordedRun())


def test_a_guarded_batch_refuses_members_and_runs_the_rest() -> None:
    guard = guarded(BatchEcho(), Envelope({"field": Limits(-1, 1)}))
    assert isinstance(guard, GuardedBatch)
    batch = [trajectory(value) for value in (0.5, 2.0, 0.7, -0.5)]
    results = dict(guard.execute_many(batch, [RecordedRun(number=n) for n in range(4)]))
    assert isinstance(results[1], RefusedError)
    assert isinstance(results[3], ExecutionError)
    kept = {index: result.arrays["echo"][0, 0] for index, result in results.items() if isinstance(result, Measurement)}
    assert kept == {0: 0.5, 2: 0.7}
