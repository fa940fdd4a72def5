"""The score that was told along with a trial, as it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, isnan

from zbo_orchestrator.evaluators.measured import finite
from zbo_orchestrator.model import ExecutionError, Measurement, Score, Trajectory


@dataclass(frozen=True)
class Told:
    """The measured number called "value", with the one called "noise" as its standard deviation; NaN: not known."""

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:  # noqa: ARG002
        value = finite(measurement, "value")
        if value.size != 1:
            raise ExecutionError(f"value holds {value.size} numbers; wanted one")
        return Score(float(value.item()), noise=_noise(measurement))


def _noise(measurement: Measurement) -> float | None:
    if "noise" not in measurement.arrays:
        return None
    noise = measurement.arrays["noise"]
    if noise.size != 1 or noise.dtype.kind not in "fiu" or noise.item() < 0 or isinf(noise.item()):
        raise ExecutionError(f"noise is {noise.tolist()}; wanted one finite number, 0 or more")
    return None if isnan(noise.item()) else float(noise.item())
