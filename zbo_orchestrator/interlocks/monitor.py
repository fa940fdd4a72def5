"""Looks at interlocks all the time, each in a thread of its own: a reading that hangs keeps no other from tripping."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from zbo_orchestrator.interlocks.interlock import UNREAD, Interlock, Latch
from zbo_orchestrator.model import ZboError

SILENT = 10.0
"""Seconds beyond its `every` after which a reading that has not come counts as one that cannot be had."""

_FIRST = 2.0
"""Seconds to wait for the first readings, which are usually there at once."""


@dataclass(frozen=True, slots=True)
class Change:
    """An interlock tripped, or cleared (`why` is empty then), `at` seconds since the epoch."""

    name: str
    why: str
    action: str
    at: float = field(default_factory=time.time)


@dataclass(slots=True)
class _Watched:
    latch: Latch
    seen: float = field(default_factory=time.monotonic)


class Monitor:
    """A context manager; no interlock counts as clear before it was read. A bug in a reading is raised to who asks."""

    def __init__(self, interlocks: Sequence[Interlock], silent: float = SILENT) -> None:
        self._interlocks, self._silent = interlocks, silent
        self._watched: list[_Watched] = []
        self._changes: list[Change] = []
        self._bugs: list[BaseException] = []
        self._turn = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._watched = [_Watched(Latch(each)) for each in self._interlocks]
        for watched in self._watched:
            name = f"interlock {watched.latch.interlock.name}"
            threading.Thread(target=self._watch, args=(watched,), daemon=True, name=name).start()
        until = time.monotonic() + min(_FIRST, self._silent)
        while any(each.latch.why == UNREAD for each in self._watched) and time.monotonic() < until and not self._bugs:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def tripped(self) -> str:
        """Why nothing may go on, in words; empty where all are clear."""
        return self._words(self._standing())

    def aborting(self) -> str:
        """Why a running trial has to end, in words; empty where it need not."""
        return self._words(each for each in self._standing() if each.interlock.action == "abort" and each.why != UNREAD)

    def changes(self) -> list[Change]:
        """What has tripped and cleared since this was last asked, in order."""
        with self._turn:
            changes, self._changes = self._changes, []
        return changes

    def _standing(self) -> list[Latch]:
        with self._turn:
            if self._bugs:
                raise self._bugs[0]
            for watched in self._watched:
                silence = time.monotonic() - watched.seen
                if silence > self._silent + watched.latch.interlock.every:
                    self._see(watched.latch, f"no reading for {silence:.0f} s")
            return [watched.latch for watched in self._watched if watched.latch.why]

    def _watch(self, watched: _Watched) -> None:
        while not self._ended.is_set():
            try:
                value = _value(watched.latch.interlock)
            except BaseException as bug:  # noqa: BLE001 (raised to whoever asks how things stand)
                self._bugs.append(bug)
                return
            with self._turn:
                watched.seen = time.monotonic()
                self._see(watched.latch, value)
            self._ended.wait(watched.latch.interlock.every)

    def _see(self, latch: Latch, value: float | str) -> None:
        if latch.see(value, time.monotonic()):
            self._changes.append(Change(latch.interlock.name, latch.why, latch.interlock.action))

    @staticmethod
    def _words(latches: Iterable[Latch]) -> str:
        return "; ".join(f"interlock {each.interlock.name}: {each.why}" for each in latches)


def _value(interlock: Interlock) -> float | str:
    try:
        return float(interlock.reading.reading())
    except (ZboError, OSError, ValueError) as error:
        return f"cannot be read: {error}"
