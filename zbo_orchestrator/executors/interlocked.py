"""Interlocks around an executor: no trial starts while one has tripped; one that runs is held, or ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from zbo_orchestrator.interlocks import Monitor
from zbo_orchestrator.model import (
    BatchExecutor,
    ExecutionError,
    Executor,
    Measurement,
    Run,
    RunWithin,
    Trajectory,
    TransientError,
)

POLL = 0.1
"""Seconds between two looks at whether a held trial may go on."""

Tell = Callable[[str], None]
"""tell(why): nothing goes on, for this reason; empty: it does again. Called in the trial's thread."""


def interlocked(executor: Executor, monitor: Monitor, tell: Tell) -> Executor:
    """The same executor under interlocks; one that takes batches still does."""
    kind = InterlockedBatch if isinstance(executor, BatchExecutor) else Interlocked
    return kind(executor, monitor, tell)  # type: ignore[arg-type]


@dataclass(slots=True)
class InterlockedRun(RunWithin):
    """A run whose reports last until no interlock is tripped."""

    monitor: Monitor
    tell: Tell

    def report(self, step: int, of: int, **values: float) -> None:
        """Raises `TransientError` where an interlock ends the trial."""
        for _ in self.reporting(step, of, **values):
            if why := self.aborting():
                raise TransientError(why)
            time.sleep(POLL)

    def reporting(self, step: int, of: int, **values: float) -> Iterator[str]:
        """Report, then yield why the trial is held, as long as it is; whoever asks sleeps in between."""
        self.inner.report(step, of, **values)
        told = False
        while why := self.monitor.tripped():
            if not told:
                self.tell(why)
                told = True
            yield why
            self.inner.report(step, of)  # it still lives, and may be asked to stop
        if told:
            self.tell("")

    def aborting(self) -> str:
        """Why the trial has to end at once; empty where it need not."""
        return self.monitor.aborting()


class Interlocked:
    """Waits before a trial as long as any interlock is tripped, whatever its action.

    A trial whose executor runs here ends by an interlock at its next report; one in a child process at once.
    """

    def __init__(self, executor: Executor, monitor: Monitor, tell: Tell) -> None:
        self._executor, self._monitor, self._tell = executor, monitor, tell
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        return self._executor.execute(trajectory, self._admitted(run, trajectory))

    def _admitted(self, run: Run, trajectory: Trajectory) -> InterlockedRun:
        watched = InterlockedRun(run, self._monitor, self._tell)
        if self._monitor.tripped():
            for _ in watched.reporting(0, trajectory.steps):
                time.sleep(POLL)
        return watched


class InterlockedBatch(Interlocked):
    """The same for a batch, which waits, is held and ends as one."""

    _executor: BatchExecutor

    def __init__(self, executor: BatchExecutor, monitor: Monitor, tell: Tell) -> None:
        super().__init__(executor, monitor, tell)
        self.capacity = executor.capacity

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        admitted = [self._admitted(run, each) for run, each in zip(runs, trajectories, strict=True)]
        yield from self._executor.execute_many(trajectories, admitted)
