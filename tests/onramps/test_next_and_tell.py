"""`zbo next` and `zbo tell`: a campaign by hand, with and without a process that runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Zbo, runner
from lab import DIRECT, written

from zbo_orchestrator.campaign import load
from zbo_orchestrator.cli.sitting import Sitting
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.executors import by_hand
from zbo_orchestrator.executors.by_hand import ANSWERED
from zbo_orchestrator.history import History, Record, verify
from zbo_orchestrator.model import Measurement, Status

BY_HAND: dict[str, Any] = {**DIRECT, "name": "hand", "executor": {"use": "by-hand"}, "evaluator": {"use": "told"}}
HISTORY = Path("histories/hand")


@pytest.fixture
def zbo(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zbo:
    """Runs a command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))

    return runner(capsys)


@pytest.fixture
def begun(zbo: Zbo, tmp_path: Path) -> str:
    """What `zbo next` says of a campaign that is begun by it."""
    ended = zbo("next", written(tmp_path, BY_HAND))
    assert ended.code == 0, ended.err
    return ended.out


def test_a_campaign_by_hand_asks_for_what_any_executor_would_have_been_given(zbo: Zbo, tmp_path: Path) -> None:
    bayesian, short = {"use": "bayesian"}, {"initial": 2, "total": 4}
    machine = written(tmp_path, DIRECT, planner=bayesian, budget=short)
    conduct(load(machine, allow_code=True), Path("histories/hill"), Watcher())
    alone = Record.read("histories/hill")

    said = zbo("next", written(tmp_path, BY_HAND, planner=bayesian, budget=short))
    for number, trial in enumerate(alone.trials()):
        assert f"trial {number}: {alone.reasons[number]}" in said.out
        with Path(f"{HISTORY}.scratch/{number}/trajectory.csv").open() as file:
            assert np.array_equal(np.loadtxt(file, delimiter=",", skiprows=1)[1:], trial.trajectory.values[0])
        said = zbo("tell", HISTORY, number, "--value", trial.value)
        assert f"trial {number} scored: {trial.value:.6g}; best" in said.out
    record = Record.read(HISTORY)
    assert np.array_equal(record.z, alone.z)
    assert np.array_equal(record.values, alone.values)
    assert record.state == "finished"
    assert "hand is finished: " in said.out
    assert not Path(f"{HISTORY}.scratch").exists()
    assert verify(HISTORY) == []


def test_looking_again_changes_nothing_and_the_csv_is_copied_where_it_is_wanted(zbo: Zbo, begun: str) -> None:
    before = Record.read(HISTORY).commit
    again = zbo("next", HISTORY, "--csv", "todo.csv")
    assert begun.strip() in again.out.replace("copied to    todo.csv\n", "")
    assert Path("todo.csv").read_text() == Path(f"{HISTORY}.scratch/0/trajectory.csv").read_text()
    assert Record.read(HISTORY).commit == before
    refused = zbo("next", HISTORY, "--csv", "no-folder/todo.csv")
    assert (
        refused.err == "zbo: --csv no-folder/todo.csv: No such file or directory; wanted a file that can be written\n"
    )


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a history that waits for its first answer."""
    folder = tmp_path_factory.mktemp("waiting")
    sitting = Sitting(load(written(folder, BY_HAND)), folder / HISTORY)
    sitting.advance(0.0)
    return folder


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((7, "--value", 1), "trial 7 does not exist; wanted an open one: 0"),
        ((-1, "--value", 1), "trial -1 does not exist"),
        ((0,), "nothing was told; wanted --value X"),
        ((0, "--value", "nan"), "--value is nan; wanted a finite number"),
        ((0, "--value", 1, "--noise", "inf"), "--noise is inf; wanted a finite number"),
        ((0, "--value", 1, "--noise", -1), "noise is -1.0; wanted one finite number"),
        ((0, "--noise", 1, "--file", "none.npz"), "nothing was told"),
        ((0, "--file", "none.npz"), "none.npz is not a file"),
        ((0, "--failed", " "), "wanted a reason"),
        ((0, "--failed", "fell", "--value", 1), "nothing measured beside it"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_the_trial_stays_open(
    zbo: Zbo, waiting: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], complaint: str
) -> None:
    monkeypatch.chdir(waiting)
    number, *options = words
    ended = zbo("tell", HISTORY, *options, "--", number)
    assert (ended.code, ended.out) == (2, "")
    assert complaint in ended.err
    assert [proposal.number for proposal in Record.read(HISTORY).waiting()] == [0]
    assert not Path(f"{HISTORY}.scratch/0/{ANSWERED}").exists()


def test_failures_noise_and_second_answers(zbo: Zbo, begun: str) -> None:
    assert zbo("tell", HISTORY, 0, "--failed", "the contact came off").code == 0
    assert zbo("tell", HISTORY, 1, "--value", "-2.5", "--noise", 0.1).code == 0
    record = Record.read(HISTORY)
    assert list(record.status) == [Status.FAILED, Status.SCORED, Status.PROPOSED]
    assert record.errors[0] == "the contact came off"
    assert (record.values[1], record.noise[1]) == (-2.5, 0.1)
    twice = zbo("tell", HISTORY, 1, "--value", 9)
    assert (twice.code, twice.err) == (2, "zbo: trial 1 was recorded as scored; wanted an open one: 2\n")


def test_an_answer_left_by_a_process_that_died_is_recorded_by_the_next_look(zbo: Zbo, begun: str) -> None:
    by_hand.tell(Path(f"{HISTORY}.scratch/0"), Measurement({"value": np.array(4.0), "noise": np.array(np.nan)}))
    assert "was told already" in zbo("tell", HISTORY, 0, "--value", 1).err
    said = zbo("next", HISTORY).out
    assert "trial 0 scored: 4; best 4 (trial 0)" in said
    assert "trial 1: random draw 2" in said


def test_a_paused_campaign_keeps_an_answer_until_it_is_resumed(zbo: Zbo, begun: str) -> None:
    zbo("pause", HISTORY, "-m", "the pump is loud")
    paused = zbo("tell", HISTORY, 0, "--value", 4)
    assert paused.code == 5
    assert "the pump is loud" in paused.err
    zbo("resume", HISTORY)
    assert "trial 0 scored: 4" in zbo("next", HISTORY).out


def test_a_budget_that_a_person_raised_stays_raised(zbo: Zbo, tmp_path: Path) -> None:
    zbo("next", written(tmp_path, BY_HAND, budget={"initial": 1, "total": 1}))
    zbo("budget", HISTORY, "--total", 3)
    assert "trial 1: " in zbo("tell", HISTORY, 0, "--value", 4).out
    assert "trial 2: " in zbo("tell", HISTORY, 1, "--value", 5).out
    assert Record.read(HISTORY).budget.total == 3


def test_a_budget_that_the_file_raised_stays_raised(zbo: Zbo, tmp_path: Path) -> None:
    zbo("next", written(tmp_path, BY_HAND, budget={"initial": 1, "total": 1}))
    zbo("tell", HISTORY, 0, "--value", 4)
    assert "trial 1: " in zbo("next", written(tmp_path, BY_HAND, budget={"initial": 1, "total": 3})).out
    assert "trial 2: " in zbo("tell", HISTORY, 1, "--value", 5).out


def test_a_trial_told_out_of_order_is_replaced_at_once(zbo: Zbo, tmp_path: Path) -> None:
    assert "open too     1, 2, 3, 4, 5 (--trial)" in zbo("next", written(tmp_path, BY_HAND, width=6)).out
    assert "open too     1, 2, 3, 4, 6 (--trial)" in zbo("tell", HISTORY, 5, "--value", 2).out


def test_several_open_trials_are_told_in_any_order(zbo: Zbo, tmp_path: Path) -> None:
    file = written(tmp_path, BY_HAND, width=3, batches=True, budget={"initial": 3, "total": 6})
    assert "open too     1, 2 (--trial)" in zbo("next", file).out
    assert "trial 2: random draw 3" in zbo("next", file, "--trial", 2).out
    assert zbo("tell", HISTORY, 2, "--value", 2).code == 0
    assert "trial 2 is not open; wanted one of 0, 1" in zbo("next", HISTORY, "--trial", 2).err
    assert zbo("tell", HISTORY, 1, "--value", 1).code == 0
    said = zbo("tell", HISTORY, 0, "--value", 0).out
    assert "trial 3: random draw 4" in said
    assert np.array_equal(Record.read(HISTORY).values, [0, 1, 2, np.nan, np.nan, np.nan], equal_nan=True)


def test_curves_are_told_as_files_of_one_form(zbo: Zbo, tmp_path: Path) -> None:
    zbo("next", written(tmp_path, BY_HAND, evaluator={"use": "loop-area"}))
    Path("loop.csv").write_text("bias [V],response [nm]\n0,0\n2,0\n2,3\n0,3\n")
    assert "measured were value, noise; wanted" in zbo("tell", HISTORY, 0, "--value", 1).err
    assert "trial 0 scored: 6" in zbo("tell", HISTORY, 0, "--file", "loop.csv").out
    measurement = Record.read(HISTORY).trial(0).measurement
    assert measurement is not None
    assert measurement.units == {"bias": "V", "response": "nm"}
    assert measurement.dims["bias"] == ("row",)

    np.savez("short.npz", bias=np.zeros(3), response=np.zeros(3))
    refused = zbo("tell", HISTORY, 1, "--file", "short.npz").err
    assert "bias is [bias_0: 3] of float64, was [row: 4] of float64" in refused
    assert "nothing was recorded of trial 1" in refused


def test_one_array_is_called_as_its_file(zbo: Zbo, begun: str) -> None:
    np.save("value.npy", np.array(2.5))
    assert "trial 0 scored: 2.5" in zbo("tell", HISTORY, 0, "--file", "value.npy").out


def test_another_executor_asks_nobody_even_while_its_history_is_written(zbo: Zbo, tmp_path: Path) -> None:
    campaign = load(written(tmp_path, DIRECT), allow_code=True)
    with campaign.open(Path("histories/hill")):
        ended = zbo("tell", "histories/hill", 0, "--value", 1, "--allow-code")
    assert (ended.code, ended.err) == (2, "zbo: the executor of hill is lab:Hill; wanted by-hand: it asks nobody\n")
    assert zbo("next", "histories/none").code == 2


# --- the commands, beside a run ---


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`zbo run` in a process of its own, waiting for its first answer."""
    file = written(tmp_path, BY_HAND, budget={"initial": 2, "total": 2})
    words = [sys.executable, "-m", "zbo_orchestrator.cli", "run", str(file), "--without-prefect", "--no-report"]
    environment = {**os.environ, "ZBO_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            _until((tmp_path / f"{HISTORY}.scratch/0/trajectory.csv").exists)
            yield process
        finally:
            process.kill()


def _until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


def test_a_run_that_waits_goes_on_when_it_is_told(zbo: Zbo, running: subprocess.Popen[str], tmp_path: Path) -> None:
    assert "trial 0: random draw 1" in zbo("next", HISTORY).out
    told = zbo("tell", HISTORY, 0, "--value", 1.5)
    assert "trial 1: random draw 2" in told.out
    last = subprocess.run(
        [sys.executable, "-m", "zbo_orchestrator.cli", "tell", str(HISTORY), "1", "--failed", "it broke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "best 1.5" in running.communicate(timeout=60)[0]
    assert running.returncode == 0
    assert "hand" in last.stdout
    record = Record.read(HISTORY)
    assert list(record.status) == [Status.SCORED, Status.FAILED]
    assert len(record.sessions) == 1, "another process wrote the history"


def test_a_run_that_was_stopped_is_gone_on_with_by_hand(zbo: Zbo, running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert zbo("tell", HISTORY, 0, "--value", 1.5).code == 0
    assert list(Record.read(HISTORY).status) == [Status.SCORED, Status.PROPOSED]


def test_a_holder_of_the_history_that_records_nothing_is_named(
    zbo: Zbo, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zbo_orchestrator.cli.by_hand.PATIENCE", 0.0)
    with History.open(HISTORY):
        ended = zbo("tell", HISTORY, 0, "--value", 1)
    assert ended.code == 3
    assert f"another process is writing this history: pid {os.getpid()}" in ended.err
