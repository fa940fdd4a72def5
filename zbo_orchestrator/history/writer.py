"""Writing a history: one process at a time, each step committed before it is acted on."""

from __future__ import annotations

import time
import warnings
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from zbo_orchestrator.history import schema, sessions
from zbo_orchestrator.history.charter import Charter, refuse_other, to_json
from zbo_orchestrator.history.commits import Commits
from zbo_orchestrator.history.contents import Contents
from zbo_orchestrator.history.entries import Entries
from zbo_orchestrator.history.epoch import ABANDONED, Epoch, end
from zbo_orchestrator.history.founding import found
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.opening import held, locked, opened
from zbo_orchestrator.history.record import Record
from zbo_orchestrator.history.room import LEAST, Room
from zbo_orchestrator.history.store import Durability, EngineError, exists
from zbo_orchestrator.model import (
    Budget,
    Certify,
    Evidence,
    HistoryError,
    Json,
    Plan,
    Proposal,
    Status,
    Trial,
)
from zbo_orchestrator.place import Address, Place

_INTERRUPTED = "its process ended before the trial was recorded, and this executor may not repeat one unasked"


class EpochWarning(UserWarning):
    """A writer is done, and the object storage does not know."""


class History(Record):
    """The one writer of a history; a context manager.

    Every method returns after its commit, unless a transaction is open: then all share the commit at its end.
    After a failed commit the history refuses everything, since memory is ahead of the store: open it again.
    """

    def __init__(self, contents: Contents, lock: Lock) -> None:
        super().__init__(contents)
        self._lock = lock
        self._commits = Commits(contents, self._session_if_none)
        self._entries = Entries(contents, self._now)
        self._seen: Evidence | None = None
        self._seen_tick = 0
        self._session: int | None = None
        self._room = None if self.path.remote or self.charter.repeatable else Room(self.path.beside(".room"))
        self._spent_before = self._state.spent()
        self._opened, self._opened_at = time.monotonic(), time.time()

    # --- founding, opening, closing ---

    @staticmethod
    def exists(path: Address) -> bool:
        return exists(Place.of(path))

    @classmethod
    def create(
        cls, path: Address, charter: Charter, *, durability: Durability = "process", wait: float = 5.0
    ) -> History:
        """Found a history: it appears whole or not at all."""
        place = Place.of(path)
        lock = locked(place, wait)
        try:
            found(place, charter, durability, Epoch.of_ours(1, lock))
            history = cls(opened(place, durability), lock)
            history._begin_session(charter.campaign.get("width", 1))
            history._commits.commit()
        except BaseException:
            lock.release()
            raise
        return history

    @classmethod
    def open(
        cls, path: Address, *, durability: Durability = "process", wait: float = 5.0, take_over: bool = False
    ) -> History:
        """Open to write; waits so many seconds for a dying holder, then raises `InUse` naming it.

        On object storage a holder elsewhere is not waited for. `take_over` ends its turn whether it lives or not:
        it can commit no more. On disk there is nothing to take over, since a dead holder's lock is free.
        """
        place = Place.of(path)
        if not exists(place):
            raise HistoryError(f"no history at {place}")
        lock = locked(place, wait)
        try:
            return cls(held(place, durability, lock, take_over=take_over), lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Let go of the lock; what is committed is committed.

        Warns with `EpochWarning` where object storage cannot be told, which costs only the next writer elsewhere.
        """
        sound = not self._commits.ended
        self._commits.end("closed")
        try:
            if self.path.remote and sound:
                self._end_epoch()
            if self._room:
                self._room.clear()
        finally:
            self._lock.release()

    def _end_epoch(self) -> None:
        try:
            end(self._store)
        except EngineError as error:
            warnings.warn(
                f"{error}. All that was committed is kept; who writes next from another machine or folder has to wait "
                f"{ABANDONED / 3600:g} hours, or to take over: zbo run --take-over",
                EpochWarning,
                stacklevel=3,
            )

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
        more: bool = False,
        name: str | None = None,
        notes: Json | None = None,
        certify: Certify | None = None,
        width: int = 1,
    ) -> None:
        """Begin a session of the same campaign; what may change and did becomes an event.

        Raises `HistoryError` naming every difference where the identity is another. Warns with `SessionWarning`
        where versions, host or threads differ from the last session's. Trials that were started and not recorded
        become interrupted unless the executor is repeatable. A finished campaign with more budget runs on,
        and one with `more` trials asked for than it holds.
        """
        refuse_other(self.charter.identity, identity)
        self.space = replace(self.space, certify=certify)
        if self._room:
            self._room.clear()
        with self.transaction():
            self._begin_session(width)
            self._change("name", self.name, name)
            self._change("notes", dict(self.notes), None if notes is None else dict(notes))
            self._change_budget(budget, more=more)
            self._interrupt_started()

    def _begin_session(self, width: int | None) -> None:
        if self._session is None:
            row = sessions.opening(self._state.journal(schema.SESSIONS), width)
            stamp = {"sequence": self._state.clock, "at": self._opened_at}
            self._session = self._state[schema.SESSIONS].append(json=to_json({**stamp, **row}))
        elif width != self.sessions[self._session]["width"]:
            self.event("width", to=width)

    def _session_if_none(self) -> None:
        if self._session is None:
            self._begin_session(None)

    def _change(self, kind: str, had: object, wants: object) -> None:
        if wants is not None and to_json(wants) != to_json(had):
            self.event(kind, **{"from": had, "to": wants})

    def _change_budget(self, budget: Budget | None, *, more: bool) -> None:
        """A file that says what it said before leaves standing what a person has asked for since; `more` does not."""
        said = self.budget if more else self._state.filed_budget(self.charter.budget)
        if budget is not None and budget != said:
            self.set_budget(budget)
        if more and self._over and self.ended < self.budget.total:
            self.event("reopen", reason="more trials were asked for")

    @property
    def _over(self) -> bool:
        return self.state == "finished" or bool(self.stopped)

    def _interrupt_started(self) -> None:
        if self.charter.repeatable:
            return
        for number in np.flatnonzero(self._state.status == Status.STARTED):
            self._entries.close(int(number), Status.INTERRUPTED, _INTERRUPTED)
            self._commits.note(f"interrupt {number}", recorded=[int(number)])

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
        with self._commits.step():
            evidence, seen = self._seen or self.evidence(), self._seen_tick
            numbers = self._entries.plan(plan, evidence, seen)
            self._seen = None
            self._commits.note(f"propose {_span(numbers)}", proposed=numbers)
        return [Proposal(number, self._state.z[number]) for number in numbers]

    def start(self, number: int, attempt: int = 1) -> None:
        """Note that a trial begins; nothing is written where the executor is repeatable.

        Raises `HistoryError` where the disk has no room for its record.
        """
        if self.charter.repeatable:
            return
        if self._room:
            self._room.hold(number, LEAST + 2 * self._large.row_bytes)
        with self._commits.step():
            self._entries.start(number, attempt)
            self._commits.note(f"start {number}")
            self._commit_if_irreplaceable()

    def record(self, trial: Trial) -> None:
        """Write down what came of a trial.

        Raises `ExecutionError`, with nothing changed, where a scored trial's measurement does not fit (see
        `check`); of a failed trial such a measurement is left out, and its error says so.
        """
        if self._room:
            self._room.release(trial.number)
        with self._commits.step():
            self._entries.outcome(trial)
            self._commits.note(f"record {trial.number}", recorded=[trial.number])
            self._commit_if_irreplaceable()

    def event(self, kind: str, /, **data: Any) -> None:
        """Note anything else that happened."""
        with self._commits.step():
            stamp = {"sequence": self._state.clock, "session": self._session, "at": self._now()}
            row = {**stamp, "kind": kind, "data": data}
            self._state[schema.EVENTS].append(json=to_json(row))
            self._commits.note(kind)

    def set_budget(self, budget: Budget, by: str = "") -> None:
        """From now on; `by` whom, where it is not the campaign file's. A finished campaign with more of it runs on."""
        grew = _grew(self.budget, budget)
        with self.transaction():
            self.event("budget", **asdict(budget), **({"by": by} if by else {}))
            if grew and self._over:
                self.event("reopen", reason="the budget grew")

    def finish(self, reason: str) -> None:
        """Note that the campaign is over, and why."""
        self.event("finish", reason=reason)

    def still_here(self) -> None:
        """Keep a history on object storage from counting as abandoned while a campaign waits: call it again and again.

        One commit an hour, of nothing else, and only where there was none; raises as others do where it fails or
        somebody took over. Does nothing on disk.
        """
        if self.path.remote:
            self._commits.renew()

    # --- commits ---

    def transaction(self) -> AbstractContextManager[None]:
        """Let all steps within share one commit; a transaction within another joins it.

        Each step is true by itself, so those done are committed even where the block ends by an exception. Where
        the executor is not repeatable, starts and records do not wait for the end: they could not be had again.
        """
        return self._commits.transaction()

    def _commit_if_irreplaceable(self) -> None:
        if not self.charter.repeatable:
            self._commits.commit()

    def _now(self) -> float:
        """Seconds since the epoch that never run backwards within a session."""
        return self._opened_at + time.monotonic() - self._opened


def _grew(had: Budget, now: Budget) -> bool:
    longer = had.seconds is not None and (now.seconds is None or now.seconds > had.seconds)
    return now.total > had.total or longer


def _span(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
