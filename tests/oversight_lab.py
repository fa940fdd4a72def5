"""A person who takes part, and an apparatus that drifts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History, Inbox, Request
from zbo_orchestrator.model import Measurement, Run, Trajectory, Trial


@dataclass
class Person(Watcher):
    """Asks for things at set moments: after so many trials, or as soon as the campaign waits."""

    after: dict[int, list[Request]]
    waiting: Iterator[list[Request]] = field(default_factory=lambda: iter(()))
    why: str = ""

    def recorded(self, history: History, trial: Trial) -> None:
        for request in self.after.get(trial.number, []):
            Inbox(history.path).put(request)

    def held(self, history: History, why: str) -> None:
        if why and why != self.why:
            for request in next(self.waiting):
                Inbox(history.path).put(request)
        self.why = why


@dataclass(frozen=True)
class Drifting:
    """Every trial reads higher than the one before."""

    folder: Path
    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        return Measurement({"height": np.array([float(run.number)])})
