"""What a flow run's page says after a death, of a run or of an artifact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from zbo_flows.server import PAGES, Server
from zbo_orchestrator.model import ConfigurationError

pytestmark = pytest.mark.prefect


def ended() -> int:
    """The id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("writer", "state"),
    [
        (lambda: {"pid": ended()}, "CRASHED"),
        pytest.param(lambda: {"process": "another that had this id"}, "CRASHED", marks=pytest.mark.long),
        (dict, "RUNNING"),
        pytest.param(lambda: {"pid": ended(), "host": "another"}, "RUNNING", marks=pytest.mark.long),
    ],
    ids=["gone", "id given again", "alive", "elsewhere"],
)
def test_a_run_whose_process_is_gone_is_ended_by_the_next_one(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, writer: Callable[[], dict[str, object]], state: str
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415 (most tests never import Prefect)

    file, history, note = str(campaign_file()), str(tmp_path / "history"), tmp_path / "history.flow-run"
    run_campaign(file, history, trials=4)
    first = json.loads(note.read_text())
    run = f"{api}/flow_runs/{first['flow_run']}"
    httpx.post(f"{run}/set_state", json={"state": {"type": "RUNNING"}, "force": True}).raise_for_status()
    note.write_text(json.dumps({**first, **writer()}))
    run_campaign(file, history, trials=5)
    assert httpx.get(run).json()["state"]["type"] == state
    second = json.loads(note.read_text())["flow_run"]
    assert second != first["flow_run"]
    httpx.delete(run)
    note.write_text(json.dumps({**first, "pid": ended()}))
    assert run_campaign(file, history, trials=6)["trials"] == 6, "a run that the server has forgotten is no obstacle"


@pytest.mark.parametrize("left", ["", '{"flow_run": "12'], ids=["empty", "half"])
def test_a_note_that_a_power_cut_left_is_no_obstacle(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, left: str, caplog: pytest.LogCaptureFixture
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    note = tmp_path / "history.flow-run"
    note.write_text(left)
    assert run_campaign(str(campaign_file()), str(tmp_path / "history"), trials=4)["trials"] == 4
    assert "history.flow-run does not say which run was before" in caplog.text
    assert json.loads(note.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("name", ["größe 2", "Curl", "実験"])
def test_a_name_in_any_script_makes_a_key(name: str) -> None:
    from prefect.artifacts import MarkdownArtifact  # noqa: PLC0415

    from zbo_flows.page import key  # noqa: PLC0415

    MarkdownArtifact(markdown="one", key=key(name))


def test_an_address_that_is_none_is_told_before_anything_runs(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    monkeypatch.setenv(PAGES, "127.0.0.1:4201")
    with pytest.raises(ConfigurationError, match=r"ZBO_PAGES is '127\.0\.0\.1:4201'; wanted an http or https address"):
        run_campaign(str(campaign_file()), str(tmp_path / "history"))
    assert not (tmp_path / "history").exists()


def test_an_artifact_deleted_on_the_server_is_made_again(api: str) -> None:
    from prefect import flow  # noqa: PLC0415
    from prefect.artifacts import MarkdownArtifact  # noqa: PLC0415

    from zbo_flows.page import Page  # noqa: PLC0415

    def shown() -> list[dict[str, str]]:
        wanted = {"artifacts": {"key": {"any_": ["deleted-summary"]}}}
        return httpx.post(f"{api}/artifacts/filter", json=wanted).json()  # type: ignore[no-any-return]

    @flow
    def showing() -> None:
        page = Page()
        for text in ("one", "two"):
            page.put(MarkdownArtifact(markdown=text, key="deleted-summary"))
        (artifact,) = shown()
        assert artifact["data"] == "two"
        httpx.delete(f"{api}/artifacts/{artifact['id']}").raise_for_status()
        page.put(MarkdownArtifact(markdown="three", key="deleted-summary"))

    showing()
    assert [artifact["data"] for artifact in shown()] == ["three"]


def test_pages_that_did_not_start_are_told_and_not_linked_to(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PAGES, "http://127.0.0.1:9")
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    with pytest.warns(UserWarning, match=r"the pages of histories ended at their start; their log is .*pages\.log"):
        Server(api, pages=died).wait()
    assert PAGES not in os.environ
