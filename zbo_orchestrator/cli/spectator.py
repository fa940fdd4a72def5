"""What a person sees while a comparison trains: bars on a terminal, lines in a pipe, the spread once it is known."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from zbo_orchestrator.cli.terminal import Screen
from zbo_orchestrator.comparison import Audience, Round, Training
from zbo_orchestrator.model import ExecutionError, Score
from zbo_orchestrator.report.compared_words import AT, spread_words


class Spectator(Audience):
    """Shows a comparison on a screen."""

    def __init__(self, screen: Screen, console: Console) -> None:
        self._screen = screen
        self._console = console

    def training(self, name: str, step: int, of: int, values: Mapping[str, float]) -> None:  # noqa: ARG002 (no room)
        if self._console.is_terminal:  # a pipe would get a line for every tenth of every training
            self._screen.working("this training", step, of, **values)

    def trained(self, training: Training, outcome: Score | ExecutionError, done: int, of: int) -> None:
        self._screen.working(f"trainings {AT[training.size]}", done, of)
        if isinstance(outcome, ExecutionError):
            self._say(f"{training.name}: {outcome}")

    def compared(self, done: Round) -> None:
        self._say(spread_words(done))

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
