"""A simulated supply that keeps every promise; the zoo's animals are its relatives (see `zoo`)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Array, Channel, ExecutionError, FatalError, Measurement, Run, Stopped, Trajectory

CHANNELS = (Channel("bias", "V"),)


def panel() -> str:
    """The file that is the supply of this user's zoo."""
    return str(Path(tempfile.gettempdir()) / f"zbo-zoo-{os.getuid()}")


@dataclass
class Tame:
    """Keeps every promise: holds each value for `dwell` seconds and measures the values it held.

    panel  the file that is the supply's output
    """

    breaks: ClassVar[str] = ""
    repeatable: ClassVar[bool] = True
    panel: str = field(default_factory=panel)
    dwell: float = 0.002

    def __post_init__(self) -> None:
        self.connected = self.busy = False
        self.aborted = ""
        self.trials = 0

    # --- what it is

    @property
    def resource(self) -> str:
        return f"zoo:{self.panel}"

    def describe(self) -> Description:
        envelope = Envelope({"bias": Limits(-5, 5, slew=1000)}, duration=60)
        return Description(f"ZOO,{type(self).__name__},{self.panel},1", CHANNELS, envelope, simulated=True)

    def check(self, trajectory: Trajectory) -> None:
        self.describe().envelope.refuse(trajectory)

    def health(self) -> Mapping[str, float]:
        return {"output": self._output}

    # --- what it does

    def connect(self) -> None:
        self.connected = True

    def close(self) -> None:
        self.connected = False

    def safe_state(self) -> Mapping[str, float]:
        self._switch(on=False)
        if self._output:
            raise FatalError(f"{self.panel} was switched off and reads on")
        return self.health()

    def abort(self, reason: str) -> None:
        self.aborted = reason

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        self.check(trajectory)
        self._begin()
        try:
            for step, value in enumerate(trajectory.values):
                self._switch(on=True)
                time.sleep(self.dwell)
                self._report(run, step, trajectory.steps, level=float(value[0]))
                self._obey_abort()
                if step == min(1, trajectory.steps - 1):
                    self.misbehave()
            return Measurement({"level": self.measured(trajectory.values)})
        finally:
            self._switch(on=False)
            self.busy = False

    # --- what its relatives do otherwise

    def misbehave(self) -> None:
        """Called once a trial, after its second step, or its only one."""

    def measured(self, values: Array) -> Array:
        """What is said to be measured, of the values [step, 1] that were held."""
        return values

    def _begin(self) -> None:
        if self.busy:
            raise ExecutionError("a trial is running; wanted one at a time")
        self.busy, self.aborted = True, ""
        self.trials += 1

    def _report(self, run: Run, step: int, of: int, **values: float) -> None:
        run.report(step, of, **values)

    def _obey_abort(self) -> None:
        if self.aborted:
            raise Stopped(self.aborted)

    @property
    def _output(self) -> float:
        path = Path(self.panel)
        return float(path.read_text() or 0) if path.exists() else 0.0

    def _switch(self, *, on: bool) -> None:
        descriptor = os.open(self.panel, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, b"1" if on else b"0", 0)  # one byte: nobody reads half a state
        finally:
            os.close(descriptor)
