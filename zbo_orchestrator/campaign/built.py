"""A campaign with its parts built: its decoder and atlas made, its history opened, its trials run."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from zbo_orchestrator import loop
from zbo_orchestrator.breaker import Breaker
from zbo_orchestrator.campaign.founding import LibrarySettings, cache_folder, recipe_digest
from zbo_orchestrator.decoders import atlas
from zbo_orchestrator.decoders.library import Library
from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.history import Charter, History, Record
from zbo_orchestrator.hopeless import Rule
from zbo_orchestrator.interlocks import Interlock
from zbo_orchestrator.kept import cached, fingerprint
from zbo_orchestrator.model import (
    Array,
    Budget,
    Certify,
    Decoder,
    DecoderRecipe,
    Evaluator,
    Executor,
    Goal,
    HistoryError,
    Json,
    Planner,
    Report,
    Space,
    Status,
    Trial,
    Workers,
)
from zbo_orchestrator.place import Address


def silent(step: int, of: int, **values: float) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """A campaign with its parts built: everything but a history.

    identity   all that determines results, by section; files named in it stand as digests of their contents
    hopeless   which running trials to end, None: none
    approval   whether each trial waits for a person's leave
    breaker    when to pause because trials fail, None: as is usual for its executor
    batches    whether the planner waits until nothing is in flight
    simulated  whether its instrument has to be a simulator
    instrument the identity that its instrument has to give, None: the file names none
    travels    whether its trials may run on other machines
    document   the campaign file as plain data with every default filled in: `rebuild` makes the same campaign of it
    """

    name: str
    goal: Goal
    budget: Budget
    seed: int
    trial_seed: Literal["fixed", "per-trial"]
    width: int
    retries: int
    interrupted: Literal["go-on", "ask"]
    durability: Literal["process", "power"]
    notes: Json
    library: LibrarySettings | None
    recipe: DecoderRecipe
    grid: tuple[int, ...] | None
    candidates: int
    support: float | None
    envelope: Envelope
    planner: Planner
    executor: Executor
    evaluator: Evaluator
    identity: Json
    document: Json
    timeouts: Timeouts = field(default_factory=Timeouts)
    hopeless: Rule | None = None
    batches: bool = False
    approval: bool = False
    breaker: Breaker | None = None
    simulated: bool = False
    instrument: str | None = None
    interlocks: tuple[Interlock, ...] = ()
    travels: bool = False
    budget_by: Literal["file", "run", "history"] = "file"
    """Whose word the budget is: a person's since then stands before the file's, not before this run's."""

    def with_budget(self, total: int) -> Campaign:
        """The same campaign with another number of trials in all, which the initial ones cannot exceed."""
        initial = min(self.budget.initial, total)
        budget = {**self.document["budget"], "initial": initial, "total": total}
        changed = replace(self.budget, initial=initial, total=total)
        return replace(self, budget=changed, document={**self.document, "budget": budget})

    def seed_of(self, number: int) -> int:
        """The seed an executor is given for a trial: the campaign's, or one derived from it and the trial's number."""
        if self.trial_seed == "fixed":
            return self.seed
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])

    # --- what a history is founded on, and its return

    def learn(self, report: Report = silent) -> tuple[dict[str, Array], Library | None]:
        """The decoder's arrays, learnt now or found in the user's cache, and the library they are learnt from."""
        drawn = self.library.draw(self.seed) if self.library else None
        curves = drawn.curves if drawn else None
        digest = recipe_digest(self.identity["decoder"], self.recipe, curves, self.seed)
        return cached(digest, lambda: self.recipe.learn(curves, self.seed, report), cache_folder()), drawn

    def charter(self, report: Report = silent) -> Charter:
        """Draw the library, learn the decoder and chart the atlas: all that a history is founded on."""
        arrays, drawn = self.learn(report)
        return Charter(
            name=self.name,
            goal=self.goal,
            budget=self.budget,
            identity={**self.identity, "weights": fingerprint(arrays)},
            campaign=self.document,
            decoder=arrays,
            space=self.chart(arrays),
            library=drawn.curves if drawn else None,
            families=drawn.labels if drawn else (),
            notes=self.notes,
            repeatable=bool(getattr(self.executor, "repeatable", False)),
        )

    def chart(self, arrays: Mapping[str, Array]) -> Space:
        """The atlas of a learnt decoder: every candidate with its distance to every limit."""
        return atlas.chart(
            self.recipe.restore(arrays),
            self.envelope,
            shape=self.grid,
            candidates=self.candidates,
            support=self._support(arrays),
            seed=self.seed,
        )

    def _support(self, arrays: Mapping[str, Array]) -> atlas.Support | None:
        return None if self.support is None else atlas.Support(arrays["codes"], self.support)

    def decoder(self, record: Record) -> Decoder:
        """The decoder that a history was founded with; it is never learnt again."""
        return self.recipe.restore(record.charter.decoder)

    def founded(self, record: Record) -> bool:
        """Whether a history is this campaign's."""
        return {**self.identity, "weights": None} == {**record.charter.identity, "weights": None}

    def certify(self, record: Record) -> Certify:
        """Charts further points with the decoder of a history."""
        return atlas.Certifier(self.decoder(record), self.envelope, self._support(record.charter.decoder))

    def open(self, path: Address, report: Report = silent) -> History:
        """The history at a path, founded or resumed; whoever calls closes it.

        Raises `HistoryError` where the history is another campaign's, or another process is writing it.
        """
        if History.exists(path):
            history = History.open(path, durability=self.durability)
        else:
            history = History.create(path, self.charter(report), durability=self.durability)
        try:
            self._ask(history)
            history.resume(
                {**self.identity, "weights": fingerprint(history.charter.decoder)},
                budget=None if self.budget_by == "history" else self.budget,
                more=self.budget_by == "run",
                name=self.name,
                notes=self.notes,
                certify=self.certify(history),
                width=self.width,
            )
        except BaseException:
            history.close()
            raise
        return history

    def _ask(self, history: History) -> None:
        """Raise `HistoryError` where a trial was cut short that must not be repeated, and the campaign is to ask."""
        cut = np.flatnonzero(history.status == Status.STARTED)
        if len(cut) and self.interrupted == "ask" and not history.repeatable:
            raise HistoryError(
                f"trial {', '.join(map(str, cut))} was under way when its process died, and is not run again unasked: "
                "see to the specimen and the instrument, then go on with --set interrupted=go-on"
            )

    def run(self, history: History, workers: Workers, oversight: loop.Oversight | None = None) -> Generator[Trial]:
        """Yield trials, each one once it is recorded, until the planner stops; a finished history yields none."""
        if history.state == "running":
            yield from loop.run(
                history,
                self.planner,
                self.decoder(history),
                self.evaluator,
                workers,
                width=self.width,
                batches=self.batches,
                retries=self.retries,
                seed_of=self.seed_of,
                oversight=oversight,
            )
