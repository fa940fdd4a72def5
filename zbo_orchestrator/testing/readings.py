"""What an instrument's outputs read, against what they read in its safe state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zbo_orchestrator.instrument import Healthy, Safe
from zbo_orchestrator.testing.promises import Broken

SCATTER = 0.01
"""How far a reading may lie from the same reading at rest: a switch differs by 1, a voltage never repeats."""


def left_safe(instrument: Any, safe: Mapping[str, float]) -> str:
    """Read the outputs, and raise `Broken` unless they are as in the safe state; how they were read, in words."""
    read = outputs(instrument, safe)
    how = "its health"
    if not read and isinstance(instrument, Safe):
        read, how = instrument.safe_state(), "its safe state"
    compare(read, safe)
    return f"{how} reads {words(read)}" if read else "nothing of it can be read"


def words(readings: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in readings.items())


def outputs(instrument: Any, safe: Mapping[str, float]) -> Mapping[str, float]:
    """What the health tells under the names of the safe state's read-back."""
    health = instrument.health() if isinstance(instrument, Healthy) else {}
    return {name: health[name] for name in safe if name in health}


def compare(read: Mapping[str, float], safe: Mapping[str, float]) -> None:
    if off := {name: value for name, value in read.items() if not abs(value - safe[name]) <= SCATTER}:
        raise Broken(f"it reads {words(off)}; wanted {words({name: safe[name] for name in off})}")
