"""An executor put to the test in the child process that would drive it: each trial keeps one promise."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.executors.guarded import Guarded
from zbo_orchestrator.instrument import Connected, Safe
from zbo_orchestrator.model import ExecutionError, Executor, Measurement, Run, Trajectory, ZboError
from zbo_orchestrator.testing.promises import Broken, Seen, Untestable

Verdict = Literal["passed", "failed", "untested"]
Keep = Callable[[Any, Trajectory], Seen]
DRIVE = -1
"""The number of a run that is an ordinary trial, whose reports tell the child's process as `pid`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one promise."""

    verdict: Verdict
    seen: Seen


class Rehearsal(Guarded):
    """Keeps the promise that a run's number counts to, with a copy of the executor that nobody else uses.

    Whoever supervises it sees the executor itself: it is connected, aborted and made safe as in a campaign.
    """

    def __init__(self, executor: Executor, promises: tuple[Keep, ...]) -> None:
        super().__init__(executor, Envelope())
        self._promises = promises

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        if run.number == DRIVE:
            return self._driven(trajectory, run)
        device = self.inner
        if isinstance(device, Connected):
            device.close()  # an instrument may bear one connection only
        twin = pickle.loads(pickle.dumps(device))
        try:
            return _packed(_kept(self._promises[run.number], twin, trajectory))
        finally:
            _retire(twin)

    def _driven(self, trajectory: Trajectory, run: Run) -> Measurement:
        if isinstance(self.inner, Connected):
            self.inner.connect()
        return self.inner.execute(trajectory, _Signed(run.number, run.attempt, run.seed, run.scratch, run))


@dataclass(frozen=True, slots=True)
class _Signed:
    """A run whose reports tell which process drives."""

    number: int
    attempt: int
    seed: int
    scratch: Path
    run: Run

    def report(self, step: int, of: int, **values: float) -> None:
        self.run.report(step, of, **{**values, "pid": os.getpid()})


def outcome(measurement: Measurement) -> Outcome:
    """What a rehearsal's trial came to."""
    found: Outcome = pickle.loads(measurement.arrays["outcome"].tobytes())
    return found


def _packed(found: Outcome) -> Measurement:
    return Measurement({"outcome": np.frombuffer(pickle.dumps(found), np.uint8)})


def _kept(promise: Keep, twin: Any, trajectory: Trajectory) -> Outcome:
    try:
        return Outcome("passed", promise(twin, trajectory))
    except Untestable as why:
        return Outcome("untested", Seen(str(why)))
    except Broken as broken:
        return Outcome("failed", Seen(str(broken)))
    except ZboError:
        raise
    except Exception as alien:
        raise ExecutionError(f"{type(alien).__name__}, which is no error of an executor: {alien}") from alien


def _retire(twin: Any) -> None:
    if isinstance(twin, Safe):
        twin.safe_state()
    if isinstance(twin, Connected):
        twin.close()
