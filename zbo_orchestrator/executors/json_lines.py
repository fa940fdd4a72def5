"""Executors that are programs in any language: one JSON object a line on their stdin, one a line on their stdout.

What a program is told, each on one line:

    {"do": "execute", "number": 3, "attempt": 1, "seed": 7, "dt": 0.5,
     "channels": [{"name": "power", "unit": "W"}], "values": [[2.0], [3.0], [1.0]]}
    {"do": "abort", "reason": "time-out"}    end the trial that runs; outside one it means nothing
    {"do": "close"}                          end the trial that runs, and exit; stdin is closed after it

and an instrument (`json-lines-instrument`) besides

    {"do": "describe"}                       may be asked while another campaign has the instrument: move nothing
    {"do": "safe"}                           whatever it was doing: drive to the safe state and read it back

What it says, each on one line and sent at once (flush):

    {"say": "report", "step": 1, "of": 3, "values": {"temperature": 293.4}}
    {"say": "measured", "arrays": {"temperature": [293.4, 294.1, 294.2]}, "units": {"temperature": "K"}}
    {"say": "described", "identity": "ACME heater 17", "channels": [{"name": "power", "unit": "W"}],
     "limits": {"power": {"lower": 0, "upper": 10}}, "duration": 60, "simulated": false}
    {"say": "safe", "readings": {"power": 0.0}}
    {"say": "error", "kind": "ExecutionError", "text": "the lamp is out"}

A trial is any number of reports and then one `measured` or `error`. Nothing answers a report: a trial that is to stop
is sent an abort, and ends by an error of kind Stopped. Other kinds: ExecutionError (the trial failed), RefusedError
(nothing moved), TransientError (may be tried again), FatalError (the apparatus cannot be trusted). A report's `values`,
`units`, `dims` (names of axes), `executed` (what was really applied, as `values`), `limits`, `duration` and `simulated`
may be left out; null is NaN. What a program writes to stderr goes to our log, and its last line into the error.

When its stdin ends, whoever started the program is gone, perhaps killed: it makes its apparatus safe and exits. One
that does not is sent SIGTERM and then SIGKILL, as is all that it started, but only while there is somebody to do so.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, MinLen

from zbo_orchestrator.executors import json_lines_words as words
from zbo_orchestrator.executors.json_lines_program import Program
from zbo_orchestrator.executors.messages import adding
from zbo_orchestrator.model import (
    ConfigurationError,
    FatalError,
    Measurement,
    RefusedError,
    Run,
    Trajectory,
    TransientError,
    ZboError,
)


@dataclass(kw_only=True, eq=False)
class Speaking:
    """A command that speaks JSON lines, and how long it is waited for: what both executors are."""

    command: Annotated[tuple[str, ...], MinLen(1)]
    repeatable: bool = False
    silence: Annotated[float, Gt(0)] = 30.0
    stop: Annotated[float, Gt(0)] = 1.0

    runs_code: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise ConfigurationError(f"command is {list(self.command)}; wanted a program and its arguments")
        for name in ("silence", "stop"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted above 0, and finite")
        self._aborted = ""

    def _run(self, program: Program, trajectory: Trajectory, run: Run) -> Measurement:
        """One trial; the program is idle after it, or ended, unless something other than a `ZboError` is raised."""
        if trajectory.values.ndim != 2 or not np.isfinite(trajectory.values).all():
            raise RefusedError(f"trajectory of shape {trajectory.values.shape}; wanted finite values[step, channel]")
        run.report(0, trajectory.steps)
        program.send(words.execute(trajectory, run))
        if self._aborted:  # before it could be told
            program.send(words.abort(self._aborted))
        while (said := program.receive(self.silence))["say"] == "report":
            self._report(program, run, *program.understood(words.report, said))
        if said["say"] == "error":
            raise program.understood(words.error, said)
        if said["say"] != "measured":
            raise program.lost(f"said {said['say']!r}; wanted report, measured or error")
        return program.understood(words.measurement, said, trajectory)

    def _report(self, program: Program, run: Run, step: int, of: int, values: dict[str, float]) -> None:
        """A stop that is decided here ends the trial there too."""
        try:
            run.report(step, of, **values)
        except ZboError as end:
            adding(end, self._stopped(program, str(end)))
            raise

    def _stopped(self, program: Program, reason: str) -> str:
        """What the program said to an abort, in words; its `FatalError` counts for more than the stop."""
        program.send(words.abort(reason))
        deadline = time.monotonic() + self.stop
        try:
            while (said := program.receive(deadline - time.monotonic()))["say"] == "report":
                pass
            answer = program.understood(words.error, said) if said["say"] == "error" else said["say"]
        except TransientError as lost:
            return f"aborted: {lost}"
        if isinstance(answer, FatalError):
            raise answer
        return f"{program.name} answered: {answer}"


class JsonLines(Speaking):
    """Runs each trial in a fresh process of a program that speaks JSON lines (`zbo_orchestrator.executors.json_lines`).

    command     the program and its arguments; started where the campaign was
    repeatable  whether running a trial twice harms nothing
    silence     seconds the program may take from one line to the next, the first included
    stop        seconds it may take to end a trial that is aborted, and to exit

    A program that exits early, says what cannot be understood or is silent for too long is a `TransientError` with the
    last line of its stderr.
    """

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        with closing(Program(self.command, self.stop)) as program:
            return self._run(program, trajectory, run)
