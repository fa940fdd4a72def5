"""Getting hold of a history to write: its lock, its contents, and, where no lock reaches, its next epoch."""

from __future__ import annotations

from zbo_orchestrator.history.contents import Contents, contents_at
from zbo_orchestrator.history.epoch import begin
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.store import Durability, Store, TakenOverError
from zbo_orchestrator.place import Place


def locked(place: Place, wait: float) -> Lock:
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    return Lock(place.beside(".lock"), wait)


def opened(place: Place, durability: Durability) -> Contents:
    return contents_at(place, lambda: Store.write(place, durability))


def held(place: Place, durability: Durability, lock: Lock, *, take_over: bool) -> Contents:
    """The contents, ours to write; looks again where somebody has committed meanwhile."""
    contents = opened(place, durability)
    if not place.remote:
        return contents
    try:
        begin(contents.store, lock, take_over=take_over)
    except TakenOverError:
        return held(place, durability, lock, take_over=False)
    return contents
