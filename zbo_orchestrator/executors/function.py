"""A plain function as an executor: it takes a trajectory and returns what was measured.

    def heat(trajectory, *, gain: float = 1.0):
        return {"temperature": 293 + gain * trajectory.values[:, 0].cumsum() * trajectory.dt}

    Function(heat, gain=2.0)

In a campaign file `executor: {use: "mylab:heat", gain: 2.0}`, with --allow-code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zbo_orchestrator.model import Array, ExecutionError, Measurement, Run, Trajectory


class Function:
    """Calls a function with the trajectory and its own options, and takes a `Measurement` or arrays by name.

    Repeatable where the function has an attribute `repeatable` that is true. Pickled by the function's name: one that
    is to run in a process of its own stands at the top of a module. Raises `ExecutionError` where the function returns
    anything else; what the function itself raises passes, an error that is not ours as a bug.
    """

    def __init__(self, function: Callable[..., Any], /, **options: Any) -> None:
        self._function, self._options = function, options
        self.repeatable = bool(getattr(function, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        run.report(0, trajectory.steps)
        returned = self._function(trajectory, **self._options)
        run.report(trajectory.steps, trajectory.steps)
        return _measurement(getattr(self._function, "__name__", "the function"), returned)


def _measurement(name: str, returned: object) -> Measurement:
    if isinstance(returned, Measurement):
        return returned
    if not isinstance(returned, Mapping):
        raise ExecutionError(f"{name} returned {_brief(returned)}; wanted a Measurement, or arrays by name")
    return Measurement({key: _array(name, key, values) for key, values in returned.items()})


def _array(name: str, key: object, values: object) -> Array:
    if not isinstance(key, str):
        raise ExecutionError(f"{name} returned an array named {key!r}; wanted text")
    try:
        array = np.asarray(values)
    except ValueError as ragged:
        raise ExecutionError(f"{name} returned {key} as {_brief(values)}; wanted an array of numbers") from ragged
    if array.dtype.kind not in "biufc":
        raise ExecutionError(f"{name} returned {key} as {_brief(values)}; wanted an array of numbers")
    return array


def _brief(value: object) -> str:
    """The type of what was met, and the beginning of it on one line."""
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text if len(text) <= 40 else f'{text[:37]}...'}"
