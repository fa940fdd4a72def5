"""What must hold for a campaign to go on, beside its trajectories: a number that is looked at, and its limits."""

from zbo_orchestrator.interlocks.interlock import Interlock, Latch, Reading
from zbo_orchestrator.interlocks.monitor import Monitor

__all__ = ["Interlock", "Latch", "Monitor", "Reading"]
