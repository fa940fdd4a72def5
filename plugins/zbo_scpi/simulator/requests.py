"""One command or query on its way to the generator: who asks, what was said, and how its arguments are read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from zbo_orchestrator.model import Array
from zbo_scpi.simulator.generator import Generator
from zbo_scpi.simulator.outputs import Output
from zbo_scpi.simulator.status import ScpiError, Status
from zbo_scpi.simulator.syntax import block

if TYPE_CHECKING:
    from zbo_scpi.simulator.faults import Faults

Answer = str | bytes | None
_SWITCH = {"ON": True, "1": True, "OFF": False, "0": False}


@dataclass(slots=True)
class Client:
    """What the generator keeps for one connection: its status, its lease, the form of its blocks."""

    status: Status = field(default_factory=Status)
    lease: int = 0
    item: str = "f8"
    big_endian: bool = True
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype((">" if self.big_endian else "<") + self.item)


class Dropped(Exception):  # noqa: N818 (not an error: it was ordered)
    """The connection is to be closed, and not another word said."""


class Restarting(Exception):  # noqa: N818 (likewise)
    """Power off and on again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One unit of a message, understood as far as its header goes; `number` stood at the header's end."""

    generator: Generator
    faults: Faults
    client: Client
    identity: str
    number: int
    arguments: tuple[str | bytes, ...]

    @property
    def output(self) -> Output:
        """The output that the header names."""
        if not 1 <= self.number <= len(self.generator.outputs):
            raise ScpiError(-114, f"output {self.number} of {len(self.generator.outputs)}")
        return self.generator.outputs[self.number - 1]

    def text(self, index: int = 0) -> str:
        said = self.arguments[index]
        if isinstance(said, bytes):
            raise ScpiError(-104, f"argument {index + 1} is a block; wanted text")
        return said

    def value(self, index: int = 0) -> float:
        """A finite number."""
        try:
            number = float(self.text(index))
        except ValueError as error:
            raise ScpiError(-104, f"{self.text(index)}; wanted a number") from error
        if not np.isfinite(number):
            raise ScpiError(-222, f"{number}; wanted a finite number")
        return number

    def whole(self, upper: int, index: int = 0) -> int:
        """A whole number from 0 to `upper`."""
        number = self.value(index)
        if number != int(number) or not 0 <= number <= upper:
            raise ScpiError(-222, f"{number:g}; wanted a whole number from 0 to {upper}")
        return int(number)

    def choice(self, *known: str, index: int = 0) -> str:
        """One of the words given in SCPI's way, capitals for the short form; the short form comes back."""
        said = self.text(index).upper()
        for word in known:
            short = "".join(letter for letter in word if not letter.islower())
            if said in {short, word.upper()}:
                return short
        raise ScpiError(-224, f"{said}; wanted {', '.join(known)}")

    def switch(self, index: int = 0) -> bool:
        return _SWITCH[self.choice(*_SWITCH, index=index)]

    def samples(self, index: int = 0) -> Array:
        """A block of numbers in the client's form; whole ones are shares of the full scale, 32767."""
        sent = self.arguments[index]
        if isinstance(sent, str):
            raise ScpiError(-104, f"argument {index + 1} is text; wanted a block")
        dtype = self.client.dtype
        if len(sent) % dtype.itemsize:
            raise ScpiError(-161, f"{len(sent)} bytes; wanted a multiple of {dtype.itemsize}")
        return np.frombuffer(sent, dtype) / (32767 if dtype.kind == "i" else 1.0)

    def doubles(self, values: Array) -> bytes:
        """A block of what is measured: always float64, in the client's byte order."""
        return block(values.astype(">f8" if self.client.big_endian else "<f8").tobytes())


@dataclass(frozen=True, slots=True)
class Command:
    """What to do at a header, and with how many arguments (fewest, most)."""

    run: Callable[[Request], Answer]
    fewest: int
    most: int


Run = TypeVar("Run", bound=Callable[[Request], Answer])


class Vocabulary(dict[str, Command]):
    """Commands by their patterns."""

    def at(self, pattern: str, fewest: int = 0, most: int | None = None) -> Callable[[Run], Run]:
        """Registers what to do at a header."""

        def register(run: Run) -> Run:
            self[pattern] = Command(run, fewest, fewest if most is None else most)
            return run

        return register
