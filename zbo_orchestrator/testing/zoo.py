"""Executors that are broken in one way each: to see a laboratory's guards at work before an instrument is broken.

    zbo certify zbo_orchestrator.testing.zoo:Hangs --allow-code
    executor: {use: "zbo_orchestrator.testing.zoo:Dies"}

Each drives a simulated supply whose output is a file: its first byte is 1 while the output is on, whoever reads it.
`ANIMALS` names them; an animal's `breaks` is the promise (a function of `promises` or `instrument_promises`) that it,
and no other, does not keep.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zbo_orchestrator.model import Array, ExecutionError, Run, Stopped
from zbo_orchestrator.testing.tame import Tame

LONG = 3600.0
"""Seconds that count as for ever."""


class Raises(Tame):
    """Fails every trial, by an error of ours."""

    breaks = "measures"

    def misbehave(self) -> None:
        raise ExecutionError("the sample is loose")


class RaisesAlien(Tame):
    """Fails every trial by an error that is not ours, and so a bug."""

    breaks = "measures"

    def misbehave(self) -> None:
        raise ZeroDivisionError("a bug in the driver")


class Hangs(Tame):
    """Comes to no end, reports nothing any more, and does not look whether it was aborted."""

    breaks = "measures"

    def misbehave(self) -> None:
        threading.Event().wait(LONG)


@dataclass
class Late(Tame):
    """Answers, `lateness` seconds after anybody wanted it."""

    breaks = "measures"
    lateness: float = LONG

    def misbehave(self) -> None:
        until = time.monotonic() + self.lateness
        while time.monotonic() < until and not self.aborted:
            time.sleep(0.01)


class MeasuresNan(Tame):
    """Measures nothing but NaN."""

    breaks = "measures_numbers"

    def measured(self, values: Array) -> Array:
        return np.full_like(values, np.nan)


class WrongShape(Tame):
    """Measures a step less from its second trial on."""

    breaks = "keeps_its_shape"
    repeatable = False

    def measured(self, values: Array) -> Array:
        return values if self.trials == 1 else values[:-1]


class IgnoresAbort(Tame):
    """Is told to abort, and goes on."""

    breaks = "ends_aborted"

    def abort(self, reason: str) -> None:
        """Deaf."""


class Dies(Tame):
    """Takes its process with it."""

    breaks = "measures"

    def misbehave(self) -> None:
        os._exit(3)


@dataclass
class Leaks(Tame):
    """Leaves something behind at every trial."""

    breaks = "leaves_nothing"
    what: Literal["files", "threads", "memory"] = "files"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.left: list[object] = []

    def misbehave(self) -> None:
        if self.what == "files":
            self.left.append(os.dup(0))
        elif self.what == "threads":
            threading.Thread(target=threading.Event().wait, args=(LONG,), daemon=True).start()
        else:
            self.left.append(np.zeros(2**17))


class StartsTwice(Tame):
    """Lets a second trial begin while one runs: two waveforms at once on one output."""

    breaks = "runs_one_trial_at_a_time"

    def _begin(self) -> None:
        self.busy = False
        super()._begin()


class SwallowsStop(Tame):
    """Takes a stop for a hint."""

    breaks = "obeys_a_stop"

    def _report(self, run: Run, step: int, of: int, **values: float) -> None:
        with suppress(Stopped):
            super()._report(run, step, of, **values)


ANIMALS: Mapping[str, type[Tame]] = {
    animal.__name__: animal
    for animal in (
        Raises,
        RaisesAlien,
        Hangs,
        Late,
        MeasuresNan,
        WrongShape,
        IgnoresAbort,
        Dies,
        Leaks,
        StartsTwice,
        SwallowsStop,
    )
}
