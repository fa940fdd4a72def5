"""One run of the generator: the waveform goes out, the specimen answers, somebody may stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from zbo_orchestrator.model import ExecutionError, Measurement, Stopped, Trajectory
from zbo_scpi.simulator.specimen import Specimen

Ended = Callable[["Playing", Measurement | ExecutionError], None]


@dataclass(eq=False)
class Playing:
    """A run in a thread of its own that lasts at least pace x duration seconds; `ended` is called when it is over."""

    volts: Trajectory
    specimen: Specimen
    pace: float
    ended: Ended
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._run, name="waveform", daemon=True).start()

    def stop(self) -> None:
        """Let go of the specimen as soon as it looks up."""
        self._stopped.set()

    def _run(self) -> None:
        until = time.monotonic() + self.pace * self.volts.duration
        outcome: Measurement | ExecutionError = ExecutionError("the specimen broke")
        try:
            outcome = self.specimen(self.volts, self._report)
            self._stopped.wait(max(until - time.monotonic(), 0.0))
        except ExecutionError as error:
            outcome = error
        finally:  # a bug in the specimen is told by the thread; the clients are not left waiting for it
            self.ended(self, outcome)

    def _report(self, step: int, of: int, **values: float) -> None:  # noqa: ARG002 (a `model.Report`)
        if self._stopped.is_set():
            raise Stopped("the generator was stopped")


@dataclass(frozen=True, slots=True)
class Noise:
    """Normal noise of a standard deviation on every number that the specimen answers; none for 0."""

    deviation: float
    generator: np.random.Generator

    def on(self, measurement: Measurement) -> Measurement:
        if not self.deviation:
            return measurement
        arrays = {
            name: values + self.generator.normal(0.0, self.deviation, values.shape)
            for name, values in measurement.arrays.items()
        }
        return Measurement(arrays, measurement.dims, measurement.units, measurement.executed)
