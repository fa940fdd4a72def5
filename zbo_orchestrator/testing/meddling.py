"""A trial that something happens to in its middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zbo_orchestrator.model import Measurement, Stopped, Trajectory
from zbo_orchestrator.testing.promises import Broken, Untestable
from zbo_orchestrator.testing.runs import RecordedRun, scratch

BOUND = 30.0
"""Seconds in which a trial has to come to an end, once told to."""


@dataclass
class Meddled(RecordedRun):
    """A run at whose report number `at` something is done, by another thread, while the report waits.

    seen  what `during` then found; with `stops` the trial is stopped after that
    """

    meddle: Callable[[], object] = lambda: None
    at: int = 1
    during: Callable[[], int] = lambda: 0
    stops: bool = False
    seen: int | None = None

    def report(self, step: int, of: int, **values: float) -> None:
        super().report(step, of, **values)
        if len(self.reports) == self.at:
            other = threading.Thread(target=self.meddle, daemon=True)
            other.start()
            other.join(BOUND)
            self.seen = self.during()
            if self.stops:
                raise Stopped("enough was seen")


class Trial(threading.Thread):
    """A trial in a thread of its own, and what came of it."""

    def __init__(self, instrument: Any, trajectory: Trajectory, run: RecordedRun) -> None:
        super().__init__(daemon=True)
        self._arguments = instrument, trajectory, run
        self.outcome: Measurement | BaseException | None = None

    def run(self) -> None:
        instrument, trajectory, run = self._arguments
        try:
            self.outcome = instrument.execute(trajectory, run)
        except BaseException as error:  # noqa: BLE001 (it is what came of it)
            self.outcome = error


def outcome_of(
    instrument: Any, trajectory: Trajectory, meddle: Callable[[], object], at: int = 1
) -> Measurement | BaseException:
    """What becomes of a trial at whose report number `at` something is done; `Broken` where it does not end then."""
    with scratch() as folder:
        run = Meddled(scratch=folder, meddle=meddle, at=at)
        running = Trial(instrument, trajectory, run)
        running.start()
        while running.is_alive() and run.seen is None:  # as long as it takes: whoever runs this bounds it
            running.join(0.02)
        running.join(BOUND)
    if running.outcome is None:
        raise Broken(f"the trial did not end in {BOUND:g} s")
    if run.seen is None:
        raise Untestable(f"it reported {len(run.reports)} times: nothing can be done in the middle of a trial")
    return running.outcome


def told(outcome: Measurement | BaseException) -> str:
    return "a measurement" if isinstance(outcome, Measurement) else f"{type(outcome).__name__}: {outcome}"
