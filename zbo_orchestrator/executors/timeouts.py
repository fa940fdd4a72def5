"""How long each layer of supervision waits before the next one acts."""

from __future__ import annotations

from dataclasses import dataclass, fields

from zbo_orchestrator.model import ConfigurationError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds.

    trial      a whole trial; None: as long as it takes
    heartbeat  a process that was silent for so long counts as hung
    ask        to end at the next report, once asked to
    abort      to end, once aborted; also what a dying campaign's executor is given to make safe by itself
    safe       to drive to the safe state and read it back
    terminate  to exit, once told by SIGTERM; likewise by SIGKILL
    start      to import, connect and stage
    lease      for whoever still makes the instrument safe to be done with it
    """

    trial: float | None = None
    heartbeat: float = 5.0
    ask: float = 2.0
    abort: float = 2.0
    safe: float = 10.0
    terminate: float = 2.0
    start: float = 120.0
    lease: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"time-out {field.name} is {value}; wanted a positive number of seconds")

    @property
    def beat(self) -> float:
        """Seconds between heartbeats."""
        return self.heartbeat / 10
