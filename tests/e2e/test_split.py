"""Server, worker and webhook on their own, typed as the page tells; what is killed is killed in mid-trial."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from e2e_lab import PAGE, Lab, Receiver, eventually, told
from e2e_prefect import Api, drawn
from equality import assert_equal_histories

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record, held_by

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CARDS = {"summary", "trials", "progress", "best-trajectory", "latent-space"}
SLOW = {"campaign": "slow.yaml", "history": "histories/slow", "add": None, "allow_code": True}


def test_deployed_run_killed_and_run_again(lab: Lab, api: Api, receiver: Receiver) -> None:
    assert api.deployed() == {"ferrosim-nightly", "jrvae-tuning", "instrument", "final-training"}
    (worker,), (pages,) = told("worker"), told("pages")
    lab.start("worker", worker)
    lab.start("pages", f"{pages} --port {urlsplit(lab.settings['ZBO_PAGES']).port}")
    lab.type([*told("run"), *told("arm")])
    slow = api.trigger("ferrosim-nightly", **SLOW, stall=3)
    (finished,) = (run["id"] for run in api.runs("ferrosim-nightly") if run["id"] != slow)

    name, said = api.ended(finished)
    assert (name, "histories/my-lab holds 6 trials, 6 of them new" in said) == ("Completed", True), said
    shown = api.shown(finished)
    assert {name.removeprefix("my-lab-") for name in shown} == CARDS
    assert drawn(shown["my-lab-best-trajectory"]).startswith(b"\x89PNG")
    eventually(receiver.told("finish: my-lab: finished: histories/my-lab holds 6 trials"), "a finish is notified")
    (armed,) = api.runs("instrument")
    assert (armed["parameters"]["live"], armed["state"]["type"]) == (True, "SCHEDULED"), "no worker is in its pool"
    eventually(lambda: api.scheduled("ferrosim-nightly"), "the nights to come are scheduled")

    eventually((lab.folder / "held").exists, "the slow campaign is in its sixth trial")
    busy = api.trigger("ferrosim-nightly", **SLOW)
    again = api.trigger("ferrosim-nightly", campaign="my-lab.yaml", history="histories/my-lab", trials=6, add=None)
    name, said = api.ended(busy)
    assert name == "Busy"
    assert "another process is writing this history" in said
    name, said = api.ended(again)
    assert name == "Finished"
    assert said.startswith("finished: histories/my-lab holds 6 trials, 0 of them new")
    eventually(receiver.told("stall: slow: nothing has gone forward for 3 s"), "a stall is notified")

    lab.kill("worker")
    assert len(Record.read(lab.folder / "histories/slow").waiting()) == 1, "it was not killed in mid-trial"
    (lab.folder / "go").touch()
    lab.start("worker", worker)
    taken_over = api.trigger("ferrosim-nightly", **SLOW)
    failing = api.trigger("ferrosim-nightly", campaign="nowhere.yaml")
    straight(lab.folder)
    name, said = api.ended(taken_over)
    assert (name, "histories/slow holds 9 trials, 4 of them new" in said) == ("Completed", True), said
    assert_equal_histories(lab.folder / "straight", lab.folder / "histories/slow")
    name, said = api.ended(slow)
    assert (name, said) == ("Crashed", f"its process is gone; flow run {taken_over} goes on with its history")
    assert api.ended(failing)[0] == "Failed"
    eventually(receiver.told("failure: nowhere (ferrosim-nightly): "), "a failure is notified")
    eventually(receiver.told("failure: slow: its process is gone"), "the death of a process is notified")
    eventually(receiver.told("finish: slow: "), "the finish of the slow campaign is notified")
    kinds = Counter(text.split(":")[0] for text in receiver.texts)
    assert (kinds.pop("finish"), kinds.pop("failure"), set(kinds)) == (2, 2, {"stall"}), receiver.texts


def test_one_run_at_a_time_is_on_an_instrument(lab: Lab, api: Api) -> None:
    (worker,) = told("worker")
    lab.start("worker", f"{worker}-instrument")  # without --limit 1: the deployment holds wherever its workers are
    runs = [api.trigger("instrument", **{**SLOW, "history": f"histories/{name}"}) for name in ("this", "that")]
    eventually((lab.folder / "held").exists, "a run is in its sixth trial")
    apart = ["AwaitingConcurrencySlot", "Running"]
    eventually(lambda: sorted(api.state(run)["name"] for run in runs) == apart, "the other waits for it")
    (lab.folder / "go").touch()
    assert [api.ended(run)[0] for run in runs] == ["Completed"] * 2
    first, second = sorted((api.get(f"flow_runs/{run}") for run in runs), key=lambda run: run["start_time"])
    assert first["end_time"] <= second["start_time"]


def test_after_a_power_cut_an_instrument_s_next_run_starts(lab: Lab, api: Api) -> None:
    """The slot that the last one had is given back once its lease is over, five minutes later at most."""
    (server,), (worker,) = told("server"), told("worker")
    lab.start("worker", f"{worker}-instrument")
    cut = api.trigger("instrument", **SLOW)
    eventually((lab.folder / "held").exists, "a run is in its sixth trial")
    lab.kill()
    (lab.folder / "go").touch()
    pass_five_minutes(lab.folder / "home/prefect/concurrency_leases")
    lab.start("server", server)
    eventually(api.answers, "the server answers again")
    lab.start("worker", f"{worker}-instrument")
    assert api.ended(api.trigger("instrument", **SLOW))[0] == "Completed"
    assert api.ended(cut)[0] == "Crashed"


def pass_five_minutes(leases: Path) -> None:
    """For the leases that a server keeps in a folder."""
    longago = "2020-01-01T00:00:00+00:00"
    (lease,) = (file for file in leases.glob("*.json") if file.name != "expirations.json")
    lease.write_text(json.dumps({**json.loads(lease.read_text()), "expiration": longago}))
    (leases / "expirations.json").write_text(json.dumps({lease.stem: longago}))


def test_the_lab_is_set_up_as_the_page_says(lab: Lab) -> None:
    names = set(re.findall(r"\b([A-Z_]{6,})=", PAGE.read_text()))
    assert names - set(lab.settings) == set()


def test_a_run_that_is_ended_ends_without_its_server(lab: Lab, api: Api) -> None:
    (command,) = told("worker")
    worker = lab.start("worker", command)
    api.trigger("ferrosim-nightly", **SLOW)
    eventually((lab.folder / "held").exists, "the slow campaign is in its sixth trial")
    lab.kill("server")
    (run,) = (pid for pid, words in lab.alive("worker").items() if "prefect.engine" in words)
    os.kill(run, signal.SIGTERM)
    asked = time.monotonic()
    eventually(lambda: set(lab.alive("worker")) == {worker.pid}, "its process and the program's are gone", 30)
    print(f"gone after {time.monotonic() - asked:.1f} s")
    assert held_by(lab.folder / "histories/slow") is None
    with load(lab.folder / "slow.yaml", allow_code=True).open(lab.folder / "histories/slow") as history:
        assert len(history.waiting()) == 1, "it was not ended in mid-trial"


def straight(folder: Path) -> None:
    """The slow campaign without anything happening to it."""
    conduct(load(folder / "slow.yaml", allow_code=True), folder / "straight", Watcher())
