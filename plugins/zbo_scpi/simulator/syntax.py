"""Program messages of IEEE 488.2: framed from a stream of bytes, cut into units, binary blocks taken as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zbo_scpi.simulator.status import ScpiError

LONGEST = 256 << 20
"""Bytes of the longest block that is taken in."""
_FRAMING = re.compile(rb"[\n\"'#]")
_CUTTING = re.compile(rb"[;,\"'#]")
_UNIT = re.compile(rb"\s*(\S+)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Unit:
    """One command or query: its header as sent, and its arguments: text without quotes, or the bytes of a block."""

    header: str
    arguments: tuple[str | bytes, ...] = ()


class Framer:
    """Finds messages in bytes that come in pieces; a line feed inside a block or a string ends none."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every message that is whole by now, without its line feed; `ScpiError` for a block beyond `LONGEST`."""
        self._buffer += data
        while (end := self._end()) is not None:
            message = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._seen = 0
            yield message

    def _end(self) -> int | None:
        while mark := _FRAMING.search(self._buffer, self._seen):
            if mark[0] == b"\n":
                return mark.start()
            after = _after(self._buffer, mark.start())
            self._seen = mark.start() if after is None else after
            if after is None:
                return None
        self._seen = len(self._buffer)
        return None


def units(message: bytes) -> list[Unit]:
    """The units of a message in order; raises `ScpiError` for what is no unit."""
    return [_unit(part) for part in _cut(message, b";") if part.strip()]


def block(data: bytes) -> bytes:
    """A definite-length block: `#`, how many digits, how many bytes, the bytes."""
    size = b"%d" % len(data)
    return b"#%d%s%s" % (len(size), size, data)


def _unit(part: bytes) -> Unit:
    found = _UNIT.match(part)
    assert found is not None, "an empty part is no unit"
    header, rest = found.groups()
    arguments = [_argument(each.lstrip()) for each in _cut(rest, b",")] if rest else []
    return Unit(_text(header), tuple(arguments))


def _argument(text: bytes) -> str | bytes:
    if text[:1] in (b'"', b"'"):
        inside, quote = text.strip()[1:-1], text[:1]
        if text.strip()[-1:] != quote or len(text.strip()) < 2:
            raise ScpiError(-151, _text(text))
        return _text(inside.replace(2 * quote, quote))
    if text[:1] == b"#" and text[1:2].isdigit():
        digits = int(text[1:2])
        after = _after(text, 0)
        if not digits or after is None or after == 1 or text[after:].strip():
            raise ScpiError(-161, "wanted # d n..n and as many bytes as n..n says")
        return text[2 + digits : after]
    return _text(text.strip())


def _cut(text: bytes, separator: bytes) -> Iterator[bytes]:
    """The parts between separators that are inside no string and no block."""
    start = at = 0
    while mark := _CUTTING.search(text, at):
        at = mark.end()
        if mark[0] == separator:
            yield text[start : mark.start()]
            start = at
        elif mark[0] not in b";,":
            after = _after(text, mark.start())
            at = len(text) if after is None else after
    yield text[start:]


def _after(text: bytes | bytearray, start: int) -> int | None:
    """Where the string or block that begins at `start` is over, None where that is not in sight; else start + 1."""
    return _after_block(text, start) if text[start] == ord("#") else _after_string(text, start)


def _after_string(text: bytes | bytearray, start: int) -> int | None:
    """Two quotes side by side stand for one and read as two strings, which end at the same place."""
    close, line = text.find(text[start : start + 1], start + 1), text.find(b"\n", start)
    if line >= 0 and not 0 <= close < line:
        return line  # a string that was never closed ends with its line: what follows it shall be understood again
    return close + 1 if close >= 0 else None


def _after_block(text: bytes | bytearray, start: int) -> int | None:
    digits = text[start + 1 : start + 2]
    if not digits:
        return None
    if digits not in b"123456789":
        return start + 1  # #H and the like, or a block without a length
    begin = start + 2 + int(digits)
    said = text[start + 2 : begin]
    if said and not said.isdigit():
        return start + 1
    if len(said) < int(digits):
        return None
    if int(said) > LONGEST:
        raise ScpiError(-363, f"a block of {int(said)} bytes; wanted at most {LONGEST}")
    return begin + int(said) if begin + int(said) <= len(text) else None


def _text(raw: bytes | bytearray) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise ScpiError(-101, f"byte {raw[error.start]:#04x}") from error
