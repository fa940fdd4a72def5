"""Specimens with known loops: one file with an ellipse at every point, larger from left to right and top to bottom."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zbo_microscope.executor import MicroscopeExecutor
from zbo_microscope.loop_file import LoopFile
from zbo_orchestrator.model import Array, Channel, Trajectory

ROWS, COLUMNS, STEPS = 6, 9, 200
SIZE = (4.0, 2.0)


def areas() -> Array:
    """The area [row, column] of each loop."""
    return 10.0 * np.arange(ROWS)[:, None] + np.arange(COLUMNS) + 1


def film(folder: Path) -> LoopFile:
    """A scan of 4 x 2 um with 9 x 6 points: bias 3 sin(phase), response lagging by a quarter of a turn."""
    phase = np.linspace(0, 2 * np.pi, STEPS, endpoint=False)
    np.savez(folder / "film.npz", bias=3 * np.sin(phase), response=-areas()[..., None] / (3 * np.pi) * np.cos(phase))
    return LoopFile(folder / "film.npz", size=SIZE, unit="um")


def at(x: float, y: float) -> Trajectory:
    """A stage position."""
    return Trajectory(np.array([[x, y]]), 1.0, (Channel("x", "um"), Channel("y", "um")))


def microscope(folder: Path, **options: object) -> MicroscopeExecutor:
    return MicroscopeExecutor(scan=film(folder), **options)  # type: ignore[arg-type]
