"""A campaign that waits for people is a paused flow run; what is decided there, or elsewhere, lets it go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History, Inbox, Record, Request
from zbo_orchestrator.model import Status

pytestmark = pytest.mark.prefect


def answering(name: str, answers: list[Callable[[Any], None]]) -> threading.Thread:
    """A person at the server, in a thread: answers each time the flow run of that name is paused."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect reads its settings when imported)
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415

    def answer() -> None:
        asked = set()
        with get_client(sync_client=True) as client:
            deadline = time.monotonic() + 200
            while len(asked) < len(answers) and time.monotonic() < deadline:
                for run in client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=20):
                    state = run.state
                    if run.name == name and state is not None and state.is_paused() and state.id not in asked:
                        answers[len(asked)](run)
                        asked.add(state.id)
                time.sleep(0.1)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def decide(**decision: Any) -> Callable[[Any], None]:
    from prefect.flow_runs import resume_flow_run  # noqa: PLC0415

    return lambda run: resume_flow_run(run.id, run_input=decision)


def test_a_run_that_the_server_takes_for_ended_is_answered_by_the_command_line(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect.runtime import flow_run  # noqa: PLC0415

    from zbo_flows.audience import AUDIENCE  # noqa: PLC0415
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file, path = campaign_file(approval=True, budget={"initial": 2, "total": 2}), tmp_path / "small"

    class Person(Watcher):
        def opened(self, history: History) -> None:
            given_up = {"state": {"type": "CRASHED"}, "force": True}
            httpx.post(f"{api}/flow_runs/{flow_run.id}/set_state", json=given_up).raise_for_status()

        def held(self, history: History, why: str) -> None:
            if why and not Inbox(path).files():
                Inbox(path).put(Request("approve", "go", "bo"))

    before = AUDIENCE.set(Person())
    run_campaign(str(file), str(path), return_state=True)
    AUDIENCE.reset(before)
    assert Record.read(path).status.tolist() == [Status.SCORED] * 2
    assert "the flow run does not pause; the command line answers" in caplog.text


def test_decisions_on_the_runs_page_reach_the_campaign(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file, path = campaign_file(name="asked", approval=True), tmp_path / "small"

    def by_command_line(_run: Any) -> None:
        Inbox(path).put(Request("approve", "from elsewhere", "bo"))

    person = answering(
        "small",
        [
            decide(decision="approve", by="anna", reason="go"),
            decide(decision="veto", by="anna", reason="not this one"),
            by_command_line,
            decide(decision="stop", by="anna", reason="enough"),
        ],
    )
    facts = run_campaign(str(file), str(path))
    person.join()
    record = Record.read(path)
    assert record.status.tolist()[:3] == [Status.SCORED, Status.VETOED, Status.SCORED]
    assert record.errors[1] == "vetoed by anna: not this one"
    assert facts["stop"] == "stopped by anna: enough"
