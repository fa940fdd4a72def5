"""What a person sees while a campaign runs: bars on a terminal, plain lines in a pipe, curves as text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite, nan
from typing import Self

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History
from zbo_orchestrator.model import Array, ExecutionError, Goal, Trajectory, Trial

LONG = 2.0
"""Seconds after which a trial gets a bar of its own."""
SILENT = 30.0
"""Seconds after which a running trial gets a line where there are no bars."""
SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(slots=True)
class Best:
    """The best trial so far."""

    goal: Goal
    number: int | None = None
    value: float = nan

    def see(self, number: int, value: float) -> bool:
        """Take note of a trial; whether it is the new best."""
        if not isfinite(value) or (isfinite(self.value) and self.goal.gain(value) <= self.goal.gain(self.value)):
            return False
        self.number, self.value = number, value
        return True

    def __str__(self) -> str:
        return "no score yet" if self.number is None else f"best {self.value:.6g} (trial {self.number})"


class Screen(Watcher):
    """Shows a campaign as it goes: its preparation, then its trials. A context manager; `total` trials are wanted."""

    def __init__(self, console: Console, best: Best) -> None:
        self._console = console
        self._best = best
        self._total = self._done = self._held = 0
        self._began = time.monotonic()
        self._bars = _bars(console) if console.is_terminal else None
        self._tasks: dict[str, TaskID] = {}
        self._tenth = -1
        self._why = ""
        self._running: dict[int, float] = {}  # when a trial was first heard of, or without bars last told of

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def training(self, step: int, of: int, **values: float) -> None:
        self.working("decoder", step, of, **values)

    def working(self, title: str, step: int, of: int, **values: float) -> None:
        """Long work beside trials: a bar, or a line for each tenth of it."""
        tenth = step * 10 // max(of, 1)
        said = _said(values)
        if self._bars is not None:
            self._advance(title, step, of, said)
        elif tenth != self._tenth:
            self._tenth = tenth
            self._line(f"{title} {step}/{of}  {said}")

    def opened(self, history: History) -> None:
        self._total = history.budget.total
        self._done = self._held = len(history.values) - len(history.waiting())
        self._began = time.monotonic()
        for number, value in enumerate(history.values):
            self._best.see(number, float(value))
        if self._held and self._bars is None:
            self._line(f"going on after {self._held} trials of {self._total}; {self._best}")
        elif self._bars is not None:
            self._advance("trials", self._done, self._total, str(self._best))

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        since = now - self._running.setdefault(number, now)
        if self._bars is not None and since > LONG:
            self._advance(f"trial {number}", step, of, _said(values))
        elif self._bars is None and since > SILENT:
            self._running[number] = now
            self._line(f"trial {number} at {step}/{of}  {_said(values)}")

    def recorded(self, history: History, trial: Trial) -> None:  # noqa: ARG002 (a watcher is given the history too)
        self._done += 1
        self._running.pop(trial.number, None)
        new = self._best.see(trial.number, trial.value)
        if self._bars is not None:
            self._put_away(f"trial {trial.number}")
            if isinstance(trial.outcome, ExecutionError):
                self._line(_verdict(trial))
            self._advance("trials", self._done, self._total, str(self._best))
        else:
            best = f"{'new ' if new else ''}{self._best}"
            self._line(f"{self._done}/{self._total}  {_verdict(trial)}  {best}  {self._left()} left")

    def interlocked(self, why: str) -> None:
        self._line(f"held: {why}" if why else "going on")

    def held(self, history: History, why: str) -> None:
        if why != self._why:
            self._line(f"waiting: {why}{_way_out(history, why)}" if why else "going on")
        self._why = why

    def _left(self) -> timedelta:
        share = (time.monotonic() - self._began) / max(self._done - self._held, 1)
        return timedelta(seconds=round(share * max(self._total - self._done, 0)))

    def _advance(self, title: str, step: int, of: int, said: str) -> None:
        assert self._bars is not None
        if title not in self._tasks:
            self._tasks[title] = self._bars.add_task(title, total=of, said=said)
        self._bars.update(self._tasks[title], completed=step, total=of, said=said)

    def _put_away(self, title: str) -> None:
        assert self._bars is not None
        if title in self._tasks:
            self._bars.remove_task(self._tasks.pop(title))

    def _line(self, text: str) -> None:
        self._console.print(text.rstrip(), markup=False, highlight=False, soft_wrap=True)


def _way_out(history: History, why: str) -> str:
    """What to type, on a line of its own for each way."""
    ways = ["resume"] if why.startswith("paused") else ["approve", "veto"]
    return "".join(f"\n  zbo {way} {history.path}" for way in ways)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        console=console,
    )


def _said(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


def _verdict(trial: Trial) -> str:
    said = f"{trial.outcome}" if isinstance(trial.outcome, ExecutionError) else f"{trial.value:.6g}"
    return f"trial {trial.number} {trial.status.name.lower()}: {said}"


def sparkline(values: Sequence[float] | Array, width: int = 60) -> str:
    """Values in one line of block characters; gaps where they are not finite."""
    array = np.asarray(values, dtype=float)
    if len(array) > width:
        array = np.array([part[-1] for part in np.array_split(array, width)])
    finite = array[np.isfinite(array)]
    if not len(finite):
        return " " * len(array)
    low, span = finite.min(), np.ptp(finite) or 1.0
    return "".join(SPARKS[int((v - low) / span * 7.999)] if isfinite(v) else " " for v in array)


def plot(trajectory: Trajectory, width: int = 64, height: int = 6) -> Iterator[str]:
    """A single trajectory as lines of Braille dots, one picture a channel."""
    for index, channel in enumerate(trajectory.channels):
        curve = trajectory.values[:, index]
        low, high = float(curve.min()), float(curve.max())
        yield f"{channel.name}{f' [{channel.unit}]' if channel.unit else ''}"
        if trajectory.steps == 1:
            yield f"  {low:.6g}"
            continue
        rows = _braille(curve, width, height)
        labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
        yield from (f"{label:>9} ┤{row}" for label, row in zip(labels, rows, strict=True))
    if trajectory.steps > 1:
        end = f"{trajectory.duration:.4g}"
        yield f"{'0':>11}{end:>{width - 1}}"


_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of a Braille cell, [row, column]."""


def _braille(curve: Array, width: int, height: int) -> list[str]:
    """A line through all values: each of 2 x width columns is filled between its lowest and highest value."""
    rows, columns = 4 * height, 2 * width
    span = np.ptp(curve) or 1.0
    at = np.interp(np.linspace(0, len(curve) - 1, columns + 1), np.arange(len(curve)), curve)
    level = np.round((at - curve.min()) / span * (rows - 1)).astype(int)
    cells = np.zeros((height, width), dtype=int)
    for column in range(columns):
        first, last = sorted((level[column], level[column + 1]))
        for dot in range(first, max(last, first + 1)):
            row = rows - 1 - dot
            cells[row // 4, column // 2] |= _DOTS[row % 4, column % 2]
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]
