"""Headers of SCPI: short and long forms, optional parts, numbers at their ends, and which command one stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from zbo_scpi.simulator.status import ScpiError

_PIECE = re.compile(r"([A-Z]+)([a-z]*)|.")
_PLAIN: Mapping[str, str] = {"[": "(?:", "]": ")?", "#": r"(\d+)?", "?": r"\?", "*": r"\*", ":": ":"}
Meaning = TypeVar("Meaning")


def expression(pattern: str) -> re.Pattern[str]:
    """What matches a pattern such as `[SOURce#:]FUNCtion:ARBitrary?`: capitals are the short form, # is a number."""

    def piece(found: re.Match[str]) -> str:
        short, rest = found[1], found[2]
        return f"{short}(?:{rest})?" if short else _PLAIN[found[0]]

    return re.compile(_PIECE.sub(piece, pattern), re.IGNORECASE)


@dataclass(slots=True)
class Table(Generic[Meaning]):
    """Commands by their patterns."""

    commands: Mapping[str, Meaning]
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)
    _expressions: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._expressions = [(pattern, expression(pattern)) for pattern in self.commands]

    def find(self, header: str) -> tuple[str, int]:
        """(pattern, number at its end, 1 where none stands there); `ScpiError` for a header that nothing matches."""
        if header not in self._known:
            self._known[header] = self._search(header)
        return self._known[header]

    def _search(self, header: str) -> tuple[str, int]:
        for pattern, matches in self._expressions:
            if found := matches.fullmatch(header):
                return pattern, int(next((number for number in found.groups() if number), "1"))
        raise ScpiError(-113, header)


def absolute(header: str, path: str) -> tuple[str, str]:
    """(the header from the root, the path for the next unit): a header without a colon goes on where the last one was.

    After `SOURce:VOLTage 1` the header `FREQuency` is `SOURce:FREQuency`; common commands (*) leave the path alone.
    """
    if header.startswith("*"):
        return header, path
    whole = header[1:] if header.startswith(":") else f"{path}{header}"
    return whole, whole[: whole.rfind(":") + 1]
