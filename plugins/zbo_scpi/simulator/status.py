"""What an instrument says of itself: the registers of IEEE 488.2 and SCPI, and the queue of errors.

One `Status` a connection, as generators with several interfaces keep it: a client reads its own errors and nobody
else's, and what concerns all (the end of a run, an emergency stop) is told to each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

OPERATION_COMPLETE, QUERY, DEVICE, EXECUTION, COMMAND, POWER_ON = 1, 4, 8, 16, 32, 128
"""Bits of the standard event status register."""
_ERRORS_WAIT, _QUESTIONABLE, _EVENT, _SERVICE, _OPERATION = 4, 8, 32, 64, 128
"""Bits of the status byte."""
MEASURING, WAITING_FOR_TRIGGER = 16, 32
"""Bits of the operation condition register."""
INTERLOCK_OPEN, EMERGENCY_STOPPED = 512, 1024
"""Bits of the questionable condition register."""
CAPACITY = 30

ERRORS: Mapping[int, str] = MappingProxyType(
    {
        -101: "Invalid character",
        -104: "Data type error",
        -108: "Parameter not allowed",
        -109: "Missing parameter",
        -113: "Undefined header",
        -114: "Header suffix out of range",
        -151: "Invalid string data",
        -161: "Invalid block data",
        -203: "Command protected",
        -211: "Trigger ignored",
        -213: "Init ignored",
        -221: "Settings conflict",
        -222: "Data out of range",
        -223: "Too much data",
        -224: "Illegal parameter value",
        -230: "Data corrupt or stale",
        -300: "Device-specific error",
        -350: "Queue overflow",
        -363: "Input buffer overrun",
    }
)
_CLASSES = {1: COMMAND, 2: EXECUTION, 3: DEVICE, 4: QUERY}


class ScpiError(Exception):
    """What ends up in the queue of errors: a number of the standard, and more about it."""

    def __init__(self, number: int, more: str = "") -> None:
        super().__init__(number, more)
        self.number = number
        self.more = more.replace('"', "'")

    @property
    def event(self) -> int:
        """The bit that it sets in the standard event status register."""
        return _CLASSES[-self.number // 100]

    def __str__(self) -> str:
        return f'{self.number},"{ERRORS[self.number]}{"; " if self.more else ""}{self.more}"'


@dataclass(slots=True)
class Register:
    """A SCPI status register: what is so now, what came to be so since it was last read, and which of that counts."""

    condition: int = 0
    event: int = 0
    enable: int = 0

    def see(self, condition: int) -> None:
        """Latch every bit that has just come to be set."""
        self.event |= condition & ~self.condition
        self.condition = condition

    def read(self) -> int:
        """The events, which reading clears."""
        event, self.event = self.event, 0
        return event

    @property
    def summary(self) -> bool:
        return bool(self.event & self.enable)


@dataclass(slots=True, eq=False)
class Status:
    """Registers and errors as one client sees them; two that say the same are still two."""

    event: int = POWER_ON
    event_enable: int = 0
    service_enable: int = 0
    operation: Register = field(default_factory=Register)
    questionable: Register = field(default_factory=Register)
    awaiting: bool = False
    """Whether *OPC was sent and what it waits for is not over."""
    errors: deque[ScpiError] = field(default_factory=deque)

    @property
    def byte(self) -> int:
        """The status byte, as *STB? gives it."""
        bits = _ERRORS_WAIT * bool(self.errors)
        bits |= _QUESTIONABLE * self.questionable.summary | _OPERATION * self.operation.summary
        bits |= _EVENT * bool(self.event & self.event_enable)
        return bits | _SERVICE * bool(bits & self.service_enable)

    def note(self, error: ScpiError) -> None:
        """Queue an error and set its event bit; the last place of a full queue says that it overflowed."""
        self.event |= error.event
        if len(self.errors) < CAPACITY:
            self.errors.append(error)
        else:
            self.errors[-1] = ScpiError(-350)

    def next_error(self) -> str:
        """The oldest error, which leaves the queue; 0 where there is none."""
        return str(self.errors.popleft()) if self.errors else '0,"No error"'

    def read_event(self) -> int:
        """The standard event status register, which reading clears."""
        event, self.event = self.event, 0
        return event

    def completed(self) -> None:
        """All that was going on is over: what *OPC asked to be told."""
        if self.awaiting:
            self.event |= OPERATION_COMPLETE
            self.awaiting = False

    def clear(self) -> None:
        """*CLS: no event and no error left, *OPC forgotten; conditions and enables stay."""
        self.event = self.operation.event = self.questionable.event = 0
        self.awaiting = False
        self.errors.clear()
