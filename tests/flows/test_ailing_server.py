"""A server that answers that it is well, and refuses what it is asked: campaigns go on, and the refusals are logged."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from waiting import eventually

from zbo_flows.owned import free_ports
from zbo_orchestrator.campaign import load
from zbo_orchestrator.comparison import Audience, read
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Inbox, Record, Request

pytestmark = [pytest.mark.prefect, pytest.mark.long]  # requests to a server that refuses are tried again
sys.path.append(str(Path(__file__).parents[1] / "comparison"))

from arena import duel  # noqa: E402 (lives beside the tests of comparisons)


@contextmanager
def ailing(api: str, refused: str) -> Iterator[str]:
    """The address of a server that passes all on to another one, but answers with 500 where a path matches."""
    there = httpx.AsyncClient(base_url=api.removesuffix("/api"), timeout=60)

    async def between(request: Asked) -> Response:
        if re.search(refused, f"{request.method} {request.url.path}"):
            return PlainTextResponse("database or disk is full", 500)
        headers = {"content-type": request.headers.get("content-type", "application/json")}
        asked = f"{request.url.path}?{request.url.query}"
        answer = await there.request(request.method, asked, content=await request.body(), headers=headers)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    (port,) = free_ports("127.0.0.1", 0)
    routes = [Route("/{path:path}", between, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def speaking_to(address: str) -> Iterator[None]:
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 (most tests never import it)
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    with temporary_settings({PREFECT_API_URL: address}):
        try:
            yield
        finally:
            EventsWorker.drain_all(timeout=5)  # it would speak to that address for all tests to come


def test_a_page_that_cannot_be_written_ends_no_campaign(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    with ailing(api, "POST /api/artifacts/") as address, speaking_to(address):
        assert run_campaign(str(campaign_file()), str(tmp_path / "history"))["trials"] == 9
    assert Record.read(tmp_path / "history").state == "finished"
    said = [record.getMessage() for record in caplog.records if "did not take it" in record.getMessage()]
    assert said
    assert all(words.startswith("the run's page: the server did not take it: Server error '500") for words in said)


@pytest.mark.parametrize("refused", [r"POST /api/flow_runs/[^/]+/resume", r"POST /api/flow_runs/[^/]+/input$"])
def test_people_are_heard_where_the_page_cannot_ask_or_go_on(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, refused: str
) -> None:
    """Whoever answered by command line would otherwise have ended the campaign by it, at once or a trial later."""
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file, history = campaign_file(approval=True, budget={"initial": 2, "total": 2}), tmp_path / "history"

    def approve() -> None:
        for trial in range(2):
            assert eventually(lambda: f"trial {trial} " in _asked(caplog), 60)  # noqa: B023 (waited for at once)
            Inbox(history).put(Request("approve", "go", "bo"))

    person = threading.Thread(target=approve)
    person.start()
    with ailing(api, refused) as address, speaking_to(address):
        assert run_campaign(str(file), str(history))["trials"] == 2
    person.join()
    assert "the paused run: the server did not take it: Server error '500" in caplog.text


def test_a_server_that_hangs_holds_one_trial_up_not_each(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from zbo_flows import absence  # noqa: PLC0415

    monkeypatch.setattr(absence, "_ANSWER", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        speaking_to(f"http://127.0.0.1:{silent.getsockname()[1]}/api"),
    ):
        assert absence.gone()
        silent.settimeout(5)
        silent.accept()[0].close()
        assert absence.gone()
        silent.settimeout(0.1)
        with pytest.raises(TimeoutError):
            silent.accept()
    assert not absence.gone(), "another answers"


def test_final_trainings_end_soon_after_their_server_is_gone(api: str, tmp_path: Path) -> None:
    from zbo_flows.audience import COMPARISON  # noqa: PLC0415
    from zbo_flows.final_training import final_training  # noqa: PLC0415

    history = tmp_path / "duel"
    conduct(load(duel(tmp_path, name="duel"), allow_code=True), history, Watcher())
    server = ExitStack()
    ended: list[float] = []

    class Kills(Audience):
        def trained(self, *_: object) -> None:
            server.close()
            ended.append(time.monotonic())

    before = COMPARISON.set(Kills())
    with speaking_to(server.enter_context(ailing(api, "^never$"))), pytest.raises(httpx.TransportError):
        final_training(str(history), seeds=2, schedules=["best", "constant 3"], allow_code=True)
    COMPARISON.reset(before)
    assert time.monotonic() - ended[-1] < 20
    kept = read(history, partial=True)
    assert kept is not None
    assert np.isfinite(kept.last.values).all(), "all trainings were done, and are kept"


def _asked(caplog: pytest.LogCaptureFixture) -> str:
    """What a run said that it waits for, once it had tried to say it to the server."""
    return " ".join(record.getMessage() for record in caplog.records if "waiting for people" in record.getMessage())


def test_a_slot_that_the_server_has_forgotten_ends_no_run(
    api: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart it knows no lease of before; Prefect's own way would throw an error into the trial under way."""
    from prefect import flow_engine  # noqa: PLC0415

    from zbo_flows import absence  # noqa: PLC0415

    monkeypatch.setattr(absence, "RENEWALS", 600)
    with flow_engine.maintain_concurrency_lease(uuid4(), 60.0, raise_on_lease_renewal_failure=True):  # type: ignore[attr-defined]
        refusals = "the deployment's slot was not kept: Client error '410 Gone'"
        assert eventually(lambda: caplog.text.count(refusals) > 2, 60), "it is asked for again and again"
        time.sleep(0.5)  # Prefect's error would come now


def test_a_slot_is_kept_in_a_file(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    from zbo_flows import absence  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name("bench", 1)
        taken = client.increment_concurrency_slots_with_lease(["bench"], 1, "concurrency", 60).json()
    file = Path(os.environ["PREFECT_HOME"], "concurrency_leases", f"{taken['lease_id']}.json")

    def left() -> float:
        return datetime.fromisoformat(json.loads(file.read_text())["expiration"]).timestamp() - time.time()

    assert left() < 60
    monkeypatch.setattr(absence, "RENEWALS", 3000)
    with absence.kept(UUID(taken["lease_id"]), 300.0):
        assert eventually(lambda: left() > 200)
