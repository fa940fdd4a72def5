"""Who may write a history on object storage, where no lock reaches: an epoch, begun and ended by a commit.

A commit there succeeds only if nobody else has committed since, so a writer that was taken over cannot write again.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from zbo_orchestrator.history.lock import Lock, identity_of, in_words, signature
from zbo_orchestrator.history.store import EngineError, Store, TakenOverError, exists, telling
from zbo_orchestrator.model import InUse, Json
from zbo_orchestrator.place import Address, Place

ABANDONED = 6 * 3600.0
"""Seconds without a commit after which a writer that cannot be asked counts as dead: longer than a trial lasts."""
RENEWAL = 3600.0
"""Seconds without a commit after which a writer that waits for people makes one: several fit into `ABANDONED`."""
_FACTS: Json = {"proposed": [], "recorded": []}


@dataclass(frozen=True, slots=True)
class Epoch:
    """One writer's turn, as the history's root tells it.

    writer   as its lock file has it: pid, host, since, command, and as `lock` that file's identity; `seen`, where it
             waited, when it last showed that it lives
    """

    number: int = 0
    writer: Json = field(default_factory=dict)
    closed: bool = True

    @classmethod
    def of(cls, store: Store) -> Epoch:
        with telling(f"cannot read who writes {store.path}"):
            return cls(**store.root().attrs.get("epoch", {}))  # type: ignore[arg-type]

    @classmethod
    def of_ours(cls, number: int, lock: Lock) -> Epoch:
        return cls(number, {**signature(), "lock": lock.identity}, closed=False)

    def note(self, store: Store) -> None:
        """Write it into a session of the store; it counts once that is committed."""
        store.root().update_attributes({"epoch": asdict(self)})

    def alive(self, idle: float, lock: str) -> bool:
        """Whether its writer may still write, by the seconds since its last commit and the lock that we hold.

        Whoever holds the lock that the writer had held knows that it is gone.
        """
        return not self.closed and self.writer["lock"] != lock and idle < ABANDONED

    def __str__(self) -> str:
        return in_words(self.writer)


def begin(store: Store, lock: Lock, *, take_over: bool) -> None:
    """Take a history over by a commit; raises `InUse` where its last writer may be alive."""
    last, idle = Epoch.of(store), _idle(store)
    if last.alive(idle, lock.identity) and not take_over:
        raise InUse(
            f"another process is writing {store.path}: {last}; its last commit is {idle:.0f} s old. "
            "If it is dead, say so: take_over=True, or zbo run --take-over"
        )
    ours = Epoch.of_ours(last.number + 1, lock)
    with telling(f"cannot take over {store.path}"):
        ours.note(store)
        commit(store, f"epoch {ours.number}: {ours}", _FACTS)


def commit(store: Store, message: str, facts: Json) -> None:
    """Commit; where somebody else has committed since, the `TakenOverError` names who."""
    try:
        store.commit(message, facts)
    except TakenOverError as error:
        ours, now = Epoch.of(store), Epoch.of(store.afresh())
        if now == ours:
            raise EngineError(f"{store.path} did not say whether a commit was made: open it again to see") from error
        raise TakenOverError(
            f"{store.path} was taken over by {now} (epoch {now.number}; this writer's is {ours.number}): "
            f"nothing that this writer did after commit {store.commit_id} is kept"
        ) from error


def renew(store: Store) -> None:
    """Show by a commit that the writer lives."""
    last = Epoch.of(store)
    ours = replace(last, writer={**last.writer, "seen": datetime.now().astimezone().isoformat()})
    ours.note(store)  # what has not changed cannot be committed
    commit(store, f"epoch {ours.number} goes on", _FACTS)


def end(store: Store) -> None:
    """Note that the writer is gone, so that the next one need not ask; where somebody took over, nothing."""
    with telling(f"cannot note at {store.path} that this writer is done"), suppress(TakenOverError):
        newest = store.afresh()
        last = Epoch.of(newest)
        if newest.commit_id == store.commit_id:
            replace(last, closed=True).note(newest)
            commit(newest, f"epoch {last.number} ends", _FACTS)


def held_by(history: Address) -> str | None:
    """Who writes a history now, in words; None: nobody does."""
    place = Place.of(history)
    try:
        lock = identity_of(place.beside(".lock"))
    except InUse as taken:
        return str(taken)
    if not place.remote or not exists(place):
        return None
    store = Store.read(place)
    last = Epoch.of(store)
    return f"another process is writing this history: {last} ({place})" if last.alive(_idle(store), lock) else None


def held_here(place: Place) -> bool:
    """Whether a process on this machine holds the lock file beside a history."""
    try:
        identity_of(place.beside(".lock"))
    except InUse:
        return True
    return False


def _idle(store: Store) -> float:
    """Seconds since the newest commit."""
    with telling(f"cannot read the commits of {store.path}"):
        return time.time() - next(store.log()).time.timestamp()
