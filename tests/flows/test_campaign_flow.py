"""The campaign as a flow, against a real server: equal to the bare loop, visible, quiet, and safe to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from equality import assert_equal_histories
from waiting import alive, eventually

from zbo_flows.owned import free_ports, owned
from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import History, Inbox, Record, Request
from zbo_orchestrator.model import Status

pytestmark = pytest.mark.prefect


def zbo(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zbo_orchestrator.cli", *map(str, arguments)],
        cwd=cwd,
        env={**_unconfigured(), **environment} if environment else None,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _unconfigured() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "ZBO_PAGES"))}


def test_inline_in_a_child_process_and_through_prefect_give_equal_histories(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415 (Prefect reads its settings when imported)

    file = campaign_file()
    conduct(load(file), tmp_path / "inline", Watcher())
    conduct(load(file), tmp_path / "child", Watcher(), workers="processes")
    facts = run_campaign(str(file), str(tmp_path / "flow"))
    assert facts["trials"] == 9
    assert_equal_histories(tmp_path / "inline", tmp_path / "child")
    assert_equal_histories(tmp_path / "inline", tmp_path / "flow")


def test_a_flow_goes_on_where_the_last_one_ended_and_shows_itself(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file, history = str(campaign_file()), str(tmp_path / "shown")
    assert run_campaign(file, history, trials=5)["trials"] == 5
    assert run_campaign(file, history, add=2)["trials"] == 7
    wanted = {"artifacts": {"key": {"like_": "shown-%"}}}
    artifacts = {one["key"]: one for one in httpx.post(f"{api}/artifacts/latest/filter", json=wanted).json()}
    assert set(artifacts) == {"shown-summary", "shown-trials", "shown-progress"}
    assert "best so far" in artifacts["shown-summary"]["data"]
    assert "7 trials" in artifacts["shown-summary"]["data"]
    every = httpx.post(f"{api}/artifacts/filter", json=wanted).json()
    assert Counter(one["key"] for one in every) == dict.fromkeys(artifacts, 2), "each run shows one of each"
    runs = httpx.post(f"{api}/flow_runs/filter", json={}).json()
    assert {run["state"]["type"] for run in runs if run["name"] == "small (shown)"} == {"COMPLETED"}


def test_what_a_person_stopped_is_not_gone_on_with_by_a_scheduled_run(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file, history = str(campaign_file()), tmp_path / "stopped"
    run_campaign(file, str(history), trials=5)
    Inbox(history).put(Request("stop", "it is broken", "anna"))
    assert run_campaign(file, str(history), add=2)["trials"] == 5
    again = run_campaign(file, str(history), add=2, return_state=True)
    assert (again.name, again.message) == (
        "Finished",
        f"finished: {history} holds 5 trials, 0 of them new (stopped by anna: it is broken)",
    )
    assert run_campaign(file, str(history), add=2, reopen=True)["trials"] == 7


def test_a_run_shows_pictures_of_a_history_that_is_served(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    (port,) = free_ports("127.0.0.1", 0)
    pages = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("ZBO_PAGES", pages)
    with owned("zbo_flows.pages", "127.0.0.1", port, tmp_path / "pages.log", {}):
        run_campaign(str(campaign_file()), "histories/my flow", trials=5)
        wanted = {"artifacts": {"key": {"like_": "my-flow-%"}}}
        shown = {one["key"]: one["data"] for one in httpx.post(f"{api}/artifacts/latest/filter", json=wanted).json()}
        assert f"[as it is now]({pages}/histories/my%20flow/report)" in shown["my-flow-summary"]
        for figure in ("latent-space", "best-trajectory"):
            assert httpx.get(shown[f"my-flow-{figure}"], timeout=60).content.startswith(b"\x89PNG")
        assert "campaign report" in httpx.get(f"{pages}/histories/my%20flow/report", timeout=60).text
    with pytest.raises(httpx.ConnectError):
        httpx.get(pages)
    run_campaign(str(campaign_file()), str(tmp_path.parent / "elsewhere"), trials=4)
    wanted = {"artifacts": {"key": {"like_": "elsewhere-%"}}}
    shown = {one["key"]: one["data"] for one in httpx.post(f"{api}/artifacts/latest/filter", json=wanted).json()}
    assert set(shown) == {"elsewhere-summary", "elsewhere-trials", "elsewhere-progress"}


def test_failed_trials_are_rows_and_the_flow_goes_on(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    blows_up = {"use": "ferrosim", "n": 5, "coupling": 500.0, "hold_steps": 5}
    facts = run_campaign(str(campaign_file(name="broken", executor=blows_up)), str(tmp_path / "flow"), trials=4)
    assert facts["trials"] == 4
    assert set(Record.read(tmp_path / "flow").status) == {Status.FAILED}


def test_any_width_through_prefect_in_threads_replays(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    run_campaign(str(campaign_file(name="wide")), str(tmp_path / "wide"), width=3, workers="threads")
    replayed = zbo("verify", "--replay", tmp_path / "wide", cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_with_no_configuration_a_good_run_is_quiet_and_keeps_to_its_own_home(
    campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    user = tmp_path / "user"
    user.mkdir()
    environment = {"HOME": str(user), "ZBO_HOME": str(tmp_path / "home")}
    run = zbo("run", campaign_file(), "--history", tmp_path / "quiet", "--trials", 5, cwd=tmp_path, **environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert "ERROR" not in run.stdout + run.stderr
    assert not (user / ".prefect").exists()
    assert (tmp_path / "home/prefect/prefect.db").exists()


def test_a_killed_owner_leaves_no_server_behind(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from zbo_flows.server import server\n"
        "with server() as running:\n"
        "    print(running.process.pid, running.pages.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.run(
        [sys.executable, "-c", script],
        env={**_unconfigured(), "ZBO_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    server, pages = map(int, owner.stdout.split())
    assert eventually(lambda: not alive(server), 60)
    assert eventually(lambda: not alive(pages), 60)


@pytest.mark.parametrize("signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_an_interrupted_run_says_how_to_go_on_and_the_history_does(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, signum: signal.Signals
) -> None:
    file = campaign_file(name="interrupted")
    history = tmp_path / "interrupted"
    command = [sys.executable, "-m", "zbo_orchestrator.cli", "run", file, "--history", history, "--trials", "40"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _until(lambda: _trials(history) >= 6)
    process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    conduct(load(file), history, Watcher())
    conduct(load(file), tmp_path / "straight", Watcher())
    held = _trials(history)
    assert held >= 9
    straight, interrupted = Record.read(tmp_path / "straight"), Record.read(history)
    assert (straight.z == interrupted.z[: len(straight.z)]).all()


def _trials(history: Path) -> int:
    return int((Record.read(history).status == Status.SCORED).sum()) if History.exists(history) else 0


def _until(condition: Callable[[], bool], patience: float = 120.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def test_the_decoder_learns_once_whoever_asks(api: str, campaign_file: Callable[..., Path], tmp_path: Path) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415

    file = campaign_file(name="learns", decoder={"use": "vae", "epochs": 2, "hidden": [16, 16]})
    os.environ["ZBO_CACHE"] = str(tmp_path / "cache")
    try:
        load(file).learn()
        run_campaign(str(file), str(tmp_path / "flow"), trials=1)
    finally:
        del os.environ["ZBO_CACHE"]
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1
