"""A campaign over the wire against the same one without, and the command that serves the other end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scpi_wire import Wire

from zbo_orchestrator.campaign import part
from zbo_orchestrator.campaign.document import parse, shipped
from zbo_orchestrator.cli import main
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Status
from zbo_scpi.simulator import FAULTS, PORT, ExecutorSpecimen, Simulator

COMMAND = [sys.executable, "-m", "zbo_orchestrator.cli", "simulate-instrument", "--port", "0"]
LATTICE = ["--set", "executor.n=5", "--set", "executor.coupling=8.0", "--set", "executor.amplitude=15.0"]
RANDOM = {"use": "random"}
"""The planner that needs no model."""
Write = Callable[..., Path]
Start = Callable[..., Simulator]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))


def wired(simulator: Simulator) -> dict[str, Any]:
    """The executor's section of a campaign over the wire."""
    outputs = [{"name": "field", "unit": "Ec"}]
    return {"use": "scpi-waveform", "resource": simulator.resource, "repeatable": True, "outputs": outputs}


def ran(file: Path, history: Path) -> Record:
    """A campaign run to its end without Prefect."""
    with pytest.raises(SystemExit) as end:
        main(["run", str(file), "--history", str(history), "--without-prefect", "--no-report"])
    assert not end.value.code
    return Record.read(history)


def test_the_same_campaign_finds_the_same_over_the_wire(campaign_file: Write, tmp_path: Path, start: Start) -> None:
    file = campaign_file(planner=RANDOM)
    plain = ran(file, tmp_path / "plain")
    section = {**parse(file.read_text(), file.name)["executor"]}
    simulator = start(specimen=ExecutorSpecimen(part("executors", section, seed=3), 3))
    remote = ran(campaign_file(planner=RANDOM, executor=wired(simulator), simulated=True), tmp_path / "remote")
    assert np.abs(remote.values - plain.values).max() < 1e-9
    assert np.array_equal(remote.z, plain.z)
    one, other = plain.trial(8), remote.trial(8)
    assert one.measurement is not None
    assert other.measurement is not None
    assert one.measurement.dims == other.measurement.dims
    assert one.measurement.executed is not None
    assert other.measurement.executed is not None
    assert np.array_equal(one.measurement.executed.values, other.measurement.executed.values)
    assert not simulator.instrument.generator.outputs[0].on


def test_a_lost_connection_is_tried_again_and_recorded(campaign_file: Write, tmp_path: Path, start: Start) -> None:
    simulator = start()
    over = wired(simulator) | {"timeout": 1.0}
    with Wire(simulator.address) as bench:
        bench.say('SIM:FAUL "drop",1')
    file = campaign_file(executor=over, simulated=True, planner=RANDOM, retries=1, budget={"initial": 2, "total": 2})
    record = ran(file, tmp_path / "history")
    assert [len(record.trial(number).attempts) for number in range(2)] == [2, 1]
    assert "TransientError" in record.trial(0).attempts[0].error
    assert (record.status == Status.FAILED).all(), "this specimen has no curl"


def test_the_shipped_campaign_is_the_demo_but_for_its_executor() -> None:
    names = "ferrosim-curl", "ferrosim-over-scpi"
    demo, remote = (parse(shipped()[name].read_text(encoding="utf-8"), name) for name in names)
    own = {"name", "notes", "executor", "retries", "simulated", "travels"}
    assert {name: value for name, value in demo.items() if name not in own} == {
        name: value for name, value in remote.items() if name not in own
    }
    assert remote["executor"]["resource"] == f"TCPIP::127.0.0.1::{PORT}::SOCKET"


# --- the command


@pytest.fixture
def served(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, listening."""
    process = subprocess.Popen(
        [*COMMAND, *LATTICE, "--fault", "late@*STB?"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_serves_until_ctrl_c(served: subprocess.Popen[str]) -> None:
    assert served.stdout is not None
    said = []
    while not said or not said[-1].startswith("Ctrl-C"):
        said.append(served.stdout.readline())
        assert said[-1], "ended before it listened"
    greeting = "".join(said)
    found = re.search(r"listening +(\S+) port (\d+)", greeting)
    assert found is not None
    address = found[1], int(found[2])
    assert f"executor.resource=TCPIP::{address[0]}::{address[1]}::SOCKET" in greeting
    assert "ferrosim, as in ferrosim-curl" in greeting
    assert "late@*STB?" in greeting
    client = Wire(address)
    client.load(np.linspace(0, 1, 30))
    client.say("OUTP ON", "INIT", "*TRG")
    assert client.ask('*OPC?;:FETC:DATA:SHAP? "curl"') == "1;5,5"
    assert client.ask("SIM:FAUL?") == '"late"'
    served.send_signal(signal.SIGINT)
    out, err = served.communicate(timeout=20)
    assert (served.returncode, out, err) == (0, "ended\n", "")
    assert client.line() == "", "it hung up on whoever was connected"
    client.close()


def said_by(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main(["simulate-instrument", *words])
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out + captured.err


def test_its_help_teaches_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said_by(capsys, "--help")
    assert code == 0
    for name, (commands, _) in FAULTS.items():
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
        assert all(command in line for command in commands)


def test_mistakes_are_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert said_by(capsys, "--port", port) == (
            2,
            f"zbo: cannot listen on 127.0.0.1 port {port}: Address already in use\n",
        )
    code, text = said_by(capsys, "--port", "0", "--fault", "fire")
    assert (code, text.startswith("zbo: fault 'fire'; wanted one of drop, hang")) == (2, True)
    for option in ("--noise", "--pace", "--latency"):
        code, text = said_by(capsys, "--port", "0", option, "inf")
        assert (code, text.startswith(f"zbo: {option[2:]} is inf")) == (2, True)
    code, text = said_by(capsys, "ferrosim-over-scpi", "--port", "0")
    assert (code, "its executor is an instrument" in text) == (2, True)
