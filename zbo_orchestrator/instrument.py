"""What an executor that drives an instrument may say and do beyond `execute`: each is optional, found by its Protocol.

    class Heater:
        def describe(self): return Description("ACME,Heater,17,1.0", (Channel("power", "W"),), Envelope(...))
        def connect(self): ...
        def execute(self, trajectory, run): ...
        def safe_state(self): ...

Nothing here imports more than NumPy: the process that outlives all others to make an instrument safe stays small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.model import Channel, Executor, Trajectory


@dataclass(frozen=True, slots=True)
class Description:
    """What an instrument says of itself.

    identity   what it answers to *IDN?, or whatever tells it from every other instrument
    channels   what a trajectory drives, with units, in the order of the trajectory's channels
    envelope   what the hardware bears; the campaign's own envelope may only be stricter
    simulated  whether nothing can be harmed
    """

    identity: str
    channels: tuple[Channel, ...]
    envelope: Envelope = field(default_factory=Envelope)
    simulated: bool = False


@runtime_checkable
class Described(Protocol):
    """Knows what it is; may be asked while it is connected."""

    def describe(self) -> Description: ...


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """An executor whose instrument is not there.

    executor   sends what it would send, to nobody, and is answered as by an instrument that is well: complete at once
    sent       what it has sent so far, a line each; grows
    seconds    in the campaign's unit of time
    """

    executor: Executor
    sent: Sequence[str]
    seconds: float = 1.0


@runtime_checkable
class Rehearsed(Protocol):
    """Can show what it would send."""

    def rehearsal(self, identity: str) -> Rehearsal:
        """The same executor with nothing connected; `identity` is what answers, empty for anything."""
        ...


@runtime_checkable
class Checked(Protocol):
    """Judges a trajectory without moving anything."""

    def check(self, trajectory: Trajectory) -> None:
        """Pure; raises `RefusedError` where the trajectory cannot be run."""
        ...


@runtime_checkable
class Connected(Protocol):
    """Holds a connection; both calls may be repeated."""

    def connect(self) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class Staged(Protocol):
    """Prepares for a campaign, and puts away what it prepared."""

    def stage(self) -> None: ...

    def unstage(self) -> None: ...


@runtime_checkable
class Abortable(Protocol):
    """Can be told to stop what it does, from another thread."""

    def abort(self, reason: str) -> None:
        """Idempotent; returns at once, and `execute` then ends by `Stopped`."""
        ...


@runtime_checkable
class Safe(Protocol):
    """Can be made safe, whatever it was doing."""

    def safe_state(self) -> Mapping[str, float]:
        """Drive to the safe state and read it back: what was read, by name.

        Idempotent, needs no earlier call, and connects by itself; a guardian calls `close` after it. Raises
        `FatalError` where the read-back is not safe.
        """
        ...


@runtime_checkable
class Healthy(Protocol):
    """Tells how it is, in numbers by name."""

    def health(self) -> Mapping[str, float]: ...


@runtime_checkable
class Addressed(Protocol):
    """Says where its instrument is, such as a VISA resource: the lease is known before anything is connected."""

    @property
    def resource(self) -> str: ...


@runtime_checkable
class Fenced(Protocol):
    """Passes a number on to its instrument, which from then on obeys no lower one (a fencing token)."""

    def fence(self, number: int) -> None:
        """Called before every connection is used to drive; only kept, where nothing is connected yet."""
        ...
