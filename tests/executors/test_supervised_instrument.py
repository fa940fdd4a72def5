"""An instrument under supervision: whatever fails, its panel shows the output off and the error tells what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bench_instrument import BenchSupply, Panel, Sleeper, wave
from bench_processes import QUICK, processes
from waiting import alive, eventually

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.executors.guarded import guarded
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.model import ConfigurationError, ExecutionError, FatalError, Measurement, Stopped, TransientError
from zbo_orchestrator.testing import RecordedRun

OFF = "safe state read back output=0"
TIMED = replace(QUICK, trial=1.0, abort=1.0)


@contextmanager
def supervised(panel: Panel, timeouts: Timeouts = QUICK, **supply: int) -> Iterator[Supervised]:
    executor = Supervised(BenchSupply(str(panel.file), **supply), timeouts, "the campaign under test")
    try:
        yield executor
    finally:
        executor.close()


def runs(executor: Supervised) -> bool:
    return isinstance(executor.execute(wave(steps=4), RecordedRun()), Measurement)


def test_one_child_and_one_connection_serve_many_trials(panel: Panel) -> None:
    with supervised(panel) as executor:
        assert all(runs(executor) for _ in range(3))
        _, child = processes(panel)
    words = [(word, number) for word, number, pid in panel.state["log"] if pid == child]
    first = words[0][1]
    assert {number for _, number in words} == {first}
    assert [word for word, _ in words if word != "drive"] == [
        "connect",
        "stage",
        *["off"] * 3,
        "unstage",
        "close",
    ]
    guardians = [number for word, number, pid in panel.state["log"] if pid != child and word == "safe"]
    assert guardians[0] < first < guardians[-1]
    assert panel.output == 0


@pytest.mark.long
def test_layer_after_layer_ends_a_trial_until_one_does(panel: Panel) -> None:
    """Each fault defeats one layer more than the one before."""
    with supervised(panel, TIMED, good=0) as executor:
        runs(executor)
        for faults, took in (
            (["hang"], rf"asked to stop, no answer in 0.3 s; aborted, ended \({OFF}\)"),
            (
                ["hang", "deaf"],
                f"asked to stop, no answer in 0.3 s; aborted, no answer in 1 s; {OFF}; terminated; {OFF}",
            ),
            (["hang", "deaf", "undying"], f"{OFF}; terminated, no answer in 0.5 s; killed; {OFF}"),
        ):
            panel.faulty(*faults)
            with pytest.raises(ExecutionError, match=rf"^time-out: the trial took longer than 1 s; .*{took}"):
                executor.execute(wave(), RecordedRun())
            assert panel.output == 0
        assert panel.state["refused"], "the instrument obeyed a child that had been declared dead"
        panel.faulty()
        assert runs(executor)


FATES = {
    "die": rf"^the executor's process ended with exit code -9; {OFF}$",
    "freeze": rf"^the executor's process was silent for 2 s; {OFF}; terminated, no answer .*; killed; {OFF}$",
}


@pytest.mark.parametrize("fault", ["die", pytest.param("freeze", marks=pytest.mark.long)])
def test_a_child_that_dies_or_freezes_is_replaced(panel: Panel, fault: str) -> None:
    with supervised(panel) as executor:
        panel.faulty(fault)
        with pytest.raises(TransientError, match=FATES[fault]):
            executor.execute(wave(), RecordedRun())
        assert panel.output == 0
        assert not alive(panel.pids("drive")[-1])
        panel.faulty()
        assert runs(executor)


def test_a_failed_trial_ends_safe_and_its_error_comes_back_whole(panel: Panel) -> None:
    with supervised(panel) as executor:
        panel.faulty("fail")
        with pytest.raises(ExecutionError, match=f"^the sample is loose; {OFF}\n") as failed:
            executor.execute(wave(), RecordedRun())
        assert "raised in the executor's process" in failed.value.__notes__[0]
        assert "bench_instrument.py" in failed.value.__notes__[0]
        panel.faulty()
        with pytest.raises(Stopped, match=f"^the contract asked; {OFF}\n"):
            executor.execute(wave(), RecordedRun(stop_at=2))
        assert panel.output == 0
        assert len({*panel.pids("drive")}) == 1, "a child that answers is kept"


def test_what_is_more_than_a_failed_trial_is_raised_though_the_trial_was_being_stopped(panel: Panel) -> None:
    with supervised(panel, TIMED, good=0) as executor:
        panel.faulty("hang", "interlock")
        with pytest.raises(FatalError, match=f"^the interlock is open\n(.*\n)*{OFF}\nasked to stop, no answer"):
            executor.execute(wave(), RecordedRun())
        assert panel.output == 0


def test_an_instrument_that_cannot_be_made_safe_stops_the_campaign(panel: Panel) -> None:
    executor = Supervised(BenchSupply(str(panel.file)), QUICK)
    runs(executor)
    panel.faulty("fail", "unsafe")
    with pytest.raises(FatalError, match="the output relay is welded: output=1"):
        executor.execute(wave(), RecordedRun())
    with pytest.raises(FatalError, match="the output relay is welded"):
        executor.close()
    assert panel.output == 1
    panel.faulty()
    assert eventually(lambda: panel.output == 0), "its guardian, left alone, did not try on"


@pytest.mark.long
def test_the_guardian_killed_in_mid_trial_is_replaced_before_anything_drives_again(panel: Panel) -> None:
    class Kills(RecordedRun):
        def report(self, step: int, of: int, **values: float) -> None:
            if step == 3:
                os.kill(processes(panel)[0], signal.SIGKILL)

    with supervised(panel) as executor:
        with pytest.raises(TransientError, match=r"^the guardian's process ended with exit code -9; asked"):
            executor.execute(wave(steps=10_000), Kills())
        assert panel.output == 0
        assert runs(executor)


def test_the_instrument_is_one_campaigns_at_a_time(panel: Panel) -> None:
    with supervised(panel) as executor:
        runs(executor)
        other = Supervised(BenchSupply(str(panel.file)), replace(QUICK, lease=0.2), "another campaign")
        with pytest.raises(FatalError, match=r"taken by the guardian of the campaign under test \(pid \d+ on "):
            other.execute(wave(), RecordedRun())
        assert runs(executor)
    with supervised(panel) as later:
        assert runs(later)


def test_limits_hold_on_both_sides_of_the_process_boundary(panel: Panel) -> None:
    child_only = Supervised(guarded(BenchSupply(str(panel.file)), Envelope({"bias": Limits(-9, 2)})), QUICK)
    with pytest.raises(ExecutionError, match=r"^outside the envelope: bias.upper by 1\b"):
        child_only.execute(wave(3.0), RecordedRun())
    assert child_only.description is not None
    parent = guarded(child_only, Envelope(), child_only.description)
    with pytest.raises(ExecutionError, match=r"^outside the envelope: bias.upper by 1\b"):
        parent.execute(wave(6.0), RecordedRun())
    child_only.close()
    assert panel.pids("drive") == []


def test_without_a_safe_state_there_is_no_guardian_and_no_lease_but_a_time_out(panel: Panel) -> None:
    executor = Supervised(Sleeper(), replace(QUICK, trial=0.5))
    assert isinstance(executor.execute(wave(0.0), RecordedRun()), Measurement)
    said = r"^time-out: the trial took longer than 0.5 s; asked to stop, no answer in 0.3 s; terminated$"
    with pytest.raises(ExecutionError, match=said):
        executor.execute(wave(60.0), RecordedRun())
    executor.close()
    assert not (panel.file.parent / "leases").exists()


def test_time_outs_are_positive() -> None:
    with pytest.raises(ConfigurationError, match="time-out ask is 0; wanted a positive number of seconds"):
        Timeouts(ask=0)


# --- the campaign's process killed ------------------------------------------------------------------


def campaign(panel: Panel, ramp: float = 0.0, steps: int = 100_000) -> subprocess.Popen[bytes]:
    """A process that drives a long trial; returns once the output is on."""
    script = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from bench_instrument import BenchSupply, wave
        from bench_processes import QUICK
        from zbo_orchestrator.executors.supervised import Supervised
        from zbo_orchestrator.testing import RecordedRun

        class Run(RecordedRun):
            def report(self, *_, **__): pass

        executor = Supervised(BenchSupply({str(panel.file)!r}, ramp={ramp}), QUICK, "the campaign before")
        executor.execute(wave(steps={steps}), Run())
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    assert eventually(lambda: panel.output == 1, 60)
    return process


def test_killed_with_its_child_the_guardian_makes_safe_and_the_next_run_waits_for_it(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    parent = campaign(panel, ramp=3.0)
    guardian, child = processes(panel)
    parent.kill()
    os.kill(child, signal.SIGKILL)
    parent.wait()
    assert eventually(lambda: "ramp" in [word for word, _, pid in panel.state["log"][-3:] if pid == guardian])
    assert panel.output == 1
    with supervised(panel) as executor:
        assert runs(executor)
    assert (
        "waiting for the guardian of the campaign before, whose process is gone, making the instrument safe"
        in caplog.text
    )
    assert panel.output == 0


@pytest.mark.long
def test_killed_alone_its_child_makes_safe_by_itself(panel: Panel) -> None:
    parent = campaign(panel)
    _, child = processes(panel)
    parent.kill()
    parent.wait()
    assert eventually(lambda: panel.output == 0)
    assert eventually(lambda: not any(map(alive, processes(panel))))
    assert child in panel.pids("safe")


@pytest.mark.long
def test_stopped_and_resumed_after_it_was_declared_dead_it_cannot_write(panel: Panel) -> None:
    parent = campaign(panel)
    guardian, child = processes(panel)
    with panel.held():
        for pid in (parent.pid, child):
            os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: panel.output == 0 and not alive(guardian))
    stale = BenchSupply(str(panel.file))
    stale.fence(panel.state["log"][-1][1] - 1)
    with supervised(panel) as executor:
        runs(executor)
        drives = panel.state["drives"]
        os.kill(parent.pid, signal.SIGCONT)
        assert not alive(child)
        with pytest.raises(ExecutionError, match="connect refused: number"):
            stale.connect()
        time.sleep(0.2)
        assert panel.state["drives"] == drives
        assert panel.output == 0
    parent.kill()
    parent.wait()


def test_a_trial_that_swallows_a_stop_is_ended_by_force(panel: Panel) -> None:
    panel.faulty("stubborn", "deaf")
    stubborn = Supervised(BenchSupply(str(panel.file), dwell=0.02, steps=2000), QUICK, "the campaign under test")
    try:
        with pytest.raises(Stopped, match=r"ending when asked to stop \(the contract asked\) took longer than 0\.3 s"):
            stubborn.execute(wave(), RecordedRun(stop_at=3))
        assert panel.output == 0
    finally:
        stubborn.close()
