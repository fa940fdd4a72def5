"""Histories in a browser: what is found, drawn and refused."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import uvicorn

from zbo_flows.owned import free_ports
from zbo_orchestrator.campaign import load
from zbo_orchestrator.cli import main
from zbo_orchestrator.cli.summary import lines, summarize
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import History, Record
from zbo_orchestrator.pages.application import application
from zbo_orchestrator.survey import survey

PNG = b"\x89PNG"
Visit = Callable[[Path], httpx.Client]


@pytest.fixture
def folder(tmp_path: Path, campaign_file: Callable[..., Path]) -> Path:
    """Holds a history of five trials, two folders down."""
    lab = tmp_path / "lab"
    conduct(load(campaign_file(), ["budget.total=5"]), lab / "histories" / "first", Watcher())
    return lab


@pytest.fixture
def visit() -> Iterator[Visit]:
    """A browser on a folder's pages, over a socket."""
    with ExitStack() as stack:

        def visit(folder: Path) -> httpx.Client:
            (port,) = free_ports("127.0.0.1", 0)
            server = uvicorn.Server(uvicorn.Config(application(folder, ["127.0.0.1"]), port=port, log_level="error"))
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.01)
            return stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))

        yield visit


def test_every_history_of_the_folder_is_in_the_table(
    visit: Visit, folder: Path, campaign_file: Callable[..., Path]
) -> None:
    browser = visit(folder)
    before = browser.get("/").text
    assert 'href="histories/first/report"' in before
    assert "5 of 5" in before
    assert "finished" in before
    shutil.copytree(folder / "histories" / "first", folder / "histories" / "first.scan")  # a store, and no history
    assert browser.get("/").text.count("/report") == 1
    conduct(load(campaign_file(name="other"), ["budget.total=4"]), folder / "histories" / "the <b>est", Watcher())
    shutil.copytree(folder / "histories" / "first", folder / os.fsdecode(b"not utf-8 \xff"))
    (folder / ".hidden").mkdir()
    (folder / "histories" / "first").rename(folder / ".hidden" / "first")
    after = browser.get("/").text
    assert 'href="histories/the%20%3Cb%3Eest/report"' in after
    assert "the &lt;b&gt;est" in after
    assert "histories/first" not in after
    assert "None yet" in visit(folder / ".hidden" / "first" / "refs").get("/").text


def test_a_report_and_its_figures_are_as_the_history_is_now(
    visit: Visit, folder: Path, campaign_file: Callable[..., Path]
) -> None:
    browser, path = visit(folder), folder / "histories" / "first"
    report = browser.get("/histories/first/report")
    assert report.headers["cache-control"] == "no-cache"
    assert Record.read(path).commit in report.text
    before = browser.get("/histories/first/latent-space.png").content
    assert before.startswith(PNG)
    assert browser.get("/histories/first/best-trajectory.png").content.startswith(PNG)
    conduct(load(campaign_file(), ["budget.total=6"]), path, Watcher())
    assert Record.read(path).commit in browser.get("/histories/first/report").text
    assert browser.get("/histories/first/latent-space.png").content != before
    assert browser.get("/histories/first/").headers["location"] == "/histories/first/report"
    assert "rarity" not in browser.get("/histories/first/report").text
    survey(load(campaign_file()), path)
    assert "rarity" in browser.get("/histories/first/report").text
    assert browser.get("/histories/first/rarity.png").content.startswith(PNG)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/histories/first/nothing.png", "first has no figure 'nothing', or not yet"),
        ("/histories/none/report", "no history histories/none"),
        ("/report", "no history report"),
        ("/histories", "no history histories"),
        ("/histories/%2e%2e/%2e%2e/outside/report", "no history histories/../../outside"),
        ("/%2F{outside}/report", "no history /"),
        ("/link/report", "no history link"),
    ],
)
def test_what_is_not_there_or_not_in_the_folder_is_refused(
    visit: Visit, folder: Path, campaign_file: Callable[..., Path], address: str, said: str
) -> None:
    outside = folder.parent / "outside"
    conduct(load(campaign_file(), ["budget.total=4"]), outside, Watcher())
    (folder / "link").symlink_to(outside)
    answer = visit(folder).get(address.format(outside=outside))
    assert answer.status_code == 404
    assert said in answer.text


def test_a_damaged_history_says_so_and_hides_no_other(visit: Visit, folder: Path) -> None:
    damaged = folder / "damaged"
    (damaged / "refs" / "branch.main").mkdir(parents=True)
    (damaged / "refs" / "branch.main" / "ref.json").write_text("{}")
    assert History.exists(damaged)
    browser = visit(folder)
    table = browser.get("/").text
    assert "5 of 5" in table
    assert "damaged" in table
    answer = browser.get("/damaged/report")
    assert answer.status_code == 500
    assert str(damaged) in answer.text


def test_no_page_of_another_name_may_read_it(visit: Visit, folder: Path) -> None:
    assert visit(folder).get("/", headers={"host": "evil.example"}).status_code == 400


def test_nothing_can_be_changed(visit: Visit, folder: Path) -> None:
    browser = visit(folder)
    for address in ("/", "/histories/first/report"):
        assert [browser.request(verb, address).status_code for verb in ("POST", "PUT", "DELETE")] == [405] * 3


@pytest.mark.parametrize(
    ("named", "said"), [("histories/first", "is a history; wanted the folder that it is in"), ("none", "is no folder")]
)
def test_what_cannot_be_served_is_told(folder: Path, capsys: pytest.CaptureFixture[str], named: str, said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pages", str(folder / named)])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_campaign_that_nobody_is_at_work_on_is_not_called_running(
    visit: Visit, folder: Path, campaign_file: Callable[..., Path]
) -> None:
    path, idle = folder / "left", "nobody is at work on it"
    browser = visit(folder)
    with load(campaign_file()).open(path):
        assert idle not in browser.get("/").text
        assert idle not in "".join(lines(summarize(path)))
    assert idle in browser.get("/").text
    assert idle in "".join(lines(summarize(path)))
