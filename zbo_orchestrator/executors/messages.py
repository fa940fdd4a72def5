"""What a campaign's process, its child and its guardian say to one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zbo_orchestrator.arming import Arming
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import ExecutionError, Measurement, Stopped, Trajectory


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to drive an instrument: the lock to hold meanwhile, the fencing number, the campaign in words."""

    driver: Path
    number: int
    words: str


# --- between the campaign and its child ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The child is connected and staged."""

    description: Description | None


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Run this: a run's plain data."""

    trajectory: Trajectory
    number: int
    attempt: int
    seed: int
    scratch: Path


@dataclass(frozen=True, slots=True)
class Report:
    """The trial is at this step; it waits for the answer."""

    step: int
    of: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """Go on, or stop."""

    stopped: Stopped | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """An interlock holds the trial: the answer comes later."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Call the executor's `abort`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The trial failed; the instrument is being made safe."""


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """What came of an order, or of starting or closing; `safe` tells whether the child vouches for the instrument."""

    outcome: Measurement | BaseException | None
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Close:
    """Unstage, close the connection, exit."""


# --- between the campaign and its guardian ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Charge:
    """What to guard: the pickled executor, where its module is found, and which instrument is to answer (None: any)."""

    executor: bytes
    path: tuple[str, ...]
    words: str
    timeouts: Timeouts
    arming: Arming | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody else still has the instrument."""

    words: str


@dataclass(frozen=True, slots=True)
class Made:
    """The instrument is in its safe state, as these words tell."""

    words: str


@dataclass(frozen=True, slots=True)
class MakeSafe:
    """Drive to the safe state, now; answered by `Made` or a `FatalError`."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Ask leave to drive; answered by a `Permit`, which makes all earlier ones void."""


@dataclass(frozen=True, slots=True)
class Release:
    """Nothing is left to guard."""


# --- words -----------------------------------------------------------------------------------------


def read_back(readings: Mapping[str, float]) -> str:
    """What a safe state read back, in words."""
    said = ", ".join(f"{name}={value:g}" for name, value in readings.items())
    return f"safe state read back {said or 'nothing'}"


def adding(error: BaseException, words: str) -> BaseException:
    """The error with more said: in the text of one that is recorded with its trial, else as a note."""
    if isinstance(error, ExecutionError):
        error.args = (f"{error}; {words}",)
    else:
        error.add_note(words)
    return error
