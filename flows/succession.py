"""A flow run whose worker died with it cannot say so: the run that goes on with its history does."""

from __future__ import annotations

from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.states import Crashed

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History

_UNDER_WAY = (StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)


class Succession(Watcher):
    """Notes beside the history which flow run writes it, and ends in Prefect the one that was noted there."""

    def __init__(self, run: UUID) -> None:
        self._run = run

    def opened(self, history: History) -> None:
        """The history's lock is ours, so whoever had it before is gone."""
        note = history.path.beside(".flow-run")
        before = note.read_text() if note.exists() else ""
        note.write_text(str(self._run))
        if before and before != str(self._run):
            self._end(UUID(before))

    def _end(self, run: UUID) -> None:
        client = get_client(sync_client=True)
        try:
            state = client.read_flow_run(run).state
        except ObjectNotFound:  # deleted since, or another server's
            return
        if state is not None and state.type in _UNDER_WAY:
            said = f"its process is gone; flow run {self._run} goes on with its history"
            client.set_flow_run_state(run, Crashed(message=said), force=True)
            get_run_logger().warning("flow run %s wrote this history before: %s", run, said)
