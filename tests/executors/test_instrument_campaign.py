"""Whole campaigns on a bench supply, their processes killed and stopped from outside: safe, recorded, and going on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_instrument import Panel
from bench_processes import processes
from waiting import alive, eventually

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record, verify
from zbo_orchestrator.model import ConfigurationError, FatalError, Status

CAMPAIGN: dict[str, Any] = {
    "name": "bench",
    "budget": {"initial": 2, "total": 4},
    "simulated": True,
    "decoder": {"use": "identity", "channels": [{"name": "bias", "unit": "V"}], "lower": [-9], "upper": [9]},
    "atlas": {"grid": [19]},
    "envelope": {"channels": {"bias": {"lower": -3}}},
    "planner": {"use": "random"},
    "timeouts": {"heartbeat": 2, "ask": 0.3, "abort": 0.3, "terminate": 0.5, "lease": 8},
    "executor": {"use": "bench_instrument:BenchSupply", "steps": 20},
    "evaluator": {"use": "bench_instrument:Level"},
}

Write = Callable[..., Path]


@pytest.fixture
def write(panel: Panel, tmp_path: Path) -> Write:
    def written(**sections: Any) -> Path:
        executor = {**CAMPAIGN["executor"], "panel": str(panel.file), **sections.pop("executor", {})}
        path = tmp_path / "bench.yaml"
        path.write_text(yaml.safe_dump({**CAMPAIGN, **sections, "executor": executor}))
        return path

    return written


def ran(file: Path) -> Record:
    history = file.with_name("history")
    conduct(load(file, allow_code=True), history, Watcher())
    return Record.read(history)


def test_a_campaign_drives_within_its_own_and_the_instruments_limits(panel: Panel, write: Write) -> None:
    record = ran(write())
    assert list(record.status) == [Status.SCORED] * 4
    assert record.space.candidates[record.space.feasible].min() == -3
    assert record.space.candidates[record.space.feasible].max() == 5
    assert panel.output == 0
    guardian, child = panel.pids("connect")
    assert (guardian, child) == (panel.pids("safe")[0], panel.pids("drive")[0])


def test_what_cannot_work_is_refused_before_the_instrument_moves(panel: Panel, write: Write) -> None:
    millivolts = {**CAMPAIGN["decoder"], "channels": [{"name": "bias", "unit": "mV"}]}
    with pytest.raises(ConfigurationError, match=r"drives bias \[mV\]; BENCH,.* wants bias \[V\]"):
        ran(write(decoder=millivolts))
    with pytest.raises(ConfigurationError, match="width is 2; wanted 1: an instrument runs one trial at a time"):
        ran(write(width=2))
    panel.faulty("unsafe")
    with pytest.raises(FatalError, match="the output relay is welded"):
        ran(write())
    assert panel.pids("drive") == []
    panel.faulty()


def test_a_trial_that_takes_too_long_is_a_failed_trial_that_tells_what_it_took(panel: Panel, write: Write) -> None:
    panel.faulty("hang")
    timeouts = {**CAMPAIGN["timeouts"], "trial": 1}
    record = ran(write(timeouts=timeouts, executor={"good": 0}, budget={"initial": 2, "total": 2}))
    assert list(record.status) == [Status.FAILED] * 2
    said = str(record.trial(0).attempts[-1].error)
    assert said.startswith(
        "ExecutionError: time-out: the trial took longer than 1 s; asked to stop, no answer in 0.3 s"
    )
    assert "safe state read back output=0" in said


# --- from outside -----------------------------------------------------------------------------------


class Command:
    """`zbo run` in a process of its own."""

    def __init__(self, file: Path | str, *options: str) -> None:
        self.history = Path(file).with_name("history")
        command = [sys.executable, "-m", "zbo_orchestrator.cli", "run", str(file), "--history", str(self.history)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parent),
            "ZBO_HOME": str(self.history.with_name("home")),
        }
        self.process = subprocess.Popen(
            [*command, "--allow-code", "--no-report", *options],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=180)
        return self.process.returncode, said


INTERRUPTED, TRANSIENT = [Status.INTERRUPTED], [Status.TRANSIENT]
HITS: dict[str, tuple[list[tuple[str, int]], list[Status]]] = {
    "Ctrl-C": ([("parent", signal.SIGINT)], INTERRUPTED),
    "SIGTERM": ([("parent", signal.SIGTERM)], INTERRUPTED),
    "parent killed": ([("parent", signal.SIGKILL)], INTERRUPTED),
    "child killed": ([("child", signal.SIGKILL)], TRANSIENT),
    "child terminated": ([("child", signal.SIGTERM)], TRANSIENT),
    "child stopped": ([("child", signal.SIGSTOP)], TRANSIENT),
    "guardian killed": ([("guardian", signal.SIGKILL)], TRANSIENT),
    "both killed": ([("parent", signal.SIGKILL), ("child", signal.SIGKILL)], INTERRUPTED),
    "child stopped, parent killed": ([("child", signal.SIGSTOP), ("parent", signal.SIGKILL)], INTERRUPTED),
    "guardian and parent killed": ([("guardian", signal.SIGKILL), ("parent", signal.SIGKILL)], INTERRUPTED),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("hit", "prefect"),
    [*((hit, False) for hit in HITS), ("SIGTERM", True), ("both killed", True), ("child stopped", True)],
)
def test_whatever_is_hit_the_instrument_is_safe_the_trial_recorded_and_the_campaign_goes_on(
    panel: Panel, write: Write, hit: str, prefect: bool
) -> None:
    file = write(executor={"steps": 200})
    options = [] if prefect else ["--without-prefect"]
    command = Command(file, *options)
    assert eventually(lambda: panel.output == 1, 120)
    guardian, child = processes(panel)
    pids = {"parent": command.process.pid, "guardian": guardian, "child": child}
    signals, status = HITS[hit]
    with panel.held():
        for name, number in signals:
            os.kill(pids[name], number)
    assert eventually(lambda: panel.output == 0, 15), "the output is still on"
    code, said = command.ended()
    if status is INTERRUPTED:
        assert code != 0
        assert eventually(lambda: not alive(guardian) and not alive(child))
    if hit in ("Ctrl-C", "SIGTERM"):
        assert code == 130, said
    code, said = Command(write(executor={"steps": 200}), *options).ended()
    record = Record.read(command.history)
    assert (record.state, record.status[0]) == ("finished", status[0]), said
    assert list(record.status[1:]) == [Status.SCORED] * 3
    assert panel.output == 0
    assert verify(command.history) == []
    if status is TRANSIENT:
        assert "safe state read back output=0" in record.trial(0).attempts[-1].error


@pytest.mark.long
def test_a_campaign_stopped_and_resumed_finds_its_instrument_taken(panel: Panel, write: Write, tmp_path: Path) -> None:
    first = Command(write(executor={"steps": 10_000}), "--without-prefect")
    assert eventually(lambda: panel.output == 1, 120)
    guardian, child = processes(panel)
    with panel.held():
        for pid in (first.process.pid, child):
            os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: panel.output == 0 and not alive(guardian) and not alive(child))
    (tmp_path / "second").mkdir()
    second = Command(shutil.copy(tmp_path / "bench.yaml", tmp_path / "second"), "--without-prefect")
    assert eventually(lambda: panel.output == 1, 120)
    drivers = set(panel.pids("drive"))
    first.process.send_signal(signal.SIGCONT)
    code, said = first.ended()
    assert code == 4
    assert "the instrument is taken by the guardian of campaign bench" in said
    assert set(panel.pids("drive")) == drivers
    second.process.send_signal(signal.SIGINT)
    assert second.ended()[0] == 130
    assert panel.output == 0
