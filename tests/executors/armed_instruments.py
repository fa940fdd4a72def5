"""Bench supplies that are not what a campaign expects, whose panels tell what was done to them; and no instrument."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench_instrument import VOLTS, BenchSupply, Panel

from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Measurement, Run, Trajectory


@dataclass
class Supply(BenchSupply):
    """Answers `identity`, and as simulated only where told so; exchanged for another while `swap` is in its faults."""

    identity: str = "ACME,Supply,17"
    simulated: bool = False

    def describe(self) -> Description:
        swapped = "swap" in self._faults() and len(Panel(Path(self.panel)).pids("connect")) > 1
        return Description("ACME,Supply,18" if swapped else self.identity, VOLTS, simulated=self.simulated)


class Mute:
    """An instrument that does not say what it is."""

    def __init__(self, panel: str) -> None:
        self.supply = BenchSupply(panel)

    def safe_state(self) -> dict[str, float]:
        return dict(self.supply.safe_state())

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        return self.supply.execute(trajectory, run)


class Stage:
    """No safe state, so no guardian: only its own process can look who answers."""

    def __init__(self, panel: str) -> None:
        self.supply = Supply(panel)

    def describe(self) -> Description:
        return self.supply.describe()

    def connect(self) -> None:
        self.supply.connect()

    def close(self) -> None:
        self.supply.close()

    def stage(self) -> None:
        self.supply.stage()

    def unstage(self) -> None:
        self.supply.unstage()

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        return self.supply.execute(trajectory, run)


class Plain:
    """No instrument, in the campaign's own process: twenty reports."""

    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        for step in range(20):
            run.report(step, 20)
            time.sleep(0.01)
        return Measurement({"level": trajectory.values, "pid": [os.getpid()]})
