"""A server that answers that it is well, and refuses what it is asked: campaigns go on, and the refusals are logged."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from waiting import eventually

from zbo_flows.owned import free_ports
from zbo_orchestrator.history import Inbox, Record, Request

pytestmark = pytest.mark.prefect


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
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 (most tests never import it)

    with temporary_settings({PREFECT_API_URL: address}):
        yield


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


def test_people_are_heard_where_the_page_cannot_go_on(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    """Whoever answered by command line would otherwise have ended the campaign by it."""
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file, history = campaign_file(approval=True, budget={"initial": 1, "total": 1}), tmp_path / "history"
    person = threading.Timer(0.0, _approve, (history,))
    person.start()
    with ailing(api, r"POST /api/flow_runs/[^/]+/resume") as address, speaking_to(address):
        assert run_campaign(str(file), str(history))["trials"] == 1
    person.join()


def test_a_slot_that_the_server_has_forgotten_ends_no_run(api: str, caplog: pytest.LogCaptureFixture) -> None:
    """After a restart it knows no lease of before; Prefect's own way would throw an error into the trial under way."""
    from prefect import flow_engine  # noqa: PLC0415

    import zbo_flows.absence  # noqa: F401, PLC0415

    with flow_engine.maintain_concurrency_lease(uuid4(), 300, raise_on_lease_renewal_failure=True):  # type: ignore[attr-defined]
        assert eventually(lambda: "slots are no longer reserved" in caplog.text, 60)
        time.sleep(0.5)  # Prefect's error would come now


def _approve(history: Path) -> None:
    """Once it waits; an answer that comes while the page is being prepared is taken the same way."""
    assert eventually(history.exists, 60)
    assert eventually(lambda: len(Record.read(history)) > 0, 60)
    threading.Event().wait(2.0)
    Inbox(history).put(Request("approve", "go", "bo"))
