"""Steps and the commits they share: whole or not at all, undisturbed by signals, and never after a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from zbo_orchestrator.history.contents import Contents
from zbo_orchestrator.history.epoch import RENEWAL, commit, renew
from zbo_orchestrator.history.store import EngineError, one_line, telling
from zbo_orchestrator.history.undisturbed import undisturbed
from zbo_orchestrator.model import HistoryError


class Commits:
    """Gathers what steps change in memory and makes it durable, one commit for each outermost transaction.

    After a failed step or commit memory is ahead of the store, so everything is refused from then on.
    prepare   called before each step: what has to stand in the same commit
    """

    def __init__(self, contents: Contents, prepare: Callable[[], None]) -> None:
        self._contents, self._prepare = contents, prepare
        self._committed = time.time()
        self._depth = 0
        self._ended: str | None = None
        self._messages: list[str] = []
        self._touched: dict[str, list[int]] = {"proposed": [], "recorded": []}

    @property
    def ended(self) -> bool:
        return self._ended is not None

    def end(self, why: str) -> None:
        """Refuse everything from now on."""
        self._ended = self._ended or why

    def note(self, message: str, *, proposed: list[int] | None = None, recorded: list[int] | None = None) -> None:
        """What the next commit's message and facts say."""
        self._messages.append(message)
        self._touched["proposed"] += proposed or []
        self._touched["recorded"] += recorded or []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at its end, the inner ones of nested transactions excepted; also where it ends by an exception."""
        self._refuse_ended()
        self._depth += 1
        try:
            yield
        except BaseException:
            self._leave()
            raise
        self._leave()
        self._refuse_ended()

    def _leave(self) -> None:
        self._depth -= 1
        if not self._depth and not self._ended:
            self.commit()

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step within a transaction. A refusal changes nothing; any other failure ends the writer."""
        with undisturbed(), self.transaction():
            try:
                with self._telling():
                    self._prepare()
                    yield
            except EngineError as error:
                self.end(str(error))
                raise

    def commit(self) -> None:
        """Commit now, within a transaction or not; nothing where nothing changed."""
        state, store = self._contents.state, self._contents.store
        if not state.changed:
            return
        message = "; ".join(self._messages) or "session"
        with self._committing():
            state.write(store)
            self._contents.large.grow(state.trials)
            commit(store, message, {"clock": state.clock, **self._touched})
            self._messages, self._touched = [], {"proposed": [], "recorded": []}

    def renew(self) -> None:
        """Commit the writer's epoch alone, where the last commit is old; a transaction commits at its end as it is."""
        self._refuse_ended()
        if not self._depth and time.time() - self._committed > RENEWAL:
            with self._committing():
                renew(self._contents.store)

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """Undisturbed; a failure ends the writer."""
        try:
            with undisturbed(), self._telling():
                yield
                self._committed = time.time()
        except EngineError as error:
            self.end(f"a commit failed ({one_line(error)})")
            raise

    def _telling(self) -> AbstractContextManager[None]:
        store = self._contents.store
        return telling(f"cannot write to the history at {store.path} (its last good commit is {store.commit_id})")

    def _refuse_ended(self) -> None:
        if self._ended:
            raise HistoryError(
                f"this writer of {self._contents.store.path} is done: {self._ended}; open the history again"
            )
