"""Writing a history: one process at a time, each step committed before it is acted on."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from zbo_orchestrator.history import schema, sessions
from zbo_orchestrator.history.charter import Charter, refuse_other, to_json
from zbo_orchestrator.history.founding import write_charter
from zbo_orchestrator.history.large import misfits, refuse_unstorable
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.record import Contents, Record, contents_at
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import Durability, EngineError, Store, exists, one_line, sync, telling
from zbo_orchestrator.history.undisturbed import undisturbed
from zbo_orchestrator.model import (
    Array,
    Attempt,
    Budget,
    Certify,
    Evidence,
    ExecutionError,
    HistoryError,
    Json,
    Measurement,
    Plan,
    Proposal,
    Score,
    Status,
    Trial,
)

_INTERRUPTED = "its process died during the trial, and this executor may not repeat one unasked"


class SessionWarning(UserWarning):
    """A campaign goes on in other surroundings than its last session's."""


class History(Record):
    """The one writer of a history; a context manager.

    Every method returns after its commit, unless a transaction is open: then all share the commit at its end.
    After a failed commit the history refuses everything, since memory is ahead of the store: open it again.
    """

    def __init__(self, contents: Contents, lock: Lock) -> None:
        super().__init__(contents)
        self._lock = lock
        self._depth = 0
        self._broken: str | None = None
        self._messages: list[str] = []
        self._touched: dict[str, list[int]] = {"proposed": [], "recorded": []}
        self._seen: Evidence | None = None
        self._seen_tick = 0
        self._session: int | None = None
        self._spent_before = self._state.spent()
        self._opened, self._opened_at = time.monotonic(), time.time()

    # --- founding, opening, closing ---

    @staticmethod
    def exists(path: str | Path) -> bool:
        return exists(Path(path))

    @classmethod
    def create(
        cls, path: str | Path, charter: Charter, *, durability: Durability = "process", wait: float = 5.0
    ) -> History:
        """Found a history: it appears whole, by a rename, or not at all."""
        place = Path(path)
        lock = _locked(place, wait)
        try:
            _found(place, charter, durability)
            history = cls(_write_contents(place, durability), lock)
            history._begin_session(charter.campaign.get("width", 1))
            history._commit()
        except BaseException:
            lock.release()
            raise
        return history

    @classmethod
    def open(cls, path: str | Path, *, durability: Durability = "process", wait: float = 5.0) -> History:
        """Open to write; waits so many seconds for a dying holder, then raises `HistoryError` naming it."""
        place = Path(path)
        if not exists(place):
            raise HistoryError(f"no history at {place}")
        lock = _locked(place, wait)
        try:
            return cls(_write_contents(place, durability), lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Let go of the lock; what is committed is committed."""
        self._broken = self._broken or "closed"
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def resume(
        self,
        identity: Json,
        *,
        budget: Budget | None = None,
        name: str | None = None,
        notes: Json | None = None,
        certify: Certify | None = None,
        width: int = 1,
    ) -> None:
        """Begin a session of the same campaign; what may change and did becomes an event.

        Raises `HistoryError` naming every difference where the identity is another. Warns with `SessionWarning`
        where versions, host or threads differ from the last session's. Trials that were started and not recorded
        become interrupted unless the executor is repeatable. A finished campaign with more budget runs on.
        """
        refuse_other(self.charter.identity, identity)
        self.space = replace(self.space, certify=certify)
        with self.transaction():
            self._begin_session(width)
            self._change("name", self.name, name)
            self._change("notes", dict(self.notes), None if notes is None else dict(notes))
            self._change_budget(budget)
            self._interrupt_started()

    def _begin_session(self, width: int | None) -> None:
        if self._session is not None:
            if width != self.sessions[self._session]["width"]:
                self.event("width", to=width)
            return
        now = {**sessions.surroundings(), "width": width}
        before = self.sessions
        differing = list(sessions.changes(before[-1], now)) if before else []
        if differing:
            warnings.warn(f"since the last session {'; '.join(differing)}", SessionWarning, stacklevel=4)
        row = {"sequence": self._state.clock, "at": self._opened_at, **now}
        self._session = self._state[schema.SESSIONS].append(json=to_json(row))

    def _change(self, kind: str, had: object, wants: object) -> None:
        if wants is not None and to_json(wants) != to_json(had):
            self.event(kind, **{"from": had, "to": wants})

    def _change_budget(self, budget: Budget | None) -> None:
        if budget is None or budget == self.budget:
            return
        grew = _grew(self.budget, budget)
        self.event("budget", **asdict(budget))
        if grew and self.state == "finished":
            self.event("reopen", reason="the budget grew")

    def _interrupt_started(self) -> None:
        if self.charter.repeatable:
            return
        for number in np.flatnonzero(self._state.status == Status.STARTED):
            self._close_trial(int(number), Status.INTERRUPTED, _INTERRUPTED)
            self._said(f"interrupt {number}", recorded=int(number))

    # --- the steps of a campaign ---

    def evidence(self, plan: int | None = None) -> Evidence:
        """What the planner sees now, uncommitted rows included, or saw at a plan.

        The next `propose` notes that its plan saw what the last call without `plan` returned.
        """
        if plan is not None:
            return super().evidence(plan)
        self._seen = self._state.evidence(self.space, self.goal, self.budget, self.elapsed)
        self._seen_tick = self._state.clock
        return self._seen

    @property
    def elapsed(self) -> float:
        """Seconds worked, over all sessions, up to this moment."""
        return self._spent_before + time.monotonic() - self._opened

    def propose(self, plan: Plan) -> list[Proposal]:
        """Write a plan down; returns its numbered points."""
        with self._step():
            self._refuse_plan(plan)
            row = self._append_plan(plan, to_json(plan.memory))
            numbers = [self._append_trial(row, z, why) for z, why in zip(plan.z, plan.reasons, strict=True)]
            self._said(f"propose {_span(numbers)}", proposed=numbers)
        return [Proposal(number, self._state.z[number]) for number in numbers]

    def _refuse_plan(self, plan: Plan) -> None:
        m, d = self.charter.space.candidates.shape
        if plan.z.shape[1] != d or not np.isfinite(plan.z).all():
            raise HistoryError(f"plan asks for {plan.z.tolist()}; wanted finite points of {d} dimensions")
        for name, values in plan.maps.items():
            if np.shape(values) != (m,):
                raise HistoryError(f"map {name!r} has shape {np.shape(values)}; wanted [{m}], one value a candidate")

    def _append_plan(self, plan: Plan, memory: str) -> int:
        evidence, seen = self._seen or self.evidence(), self._seen_tick
        self._seen = None
        counts, number = self._state[schema.PLAN_COUNTS], self._state.plans
        kept = bool(plan.maps) and schema.map_is_kept(number)
        row = self._next_map_row() if kept else -1
        if kept:
            self._large.write_maps(row, plan.maps)
        seconds = evidence.budget.seconds
        self._state[schema.PLAN_NUMBERS].append(
            at=self._now(), elapsed=evidence.elapsed, seconds=np.nan if seconds is None else seconds
        )
        self._state[schema.PLAN_WORDS].append(memory=memory)
        return counts.append(
            sequence=self._state.tick(),
            seen=seen,
            first=len(self),
            size=len(plan.z),
            initial=evidence.budget.initial,
            total=evidence.budget.total,
            map=row,
        )

    def _next_map_row(self) -> int:
        return int(self._state[schema.PLAN_COUNTS].column("map").max(initial=-1)) + 1

    def _append_trial(self, plan: int, z: Array, reason: str) -> int:
        state = self._state
        latent = dict(zip(state[schema.Z].columns, z.tolist(), strict=True))
        state[schema.Z].append(**latent)
        state[schema.NUMBERS].append(proposed_at=self._now())
        state[schema.WORDS].append(reason=reason)
        return state[schema.COUNTS].append(status=int(Status.PROPOSED), plan=plan, attempts=0)

    def start(self, number: int, attempt: int = 1) -> None:
        """Note that a trial begins; nothing is written where the executor is repeatable."""
        if self.charter.repeatable:
            return
        with self._step():
            self._refuse_recorded(number)
            tick = self._state.tick()
            self._state[schema.COUNTS].set(number, status=int(Status.STARTED), started=tick, attempts=attempt)
            self._state[schema.NUMBERS].set(number, started_at=self._now())
            self._said(f"start {number}")
            self._commit_even_inside()

    def check(self, measurement: Measurement) -> None:
        """Raise `ExecutionError` where a measurement's form differs from the one that the first scored trial fixed."""
        refuse_unstorable(measurement)
        forms = self._large.forms()
        if forms is None:
            return
        found = list(misfits(forms, self._large.executed_channels(), measurement))
        if found:
            raise ExecutionError(f"the measurement does not fit this campaign's: {'; '.join(found)}")

    def record(self, trial: Trial) -> None:
        """Write down what came of a trial.

        Raises `ExecutionError`, with nothing changed, where a scored trial's measurement does not fit (see
        `check`); of a failed trial such a measurement is left out, and its error says so.
        """
        with self._step():
            self._refuse_recorded(trial.number)
            measurement, error = self._storable(trial)
            self._write_large(trial, measurement)
            if isinstance(trial.outcome, Score):
                self._write_score(trial.number, trial.outcome)
            self._append_attempts(trial.number, trial.attempts)
            self._close_trial(trial.number, trial.status, error)
            self._said(f"record {trial.number}", recorded=trial.number)
            self._commit_even_inside()

    def _storable(self, trial: Trial) -> tuple[Measurement | None, str]:
        measurement = trial.measurement
        if isinstance(trial.outcome, Score):
            if measurement is not None:
                self.check(measurement)
            return measurement, ""
        if measurement is None:
            return None, str(trial.outcome)
        if self._large.forms() is None:
            return None, f"{trial.outcome} (its measurement is not kept: no trial is scored yet)"
        try:
            self.check(measurement)
        except ExecutionError as misfit:
            return None, f"{trial.outcome} (its measurement is not kept: {misfit})"
        return measurement, str(trial.outcome)

    def _write_large(self, trial: Trial, measurement: Measurement | None) -> None:
        self._large.write_trajectory(trial.number, trial.trajectory)
        if measurement is None:
            return
        if self._large.forms() is None:
            self._large.fix(measurement)
        self._large.write_measurement(trial.number, measurement)
        self._state[schema.COUNTS].set(trial.number, measured=1)
        if measurement.executed is not None:
            self._state[schema.COUNTS].set(trial.number, executed_steps=measurement.executed.steps)
            self._state[schema.NUMBERS].set(trial.number, executed_dt=measurement.executed.dt)

    def _write_score(self, number: int, score: Score) -> None:
        noise = np.nan if score.noise is None else score.noise
        self._state[schema.NUMBERS].set(number, value=score.value, noise=noise)
        if score.terms:
            self._state.write_terms(self._store, number, score.terms)

    def _append_attempts(self, number: int, attempts: tuple[Attempt, ...]) -> None:
        for attempt in attempts:
            row = {
                "trial": number,
                "attempt": attempt.number,
                "seed": int(attempt.seed),
                "started": attempt.started,
                "ended": attempt.ended,
                "error": attempt.error,
            }
            self._state[schema.ATTEMPTS].append(json=to_json(row))
        if attempts:
            self._state[schema.COUNTS].set(number, attempts=attempts[-1].number)

    def _close_trial(self, number: int, status: Status, error: str) -> None:
        self._state[schema.COUNTS].set(number, status=int(status), recorded=self._state.tick())
        self._state[schema.NUMBERS].set(number, recorded_at=self._now())
        if error:
            self._state[schema.WORDS].set(number, error=error)

    def _refuse_recorded(self, number: int) -> None:
        if not 0 <= number < len(self):
            raise HistoryError(f"trial {number} was never proposed; the history holds {len(self)} trials")
        if not self._state.waiting[number]:
            status = Status(int(self._state.status[number])).name.lower()
            raise HistoryError(f"trial {number} is {status} already; wanted one without a record")

    def event(self, kind: str, /, **data: Any) -> None:
        """Note anything else that happened."""
        with self._step():
            stamp = {"sequence": self._state.clock, "session": self._session, "at": self._now()}
            row = {**stamp, "kind": kind, "data": data}
            self._state[schema.EVENTS].append(json=to_json(row))
            self._said(kind)

    def finish(self, reason: str) -> None:
        """Note that the campaign is over, and why."""
        self.event("finish", reason=reason)

    # --- commits ---

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all steps within share one commit; a transaction within another joins it.

        Each step is true by itself, so those done are committed even where the block ends by an exception. Where
        the executor is not repeatable, starts and records do not wait for the end: they could not be had again.
        """
        self._refuse_broken()
        self._depth += 1
        try:
            yield
        except BaseException:
            self._leave()
            raise
        self._leave()
        self._refuse_broken()

    def _leave(self) -> None:
        self._depth -= 1
        if not self._depth and not self._broken:
            self._commit()

    @contextmanager
    def _step(self) -> Iterator[None]:
        """One step, whole: a failure that is no refusal leaves memory and store apart, and ends this writer."""
        with undisturbed(), self.transaction():
            try:
                with telling(f"cannot write to the history at {self.path} (its last good commit is {self.commit})"):
                    self._session_if_none()
                    yield
            except EngineError as error:
                self._broken = str(error)
                raise

    def _said(self, message: str, proposed: list[int] | None = None, recorded: int | None = None) -> None:
        self._messages.append(message)
        self._touched["proposed"] += proposed or []
        self._touched["recorded"] += [] if recorded is None else [recorded]

    def _session_if_none(self) -> None:
        if self._session is None:
            self._begin_session(None)

    def _commit_even_inside(self) -> None:
        if not self.charter.repeatable:
            self._commit()

    def _commit(self) -> None:
        if not self._state.changed:
            return
        message = "; ".join(self._messages) or "session"
        facts = {"clock": self._state.clock, **self._touched}
        try:
            with (
                undisturbed(),
                telling(f"cannot write to the history at {self.path} (its last good commit is {self.commit})"),
            ):
                self._state.write(self._store)
                self._large.grow(len(self))
                self._store.commit(message, facts)
        except BaseException as error:
            self._broken = f"a commit failed ({one_line(error)})"
            raise
        self._messages, self._touched = [], {"proposed": [], "recorded": []}

    def _refuse_broken(self) -> None:
        if self._broken:
            raise HistoryError(f"this writer of {self.path} is done: {self._broken}; open the history again")

    def _now(self) -> float:
        """Seconds since the epoch that never run backwards within a session."""
        return self._opened_at + time.monotonic() - self._opened


def _locked(place: Path, wait: float) -> Lock:
    place.parent.mkdir(parents=True, exist_ok=True)
    return Lock(place.with_name(f"{place.name}.lock"), wait)


def _found(place: Path, charter: Charter, durability: Durability) -> None:
    if exists(place):
        raise HistoryError(f"there is a history at {place} already")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise HistoryError(f"{place} exists and is not a history; wanted a free path")
    unborn = place.with_name(f"{place.name}.unborn")
    shutil.rmtree(unborn, ignore_errors=True)
    store = Store.found(unborn, durability)
    with telling(f"cannot found a history at {place}"):
        write_charter(store, charter)
        State.blank(charter.space.dimension).create(store)
        store.commit("found", {"clock": 0, "proposed": [], "recorded": []})
        unborn.replace(place)
        if durability == "power":
            sync(place.parent)


def _write_contents(place: Path, durability: Durability) -> Contents:
    return contents_at(place, lambda: Store.write(place, durability))


def _grew(had: Budget, now: Budget) -> bool:
    longer = had.seconds is not None and (now.seconds is None or now.seconds > had.seconds)
    return now.total > had.total or longer


def _span(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
