"""Candidates that form a regular grid in two latent dimensions, as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zbo_orchestrator.model import Array, Space


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Ascending or descending coordinates x[i] and y[j], and how candidates are laid over them."""

    x: Array
    y: Array
    x_first: bool

    def image(self, values: Array) -> Array:
        """values[candidate] as a picture [y, x]."""
        if self.x_first:
            return values.reshape(len(self.x), len(self.y)).T
        return values.reshape(len(self.y), len(self.x))

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top: half a cell beyond the outer points."""
        dx = (self.x[-1] - self.x[0]) / max(len(self.x) - 1, 1) / 2
        dy = (self.y[-1] - self.y[0]) / max(len(self.y) - 1, 1) / 2
        return (self.x[0] - dx, self.x[-1] + dx, self.y[0] - dy, self.y[-1] + dy)


def grid_of(space: Space) -> Grid | None:
    """The grid that a two-dimensional space's candidates form, None where they form none."""
    if space.dimension != 2 or space.shape is None or len(space.shape) != 2 or min(space.shape) < 2:
        return None
    points = space.candidates.reshape(*space.shape, 2)
    for x_first, x, y in ((True, points[:, 0, 0], points[0, :, 1]), (False, points[0, :, 0], points[:, 0, 1])):
        wanted = np.meshgrid(x, y, indexing="ij" if x_first else "xy")
        if np.allclose(points, np.stack(wanted, axis=-1)) and np.ptp(x) > 0 and np.ptp(y) > 0:
            return Grid(x, y, x_first)
    return None
