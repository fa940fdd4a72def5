"""What hangs at the generator's outputs: any callable that answers a waveform, such as an executor of a campaign."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zbo_orchestrator.model import Executor, Measurement, Report, Trajectory

Specimen = Callable[[Trajectory, Report], Measurement]
"""specimen(volts[step, output], report): what it answers; `report` raises `Stopped` once nothing drives it any more."""


@dataclass(frozen=True, slots=True)
class _Run:
    """The `model.Run` of a specimen: every trial is the same to it."""

    seed: int
    scratch: Path
    report: Report
    number: int = 0
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class ExecutorSpecimen:
    """An executor as the specimen: a volt at output k is one unit of its channel k."""

    executor: Executor
    seed: int = 0

    def __call__(self, volts: Trajectory, report: Report) -> Measurement:
        with tempfile.TemporaryDirectory(prefix="zbo-specimen-") as scratch:
            return self.executor.execute(volts, _Run(self.seed, Path(scratch), report))
