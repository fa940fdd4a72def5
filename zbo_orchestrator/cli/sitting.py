"""A campaign whose executor is a person, run as far as it goes without one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console

from zbo_orchestrator.campaign import Campaign, rebuild
from zbo_orchestrator.cli.terminal import Best, Screen
from zbo_orchestrator.conduct import Watcher, conduct, scratch_folder
from zbo_orchestrator.executors import by_hand
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.history import History, Record, held_by
from zbo_orchestrator.model import (
    ConfigurationError,
    ExecutionError,
    HistoryError,
    Measurement,
    Proposal,
    Status,
    Trajectory,
    Trial,
)
from zbo_orchestrator.place import Place

_LOOK = 0.2
"""Seconds between looks at a history that another process writes."""
_LEAVE = 1.0
"""Seconds to wait for people where nothing may start without them."""


def of_history(path: Place, *, allow_code: bool) -> Campaign:
    """The campaign of a history, with the budget, name and notes that its file had last."""
    record = Record.read(path)
    campaign = rebuild(record.charter.campaign, allow_code=allow_code)
    budget = record.tables.filed_budget(record.charter.budget)
    return replace(campaign, budget=budget, name=record.name, notes=record.notes)


class Unanswered(Exception):  # noqa: N818 (how a sitting ends, not an error)
    """Every open trial waits for a person: the sitting is over, its trials stay open."""


class Sitting:
    """A by-hand campaign and its history at `path`; raises `ConfigurationError` for another executor."""

    def __init__(self, campaign: Campaign, path: Place) -> None:
        if not isinstance(bare(campaign.executor), by_hand.ByHand):
            use = campaign.document["executor"]["use"]
            raise ConfigurationError(f"the executor of {campaign.name} is {use}; wanted by-hand: it asks nobody")
        self.campaign, self.path = campaign, path

    # --- what is open

    def open(self) -> list[Proposal]:
        """The trials without a record, oldest first; none where nothing was founded yet."""
        return Record.read(self.path).waiting() if History.exists(self.path) else []

    def untold(self) -> list[Proposal]:
        """The open trials that wait for an answer."""
        return [proposal for proposal in self.open() if not self._answered(proposal.number)]

    def over(self) -> bool:
        """Whether the campaign is finished, and its file asks for no more."""
        if not History.exists(self.path):
            return False
        record = Record.read(self.path)
        filed = record.tables.filed_budget(record.charter.budget)
        return record.state == "finished" and filed == self.campaign.budget

    def trajectory(self, proposal: Proposal) -> Trajectory:
        return self.campaign.decoder(Record.read(self.path)).decode(proposal.z[None])[0]

    def folder(self, number: int) -> Path:
        return scratch_folder(self.path) / str(number)

    # --- answers

    def take(self, number: int, told: Measurement | str) -> None:
        """Leave an answer for the loop to record; raises `ConfigurationError` where it could not, and leaves none."""
        record = Record.read(self.path)
        proposal = self._wanted(record, number)
        if isinstance(told, Measurement):
            try:
                record.check(told)
                self.campaign.evaluator.evaluate(self.trajectory(proposal), told)
            except ExecutionError as unusable:
                raise ConfigurationError(f"{unusable}; nothing was recorded of trial {number}") from unusable
        by_hand.tell(self.folder(number), told)

    def _wanted(self, record: Record, number: int) -> Proposal:
        waiting = {proposal.number: proposal for proposal in record.waiting()}
        if number in waiting:
            return waiting[number]
        known = 0 <= number < len(record)
        met = f"was recorded as {Status(int(record.status[number])).name.lower()}" if known else "does not exist"
        raise ConfigurationError(
            f"trial {number} {met}; wanted an open one: {', '.join(map(str, waiting)) or 'there is none'}"
        )

    # --- running

    def advance(self, patience: float, told: int | None = None) -> None:
        """Run the loop until every open trial waits for a person, or let the process do so that has the history.

        Raises `HistoryError` naming that process where in so many seconds it has not recorded the trial that was told,
        or asks for no other; and `Unattended` where the campaign is paused, or a trial needs somebody's leave.
        """
        deadline = time.monotonic() + patience
        while (holder := held_by(self.path)) and not self._settled(told):
            if time.monotonic() > deadline:
                raise HistoryError(f"{holder}; it has not come to this trial in {patience:g} s")
            time.sleep(_LOOK)
        if not self._settled(told):
            self._run()

    def _settled(self, told: int | None) -> bool:
        recorded = told is None or all(proposal.number != told for proposal in self.open())
        return recorded and (bool(self.untold()) or self.over())

    def _run(self) -> None:
        open_now = {proposal.number for proposal in self.open()}
        with Screen(Console(stderr=True), Best(self.campaign.goal)) as screen:
            watcher = _UntilAsked(screen, lambda: any(self._answered(number) for number in open_now))
            try:
                conduct(self.campaign, self.path, watcher, workers="threads", patience=_LEAVE)
            except Unanswered:
                return

    def _answered(self, number: int) -> bool:
        return (self.folder(number) / by_hand.ANSWERED).exists()


class _UntilAsked(Watcher):
    """Tells what is recorded, and ends the sitting when a trial waits and no answer is left."""

    def __init__(self, screen: Screen, answers_left: Callable[[], bool]) -> None:
        self._screen = screen
        self._answers_left = answers_left
        self._over = False

    def training(self, step: int, of: int, **values: float) -> None:
        self._screen.training(step, of, **values)

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        if not self._over and not self._answers_left():
            self._over = True  # trials beside this one are then stopped by the loop
            raise Unanswered

    def recorded(self, history: History, trial: Trial) -> None:
        best = Best(history.goal)
        for number, value in enumerate(history.values):
            best.see(number, float(value))
        said = f"{trial.outcome}" if isinstance(trial.outcome, ExecutionError) else f"{trial.value:.6g}"
        typer.echo(f"trial {trial.number} {trial.status.name.lower()}: {said}; {best}")
