"""Opening a store: what it holds, or, where it is damaged, the last commit that can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zbo_orchestrator.history import disk
from zbo_orchestrator.history.charter import Charter
from zbo_orchestrator.history.founding import read_charter, refuse_other_schema
from zbo_orchestrator.history.large import LargeArrays
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import Commit, EngineError, Store, telling
from zbo_orchestrator.model import HistoryError
from zbo_orchestrator.place import Address, Place


class DamageError(HistoryError):
    """What is stored cannot be read; the text names the last commit that can."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a store holds, its small state in memory and its large arrays within reach."""

    store: Store
    charter: Charter
    state: State
    large: LargeArrays


def contents_of(store: Store) -> Contents:
    refuse_other_schema(store)
    present = store.members()
    return Contents(store, read_charter(store), State.load(store, present), LargeArrays(store, present))


def log(path: Address) -> list[Commit]:
    """All commits of a history, newest first."""
    store = Store.read(Place.of(path))
    with telling(f"cannot read the commits of {path}"):
        return list(store.log())


def commit_of_trial(path: Place, trial: int) -> str:
    """The commit in which a trial stands recorded for the first time."""
    for commit in log(path):
        if trial in commit.facts.get("recorded", ()):
            return commit.id
    raise HistoryError(f"trial {trial} is not recorded in {path}")


def read_contents(path: Place, commit: str | None = None) -> Contents:
    return contents_at(path, lambda: Store.read(path, commit))


def contents_at(path: Place, opened: Callable[[], Store]) -> Contents:
    """The contents of a store; where they cannot be read, the error names the last commit that can."""
    met = ""
    try:
        with telling("its tables"):
            store = opened()
            met = store.commit_id
            return contents_of(store)
    except EngineError as error:
        good = described(last_good_commit(path, skip=met))
        raise DamageError(f"the history at {path} is damaged ({error}); {good}") from error


def described(good: Commit | None) -> str:
    if good is None:
        return "no commit in it can be read"
    when = f"{good.time:%Y-%m-%d %H:%M:%S} UTC"
    return f"its last good commit is {good.id} of {when} ({good.message}); `zbo repair` copies what can be read"


def last_good_commit(path: Place, skip: str) -> Commit | None:
    """The newest commit whose small state can be read whole."""
    commits = [commit for commit in commits_by_age(path) if commit != skip]
    newest = first_that(len(commits), lambda age: _good(path, commits[age]) is not None)
    return None if newest is None else _good(path, commits[newest])


def first_that(count: int, works: Callable[[int], bool]) -> int | None:
    """The first of so many that works, in few tries: a damaged file spoils an unbroken run of the newest commits."""
    bad, at = -1, 0
    while at < count and not works(at):
        bad, at = at, 2 * at + 1
    if at >= count:
        if bad == count - 1 or not works(count - 1):
            return None
        at = count - 1
    while at - bad > 1:
        middle = (bad + at) // 2
        bad, at = (bad, middle) if works(middle) else (middle, at)
    return at


def commits_by_age(path: Place) -> list[str]:
    try:
        return [commit.id for commit in log(path)]
    except HistoryError:
        if path.remote:  # no list of what lies there: a bucket damages no files one by one as a disk does
            raise
        return disk.snapshots(path.folder)[:-1]  # the oldest is the empty one that every repository begins with


def _good(path: Place, commit: str) -> Commit | None:
    try:
        with telling(f"cannot read commit {commit}"):
            store = Store.read(path, commit)
            contents_of(store)
            return next(store.log(commit), None)
    except HistoryError:
        return None
