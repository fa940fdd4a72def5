"""Faults to order: each strikes whenever one of its commands comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType

from zbo_orchestrator.model import ConfigurationError

FAULTS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "drop": (("*ESR?",), "closes the connection"),
        "hang": (("*ESR?",), "never answers on this connection again"),
        "late": (("*ESR?",), "answers after --lateness seconds"),
        "garbage": (("*ESR?",), "answers with bytes that mean nothing"),
        "refuse": (("INITiate",), "refuses the command with an error in the queue"),
        "ignore-abort": (("ABORt", "OUTPut OFF", "*RST"), "does not stop when told to, the emergency stop excepted"),
        "restart": (("*TRG",), "closes every connection, is away for --downtime seconds, forgets everything"),
        "wrong-identity": (("*IDN?",), "says that it is another instrument"),
        "nan": (("FETCh:DATA?",), "measures numbers that are none"),
    }
)
"""What can go wrong, at which commands unless told otherwise, and in words."""


FIXED = ("wrong-identity", "nan")
"""Faults in what is answered, which make sense at one query only."""


@dataclass(slots=True)
class Fault:
    """One fault: the patterns of the commands it strikes at, and how often it still will."""

    commands: frozenset[str]
    left: float


class Faults:
    """The faults that are switched on."""

    def __init__(self, meant: Callable[[str], str]) -> None:
        """`meant` finds the pattern of a header; it raises `ConfigurationError` for one that is no command."""
        self._meant = meant
        self._on: dict[str, Fault] = {}

    def switch_on(self, text: str, times: float = float("inf")) -> None:
        """Switch on `NAME`, or `NAME@HEADER` to strike at another command."""
        name, _, header = text.partition("@")
        if name not in FAULTS:
            raise ConfigurationError(f"fault {name!r}; wanted one of {', '.join(FAULTS)}")
        if header and name in FIXED:
            raise ConfigurationError(f"fault {text!r}; wanted {name} alone: it strikes at {FAULTS[name][0][0]}")
        commands = [header] if header else FAULTS[name][0]
        self._on[name] = Fault(frozenset(self._pattern(command) for command in commands), times)

    def clear(self) -> None:
        self._on.clear()

    def strikes(self, name: str, commands: Set[str]) -> bool:
        """Whether a fault strikes now at a command, given by all its patterns; that counts as one time."""
        fault = self._on.get(name)
        if fault is None or not fault.commands & commands or fault.left <= 0:
            return False
        fault.left -= 1
        return True

    def __str__(self) -> str:
        return ",".join(name for name, fault in self._on.items() if fault.left > 0) or "none"

    def _pattern(self, command: str) -> str:
        header, _, argument = command.partition(" ")
        return f"{self._meant(header)} {argument}".strip()
