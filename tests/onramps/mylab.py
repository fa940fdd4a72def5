"""A laboratory whose instrument is a function, and so is its verdict."""

import numpy as np

from zbo_orchestrator.model import ExecutionError


def heat(trajectory, *, gain: float = 1.0):
    """A sample that is heated, and loses a fifth of what it has gained in every unit of time."""
    power, dt = trajectory.values[:, 0], trajectory.dt
    if power.max() > 8:
        raise ExecutionError(f"the sample melts at {power.max():g} W")
    gained = 0.0
    temperature = []
    for watts in power:
        gained += dt * (gain * watts - 0.2 * gained)
        temperature.append(293 + gained)
    return {"temperature": np.array(temperature)}


heat.repeatable = True


def closeness(trajectory, measurement, *, wanted: float = 300.0) -> float:
    """How near the sample ends to the wanted temperature."""
    return -abs(measurement.arrays["temperature"][-1] - wanted)
