"""A scan as a value: the loops of a grid of points, and which point a position is nearest to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError, RefusedError, frozen


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """response[row, column, step] under bias[step], V; a response may be NaN where none was recorded.

    size   position of the last column along x and of the last row along y; the first lie at 0
    unit   of positions
    """

    name: str
    bias: Array
    response: Array
    size: tuple[float, float]
    unit: str

    def __post_init__(self) -> None:
        for name in ("bias", "response"):
            values = getattr(self, name)
            if values.dtype.kind not in "fiu":
                raise ConfigurationError(f"{self.name}: {name} holds {values.dtype}; wanted real numbers")
            object.__setattr__(self, name, frozen(values))
        if self.response.ndim != 3 or min(self.response.shape[:2]) < 2 or self.response.shape[2] < 3:
            raise ConfigurationError(
                f"{self.name}: response has shape {self.response.shape}; "
                "wanted [row, column, step] of 2 rows, 2 columns and 3 steps or more"
            )
        if self.bias.shape != self.response.shape[2:] or not np.isfinite(self.bias).all():
            raise ConfigurationError(
                f"{self.name}: bias has shape {self.bias.shape}, {np.isfinite(self.bias).sum()} of them finite; "
                f"wanted {self.response.shape[2]} finite numbers, one a step"
            )
        if not all(0 < side < np.inf for side in self.size):
            raise ConfigurationError(f"{self.name}: size is {list(self.size)}; wanted two positive numbers")

    def pixel(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) nearest to a position; raises `RefusedError` outside the scanned area."""
        width, height = self.size
        if not (0 <= x <= width and 0 <= y <= height):
            raise RefusedError(
                f"position x = {x:g} {self.unit}, y = {y:g} {self.unit} lies outside the scanned area of {self.name}; "
                f"wanted x in 0 .. {width:g} and y in 0 .. {height:g}"
            )
        rows, columns, _ = self.response.shape
        return round(y / height * (rows - 1)), round(x / width * (columns - 1))

    def position(self, row: int, column: int) -> tuple[float, float]:
        """(x, y) of a pixel: the inverse of `pixel`."""
        rows, columns, _ = self.response.shape
        return column / (columns - 1) * self.size[0], row / (rows - 1) * self.size[1]
