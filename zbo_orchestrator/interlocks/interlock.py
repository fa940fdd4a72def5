"""One interlock: a reading, its limits, and when it has tripped and is clear again."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, Protocol

from zbo_orchestrator.model import ConfigurationError

UNREAD = "not read yet"


class Reading(Protocol):
    """A number from outside the experiment; `unit` says in what."""

    @property
    def unit(self) -> str: ...

    def reading(self) -> float:
        """The number now; raises an `ExecutionError`, `OSError` or `ValueError` where it cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class Interlock:
    """Trips beyond `lower` or `upper`; clears once it was inside by `hysteresis` for `settle` seconds.

    every    seconds between two looks
    action   what becomes of a running trial: held at its next report until it clears, or ended
    """

    name: str
    reading: Reading
    lower: float = -inf
    upper: float = inf
    hysteresis: float = 0.0
    settle: float = 0.0
    every: float = 1.0
    action: Literal["hold", "abort"] = "hold"

    def __post_init__(self) -> None:
        limits = f"interlock {self.name}: {self.lower:g} .. {self.upper:g}"
        if not (isfinite(self.lower) or isfinite(self.upper)):
            raise ConfigurationError(f"{limits}; wanted lower, upper or both")
        if not self.lower + self.hysteresis < self.upper - self.hysteresis:
            raise ConfigurationError(f"{limits} with hysteresis {self.hysteresis:g}; wanted room between them")

    def broken(self, value: float) -> str:
        """Which limit a value breaks, in words; empty where none."""
        met = f"{value:g} {self.reading.unit}".rstrip()
        if value > self.upper:
            return f"{met} above {self.upper:g}"
        if value < self.lower:
            return f"{met} below {self.lower:g}"
        return "" if isfinite(value) else f"{met}; wanted a finite number"

    def clears(self, value: float) -> bool:
        """Whether a value is inside by the hysteresis."""
        return self.lower + self.hysteresis <= value <= self.upper - self.hysteresis


@dataclass(slots=True)
class Latch:
    """Whether an interlock has tripped.

    why   in words; empty while it has not
    """

    interlock: Interlock
    why: str = UNREAD
    _inside_since: float | None = None

    def see(self, value: float | str, now: float) -> bool:
        """Take in a value, or the words why there is none, at `now` seconds; whether it tripped or cleared by that."""
        unread, tripped = self.why == UNREAD, self.why not in ("", UNREAD)
        broken = value if isinstance(value, str) else self.interlock.broken(value)
        if broken:
            self.why, self._inside_since = broken, None
            return not tripped
        if unread:
            self.why = ""
        if not tripped:
            return False
        return self._settled(float(value), now)

    def _settled(self, value: float, now: float) -> bool:
        if not self.interlock.clears(value):
            self._inside_since = None
            return False
        if self._inside_since is None:
            self._inside_since = now
        if now - self._inside_since < self.interlock.settle:
            return False
        self.why, self._inside_since = "", None
        return True
