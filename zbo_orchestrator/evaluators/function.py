"""A plain function as an evaluator: it takes a trajectory and its measurement, and returns a score."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

from zbo_orchestrator.model import ExecutionError, Measurement, Score, Trajectory


class Function:
    """Calls a function with trajectory, measurement and its own options, and takes a `Score` or a number.

    Raises `ExecutionError` where the function returns anything else.
    """

    def __init__(self, function: Callable[..., Any], /, **options: Any) -> None:
        self._function, self._options = function, options

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        returned = self._function(trajectory, measurement, **self._options)
        if isinstance(returned, Score):
            return returned
        if not isinstance(returned, Real) or isinstance(returned, bool):
            name = getattr(self._function, "__name__", "the function")
            raise ExecutionError(f"{name} returned {type(returned).__name__}; wanted a number, or a Score")
        return Score(float(returned))
