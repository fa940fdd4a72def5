"""An instrument behind a program that speaks JSON lines (the protocol: `json_lines`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from zbo_orchestrator.executors import json_lines_words as words
from zbo_orchestrator.executors.json_lines import Speaking
from zbo_orchestrator.executors.json_lines_program import Program
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import (
    ConfigurationError,
    FatalError,
    Measurement,
    Run,
    Stopped,
    Trajectory,
    TransientError,
    ZboError,
)

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class JsonLinesInstrument(Speaking):
    """Drives an instrument through a program that speaks JSON lines (`zbo_orchestrator.executors.json_lines`).

    command     the program and its arguments; started where the campaign was
    repeatable  whether running a trial twice harms nothing
    silence     seconds the program may take from one line of a trial to the next
    stop        seconds it may take to end a trial that is aborted, and to exit
    answer      seconds it may take to start and describe itself, or to reach the safe state and read it back

    One process is kept for all trials. A guardian starts another to make the instrument safe: where that bears only one
    connection, the program waits for it. A program that exits, says what cannot be understood or is silent for too long
    is a `TransientError` with the last line of its stderr, and the next trial gets a new process.
    """

    answer: Annotated[float, Gt(0)] = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.answer < np.inf:
            raise ConfigurationError(f"answer is {self.answer}; wanted above 0, and finite")
        self._program: Program | None = None
        self._turn = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """The options: a program stays with the process that started it."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def describe(self) -> Description:
        with self._turn:
            program = self._started()
            return program.understood(words.description, program.ask(words.DESCRIBE, "described", self.answer))

    def connect(self) -> None:
        with self._turn:
            self._started()

    def close(self) -> None:
        with self._turn:
            if self._program is not None:
                self._program.close()

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        with self._turn:
            self._aborted = ""
            program = self._started()
            try:
                measurement = self._run(program, trajectory, run)
            except ZboError:
                raise
            except BaseException:  # Ctrl-C, in the middle of a trial
                program.end()
                raise
            if self._aborted:
                raise Stopped(self._aborted)
            return measurement

    def abort(self, reason: str) -> None:
        """Tell the program; what it then answers ends the trial by `Stopped`."""
        self._aborted = reason
        if (program := self._program) is not None:
            program.send(words.abort(reason))

    def safe_state(self) -> Mapping[str, float]:
        """By the program at hand where it is idle and answers, else by a fresh one; what it read back."""
        idle = self._turn.acquire(timeout=self.stop)
        try:
            if idle and self._program is not None and self._program.is_open:
                try:
                    return self._made_safe(self._program)
                except TransientError as lost:
                    _log.warning("%s; starting another to make the instrument safe", lost)
            if self._program is not None:
                self._program.end()  # it may hold the instrument's only connection
            return self._made_safe(self._started())
        except TransientError as lost:
            raise FatalError(f"the safe state cannot be reached: {lost}") from lost
        finally:
            if idle:
                self._turn.release()

    def _made_safe(self, program: Program) -> Mapping[str, float]:
        try:
            return program.understood(words.readings, program.ask(words.SAFE, "safe", self.answer))
        except TransientError:
            raise
        except ZboError as said:
            raise FatalError(f"{program.name}: {said}") from said

    def _started(self) -> Program:
        """The program at hand, or a new one: one that failed is never spoken to again."""
        if self._program is None or not self._program.is_open:
            if self._program is not None:
                self._program.end()
            self._program = Program(self.command, self.stop)
        return self._program
