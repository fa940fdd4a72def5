"""Reading a history: without a lock, at any commit, while a writer may be at work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import zarr

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.contents import Contents, commit_of_trial, read_contents
from zbo_orchestrator.history.state import PlanRow, State
from zbo_orchestrator.history.store import Commit, telling
from zbo_orchestrator.history.tables import columns_of
from zbo_orchestrator.model import (
    Array,
    Budget,
    Channel,
    Evidence,
    ExecutionError,
    Goal,
    HistoryError,
    Interrupted,
    Json,
    Measurement,
    Proposal,
    RefusedError,
    Score,
    Space,
    Status,
    Stopped,
    Trajectory,
    TransientError,
    Trial,
    Vetoed,
)
from zbo_orchestrator.place import Address, Place
from zbo_orchestrator.standing import Standing

_ERRORS: dict[int, type[ExecutionError]] = {
    Status.FAILED: ExecutionError,
    Status.REFUSED: RefusedError,
    Status.STOPPED: Stopped,
    Status.INTERRUPTED: Interrupted,
    Status.TRANSIENT: TransientError,
    Status.VETOED: Vetoed,
}


class Record:
    """A history as of one commit."""

    def __init__(self, contents: Contents, space: Space | None = None) -> None:
        self._store, self.charter = contents.store, contents.charter
        self._state, self._large = contents.state, contents.large
        self.space = space or contents.charter.space
        """The charted space; its `certify` is there where a decoder was at hand."""

    @classmethod
    def read(cls, path: Address, commit: str | None = None, trial: int | None = None) -> Record:
        """The state at the newest commit, at a given one, or at the one that recorded a given trial."""
        place = Place.of(path)
        if trial is not None:
            commit = commit_of_trial(place, trial)
        return cls(read_contents(place, commit))

    # --- the store beneath ---

    @property
    def tables(self) -> State:
        """The packed tables, by layout."""
        return self._state

    @property
    def zarr_store(self) -> Any:
        """What `zarr.open_group` and `xarray.open_zarr` take, fixed at this commit."""
        return self._store.root().store

    def array(self, path: str) -> zarr.Array[Any]:
        """One array as it lies in the store, rows not yet used included."""
        return self._store.array(path)

    # --- what the campaign is ---

    @property
    def path(self) -> Place:
        return self._store.path

    @property
    def commit(self) -> str:
        return self._store.commit_id

    @property
    def name(self) -> str:
        return self._state.name(self.charter.name)

    @property
    def notes(self) -> Json:
        return self._state.notes(self.charter.notes)

    @property
    def goal(self) -> Goal:
        return self.charter.goal

    @property
    def budget(self) -> Budget:
        """The one in force now."""
        return self._state.budget(self.charter.budget)

    @property
    def repeatable(self) -> bool:
        """Whether running a trial twice harms nothing."""
        return self.charter.repeatable

    @property
    def measures(self) -> bool:
        """Whether a scored trial has fixed the form of measurements yet."""
        return self._large.forms() is not None

    def check(self, measurement: Measurement) -> None:
        """Raise `ExecutionError` where a measurement's form differs from the one that the first scored trial fixed."""
        self._large.check(measurement)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The trajectories' channels, empty while neither a library nor a trial tells."""
        form = self._form()
        return () if form is None else form.channels

    @property
    def dt(self) -> float | None:
        form = self._form()
        return None if form is None else form.dt

    def _form(self) -> Trajectory | None:
        return self.charter.library or self._large.trajectory(0)

    @property
    def stop_reason(self) -> str | None:
        return self._state.stop_reason()

    @property
    def state(self) -> Literal["running", "finished"]:
        return "running" if self.stop_reason is None else "finished"

    @property
    def ended(self) -> int:
        """How many trials have ended, whatever came of them."""
        return len(self) - len(self.waiting())

    @property
    def stopped(self) -> str:
        """Who ended the campaign, and why; empty while nobody did, and once it was reopened."""
        return Standing.of(self.events).stopped

    @property
    def elapsed(self) -> float:
        """Seconds worked, over all sessions, up to the last stamp."""
        return self._state.spent()

    # --- rows, as arrays over all trials ever proposed ---

    def __len__(self) -> int:
        return self._state.trials

    @property
    def z(self) -> Array:
        """[trial, latent]"""
        return self._state.z.copy()

    @property
    def values(self) -> Array:
        """[trial], NaN where there is no score."""
        return self._number("value")

    @property
    def noise(self) -> Array:
        return self._number("noise")

    @property
    def proposed_at(self) -> Array:
        """[trial], seconds since the epoch."""
        return self._number("proposed_at")

    @property
    def recorded_at(self) -> Array:
        return self._number("recorded_at")

    @property
    def status(self) -> Array:
        """[trial], `Status` as integers."""
        return self._state.status.copy()

    @property
    def recorded_tick(self) -> Array:
        """[trial], when each was recorded by the logical clock that events note too; -1 where it is not."""
        return self._state[schema.COUNTS].column("recorded").copy()

    @property
    def plan_of(self) -> Array:
        """[trial], the number of the plan that proposed it."""
        return self._state[schema.COUNTS].column("plan").copy()

    @property
    def reasons(self) -> list[str]:
        return [str(reason) for reason in self._state[schema.WORDS].column("reason")]

    @property
    def errors(self) -> list[str]:
        return [str(error) for error in self._state[schema.WORDS].column("error")]

    @property
    def terms(self) -> dict[str, Array]:
        """[trial] by term, NaN where a trial has none."""
        table = self._state.tables.get(schema.TERMS.path)
        return {} if table is None else {name: table.column(name).copy() for name in table.columns}

    def _number(self, column: str) -> Array:
        return self._state[schema.NUMBERS].column(column).copy()

    # --- trials, plans, evidence ---

    def waiting(self) -> list[Proposal]:
        """Proposals without a record, oldest first."""
        return [Proposal(int(number), self._state.z[number]) for number in np.flatnonzero(self._state.waiting)]

    def trials(self) -> Iterator[Trial]:
        """All recorded trials, in proposal order."""
        for number in np.flatnonzero(~self._state.waiting):
            yield self.trial(int(number))

    def trial(self, number: int) -> Trial:
        """One recorded trial, large arrays and all; raises `HistoryError` where it is not recorded."""
        self._refuse_missing(number)
        with telling(f"cannot read trial {number} of {self.path}"):
            executed = self._executed(number)
            measured = int(self._state[schema.COUNTS].column("measured")[number]) > 0
            return Trial(
                proposal=Proposal(number, self._state.z[number]),
                trajectory=self._trajectory(number),
                outcome=self._outcome(number),
                measurement=self._large.measurement(number, executed) if measured else None,
                attempts=self._state.attempts(number),
            )

    def _refuse_missing(self, number: int) -> None:
        if not 0 <= number < len(self):
            raise HistoryError(f"trial {number} does not exist; the history holds {len(self)} trials")
        if self._state.waiting[number]:
            status = Status(int(self._state.status[number])).name.lower()
            raise HistoryError(f"trial {number} is {status}; wanted a recorded one")

    def _trajectory(self, number: int) -> Trajectory:
        """As stored; all NaN where a trial never came so far."""
        stored = self._large.trajectory(number)
        if stored is not None:
            return stored
        library = self.charter.library
        if library is None:
            return Trajectory(np.empty((0, 1)), 1.0, (Channel("unknown"),))
        return replace(library, values=np.full(library.values.shape[1:], np.nan))

    def _executed(self, number: int) -> Trajectory | None:
        steps = int(self._state[schema.COUNTS].column("executed_steps")[number])
        return self._large.executed(number, steps, float(self._state[schema.NUMBERS].column("executed_dt")[number]))

    def _outcome(self, number: int) -> Score | ExecutionError:
        status = int(self._state.status[number])
        if status != Status.SCORED:
            return _ERRORS[status](str(self._state[schema.WORDS].column("error")[number]))
        noise = float(self.noise[number])
        value = float(self.values[number])
        return Score(value, self._state.terms(number), None if np.isnan(noise) else noise)

    @property
    def plans(self) -> list[PlanRow]:
        return [self._state.plan(number) for number in range(self._state.plans)]

    def plan(self, number: int) -> PlanRow:
        return self._state.plan(number)

    def maps(self, plan: int) -> dict[str, Array]:
        """The maps [candidate] (float32) that were kept of a plan; empty where none were."""
        row = self._state.plan(plan).map
        if row < 0:
            return {}
        with telling(f"cannot read the maps of plan {plan}"):
            array = self._store.array(schema.MAPS)
            return dict(zip(columns_of(array), np.asarray(array[row]), strict=True))

    def evidence(self, plan: int | None = None) -> Evidence:
        """What the planner saw when it made a plan, to the last bit; None: what it would see now."""
        if plan is None:
            return self._state.evidence(self.space, self.goal, self.budget, self.elapsed)
        row = self._state.plan(plan)
        return self._state.evidence(self.space, self.goal, row.budget, row.elapsed, row.seen)

    # --- journals ---

    @property
    def events(self) -> list[dict[str, Any]]:
        """Everything beside trials and plans: kind, sequence, at, data."""
        return list(self._state.journal(schema.EVENTS))

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """Every opening to write: when, host, versions, threads, width."""
        return list(self._state.journal(schema.SESSIONS))

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return list(self._state.journal(schema.ATTEMPTS))

    def log(self) -> list[Commit]:
        """All commits up to this state, newest first."""
        with telling(f"cannot read the commits of {self.path}"):
            return list(self._store.log())
