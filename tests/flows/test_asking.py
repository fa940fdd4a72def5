"""A campaign that waits for people is a paused flow run; what is decided there, or elsewhere, lets it go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zbo_orchestrator.history import Inbox, Record, Request
from zbo_orchestrator.model import Status

pytestmark = pytest.mark.prefect


def answering(name: str, answers: list[Callable[[Any], None]]) -> threading.Thread:
    """A person at the server, in a thread: answers each time the flow run of that name is paused."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect reads its settings when imported)
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415

    def answer() -> None:
        asked = set()
        with get_client(sync_client=True) as client:
            deadline = time.monotonic() + 60
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
