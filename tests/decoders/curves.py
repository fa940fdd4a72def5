"""Small libraries that several decoder tests learn from."""

from __future__ import annotations

from zbo_orchestrator.decoders.families import ModulatedSine
from zbo_orchestrator.decoders.library import draw_library
from zbo_orchestrator.model import Channel, Trajectory

FIELD = (Channel("field", "Ec"),)


def waves(count: int = 200, steps: int = 60, channels: tuple[Channel, ...] = FIELD, seed: int = 0) -> Trajectory:
    """The ferroelectric study's curves, shorter."""
    families = [ModulatedSine(count=count, points=steps * 4 // 3)]
    return draw_library(families, steps=steps, dt=0.05, channels=channels, bounds=(-1.0, 1.0), seed=seed)


def silent(step: int, of: int, **values: float) -> None:
    """A report that nobody reads."""
