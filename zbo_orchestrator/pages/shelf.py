"""The histories in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from zbo_orchestrator.history import Record, disk, held_by
from zbo_orchestrator.model import HistoryError
from zbo_orchestrator.report.wording import moment, number, state_words

DEPTH = 4
"""Folders below the one that is served in which histories are looked for."""
_BESIDE = {".scan", ".final", ".scratch", ".inbox", ".room", ".unborn"}
"""Endings of what stands beside a history (`Place.beside`), stores of their own among them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A history in a table of contents, in words."""

    campaign: str
    state: str
    trials: str
    best: str
    changed: str


def histories(folder: Path) -> Iterator[Path]:
    """The local histories in a folder, by name; links and hidden, unreadable and unprintable folders are left out."""
    for place, inner, _ in os.walk(folder):
        path = Path(place)
        if found := is_history(path):
            yield path
        deep = len(path.relative_to(folder).parts) >= DEPTH
        inner[:] = [] if found or deep else sorted(name for name in inner if _may_hold(path / name))


def is_history(path: Path) -> bool:
    """Whether a folder is one that may be looked into."""
    try:
        return disk.exists(path)
    except PermissionError:
        return False


def _may_hold(path: Path) -> bool:
    plain = path.name.isprintable() and not path.name.startswith(".")
    return plain and path.suffix not in _BESIDE and os.access(path, os.R_OK | os.X_OK)


def line(path: Path) -> Line:
    """Read anew only when there is a new commit; one that cannot be read says why."""
    try:
        read = _line(path, disk.reference(path))
        return replace(read, state=state_words(read.state, None, held_by(path))) if read.state == "running" else read
    except (HistoryError, OSError) as unreadable:
        return Line("", str(unreadable), "", "", "")


@lru_cache(maxsize=1024)
def _line(path: Path, _commit: str | None) -> Line:
    record = Record.read(path)
    gains = record.goal.gain(np.asarray(record.values, dtype=float))
    best = number(float(record.values[int(np.nanargmax(gains))])) if np.isfinite(gains).any() else ""
    ended = record.recorded_at[np.isfinite(record.recorded_at)]
    state = state_words(record.state, record.stop_reason, "somebody")  # who writes is looked up each time
    done = f"{len(ended)} of {record.budget.total}"
    changed = moment(float(ended.max())) if len(ended) else ""
    return Line(record.name, state, done, best, changed)
