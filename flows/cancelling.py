"""A cancelled flow run ends its campaign: the trial under way is stopped and recorded, and none follows.

A runner also ends a cancelled run's process; a run that nobody runs for, or whose runner was killed, has only this.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Self
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import CancelledRun

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History
from zbo_orchestrator.model import Stopped, Trial

__all__ = ["Cancellation", "CancelledRun"]

LOOK = 1.0
"""Seconds between two looks at the flow run's state."""
_WORDS = "the flow run was cancelled"


class Cancellation(Watcher):
    """Raises `Stopped`: in a trial at its next report, and between trials.

    It looks in a thread of its own: a server that does not answer must not hold a trial up.
    """

    def __init__(self, run: UUID) -> None:
        self._run = run
        self._cancelled, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="cancellation")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def training(self, step: int, of: int, **values: float) -> None:  # noqa: ARG002 (a watcher is told more)
        self._heed()

    def opened(self, history: History) -> None:  # noqa: ARG002
        self._heed()

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        self._heed()

    def recorded(self, history: History, trial: Trial) -> None:  # noqa: ARG002
        self._heed()

    def held(self, history: History, why: str) -> None:  # noqa: ARG002
        self._heed()

    def _heed(self) -> None:
        if self._cancelled.is_set():
            raise Stopped(_WORDS)

    def _look(self) -> None:
        with get_client(sync_client=True) as client:
            while not self._over.wait(LOOK):
                if self._asked(client):
                    self._cancelled.set()
                    return

    def _asked(self, client: SyncPrefectClient) -> bool:
        try:
            state = client.read_flow_run(self._run).state
        except httpx.HTTPError:  # a server that is away cancels nothing, and may come back
            return False
        return state is not None and (state.is_cancelling() or state.is_cancelled())
