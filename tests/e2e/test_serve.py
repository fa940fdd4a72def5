"""One machine, one command: `zbo serve`, typed as the page tells."""

from __future__ import annotations

import os
import signal
import sqlite3

import pytest
from e2e_lab import Lab, Receiver, eventually, free_port, told
from e2e_prefect import Api, drawn

from zbo_orchestrator.history import Record, held_by

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

STATES = "SELECT state_type FROM flow_run WHERE NOT auto_scheduled ORDER BY created"


def alone(lab: Lab) -> int:
    """Without a server of its own: where `zbo serve` may serve, and the pages of histories at the next port."""
    for name in ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_SERVER_API_PORT", "ZBO_FOLDER", "ZBO_PAGES"):
        del lab.settings[name]
    return free_port(beside=1)


def test_without_its_server_nothing_is_served(lab: Lab) -> None:
    port = alone(lab)
    serving = lab.start("serve", f"zbo serve --port {port}")
    eventually(lambda: "Ctrl-C ends it" in lab.log("serve") or serving.poll() is not None, "it serves")
    (server,) = [pid for pid, words in lab.alive("serve").items() if "zbo_flows.server" in words]
    os.kill(server, signal.SIGKILL)
    eventually(lambda: serving.poll() is not None, "it ends", 30)
    assert serving.returncode == 1
    assert "zbo: the Prefect server ended; its log is " in lab.log("serve")
    eventually(lambda: not lab.alive(), f"no process is left: {lab.alive()}", 30)


def test_runs_are_served_until_it_is_told_to_end(lab: Lab, receiver: Receiver) -> None:
    port = alone(lab)
    (words,) = told("serve")
    serving = lab.start("serve", f"{words.replace('https://chat.example/hooks/1234', receiver.url)} --port {port}")
    api = Api(f"http://127.0.0.1:{port}/api")
    eventually(lambda: "Ctrl-C ends it" in lab.log("serve") or serving.poll() is not None, "it serves")
    assert serving.poll() is None, lab.log("serve")
    eventually(lambda: api.answers() and "ferrosim-nightly" in api.deployed(), "it has deployments")
    run = api.trigger("ferrosim-nightly", campaign="my-lab.yaml", history="histories/my-lab", add=6)
    slow = {"campaign": "slow.yaml", "history": "histories/slow", "add": None, "allow_code": True}
    api.trigger("ferrosim-nightly", **slow)
    assert api.ended(run)[0] == "Completed"
    assert len(Record.read(lab.folder / "histories/my-lab")) == 6
    map_ = api.shown(run)["my-lab-latent-space"]
    assert map_ == f"http://127.0.0.1:{port + 1}/histories/my-lab/latent-space.png"
    assert drawn(map_).startswith(b"\x89PNG")
    eventually(receiver.told("finish: my-lab: "), "a finish is notified")

    eventually((lab.folder / "held").exists, "the slow campaign is in its sixth trial")
    api.trigger("jrvae-tuning", campaign="my-lab.yaml", history="histories/late")
    eventually(lambda: api.runs("jrvae-tuning")[0]["state"]["type"] in {"PENDING", "RUNNING"}, "another run starts")
    serving.send_signal(signal.SIGTERM)
    eventually(lambda: serving.poll() is not None, "it ends", 30)
    eventually(lambda: not lab.alive(), f"no process is left: {lab.alive()}")
    assert "Traceback" not in lab.log("serve")
    with sqlite3.connect(lab.folder / "home/prefect/prefect.db") as database:
        states = [state for (state,) in database.execute(STATES)]
    assert states == ["COMPLETED", "CRASHED", "CRASHED"], "the quick one, the slow one, the late one"
    assert held_by(lab.folder / "histories/slow") is None
    assert len(Record.read(lab.folder / "histories/slow").waiting()) == 1
