"""People asked through Prefect: a campaign that waits is a paused flow run, whose form answers into the inbox.

The command line answers the same inbox; whoever is first is heard, and the flow run goes on either way.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Literal, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, NotPausedError, Pause, PrefectHTTPStatusError
from prefect.flow_runs import resume_flow_run
from prefect.input import RunInput, keyset_from_paused_state
from prefect.input.run_input import Keyset
from prefect.logging import get_run_logger
from prefect.states import Paused
from prefect.utilities.engine import propose_state_sync
from pydantic import Field

from zbo_flows.absence import shown
from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History, Inbox, Request

LOOK = 1.0
"""Seconds between two looks at the flow run's state."""
_A_YEAR = 365 * 24 * 3600
"""Seconds: Prefect wants a paused run to end some day."""


class Decision(RunInput):
    """What the form on a paused run's page asks for."""

    decision: Literal["resume", "approve", "veto", "inject", "stop"] = Field(description="What is to happen")
    reason: str = Field("", description="Why; it is kept")
    by: str = Field("somebody at the Prefect server", description="Your name")
    z: list[float] | None = Field(None, title="Latent point", description="The point that runs next, to inject")


class PausedRun(Watcher):
    """Shows a waiting campaign as a paused flow run and takes what is typed there to the inbox."""

    def __init__(self) -> None:
        self._keys: Keyset | None = None
        self._looked = 0.0
        self._refused = False

    def held(self, history: History, why: str) -> None:
        """Where the server does not answer, the command line does."""
        if why and time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        if not why:
            self._refused = False
        if why and self._keys is None and not self._refused:
            shown("the paused run", partial(self._pause, why))
        elif why and self._keys is not None:
            shown("the paused run", partial(self._look, history))
        elif self._keys is not None:
            shown("the paused run", self._release)

    def _pause(self, why: str) -> None:
        get_run_logger().warning("waiting for people: %s", why)
        state: State[None] = Paused(message=why, timeout_seconds=_A_YEAR, pause_key=str(time.time_ns()))
        keys = keyset_from_paused_state(state)
        state.state_details.run_input_keyset = {str(name): key for name, key in keys.items()}
        with get_client(sync_client=True) as client:
            try:
                told: State[None] | None = propose_state_sync(client, state, flow_run_id=_run().id)
            except Pause as already:  # it could not be told to go on, or was given no form
                told = already.state
            except Abort as over:  # somebody said that it has ended
                get_run_logger().warning("the server refuses: %s", over)
                told = None
        if told is None or not told.is_paused():
            self._refused = True
            get_run_logger().warning("the flow run does not pause; the command line answers: zbo resume, zbo approve")
            return
        keys = keyset_from_paused_state(told)
        usual: Literal["resume", "approve"] = "resume" if why.startswith("paused") else "approve"
        try:
            Decision.with_initial_data(description=why, decision=usual).save(keys)
        except PrefectHTTPStatusError as refused:
            if refused.response.status_code != HTTPStatus.CONFLICT:  # which has its form from before
                raise
        self._keys = keys

    def _look(self, history: History) -> None:
        """Hand on what was decided, once the run was resumed."""
        assert self._keys is not None
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(_run().id).state
        if state is None or not state.is_running():
            return
        said = cast(Decision, Decision.load(self._keys))  # a coroutine in a flow that is one
        self._keys = None
        data = {"z": said.z} if said.decision == "inject" else {}
        Inbox(history.path).put(Request(said.decision, said.reason, said.by, data))

    def _release(self) -> None:
        """Somebody answered by another way; who presses the page's button just then comes too late."""
        self._keys = None
        with suppress(NotPausedError):
            resume_flow_run(_run().id, run_input={"decision": "resume", "reason": "answered elsewhere"})
        get_run_logger().info("going on")


def _run() -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run
