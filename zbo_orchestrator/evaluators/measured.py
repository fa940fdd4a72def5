"""Reading a measurement: an array by its name, or an `ExecutionError` that says what is wrong with it."""

from __future__ import annotations

import numpy as np

from zbo_orchestrator.model import Array, ExecutionError, Measurement


def finite(measurement: Measurement, name: str) -> Array:
    """The array of a name; raises `ExecutionError` where there is none, or it holds anything but finite numbers."""
    if name not in measurement.arrays:
        raise ExecutionError(
            f"nothing measured is called {name}; there is {', '.join(measurement.arrays) or 'nothing'}"
        )
    values = measurement.arrays[name]
    if values.dtype.kind not in "fiu":
        raise ExecutionError(f"{name} holds {values.dtype}; wanted numbers")
    if not np.isfinite(values).all():
        raise ExecutionError(f"{name} holds {values[~np.isfinite(values)].flat[0]}; wanted finite numbers")
    return values
