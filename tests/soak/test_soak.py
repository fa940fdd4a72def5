"""Unattended: a campaign that everything befalls ends with the right history, nothing lost, doubled or out of order."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

import pytest
from equality import assert_equal_histories
from soak_parts import fault, height
from soak_sittings import Soaked, environment, said

from zbo_orchestrator.history import Record, verify
from zbo_orchestrator.model import Status, Trial

SEED = 5
"""The campaign's."""
SECONDS = 20.0
"""In which the process of a flow ends though its server is gone: Prefect alone takes minutes."""
LENGTHS = [
    pytest.param(200, id="short"),
    pytest.param(2000, id="long", marks=pytest.mark.timeout(5400)),
]
pytestmark = pytest.mark.soak


def straight(soaked: Soaked) -> Soaked:
    """The same campaign, left alone."""
    with soaked.start(prefect=False) as process:
        assert process.wait() == 0, said(process)
    return soaked


@pytest.mark.parametrize("trials", LENGTHS)
def test_at_width_1_it_equals_an_uninterrupted_one(tmp_path: Path, trials: int) -> None:
    began = time.monotonic()
    blows = ["flow killed", "disk full", "server killed", "flow killed", "told to end", "flow killed"]
    soaked = Soaked(tmp_path / "soaked", trials, between=(25, 40))
    soaked.run(cycle(blows))
    table("width 1", soaked, time.monotonic() - began)
    sound(soaked)
    assert set(soaked.blows) == set(blows)
    assert_equal_histories(straight(Soaked(tmp_path / "straight", trials)).history, soaked.history)


@pytest.mark.parametrize("trials", LENGTHS)
def test_at_width_4_it_replays(tmp_path: Path, trials: int) -> None:
    began = time.monotonic()
    blows = ["worker killed", "flow killed", "disk full", "server killed", "told to end"]
    soaked = Soaked(tmp_path / "soaked", trials, width=4, between=(15, 25))
    soaked.run(cycle(blows))
    table("width 4", soaked, time.monotonic() - began)
    sound(soaked)
    assert set(soaked.blows) == set(blows)
    replay = [sys.executable, "-m", "zbo_orchestrator.cli", "verify", str(soaked.history), "--replay", "--allow-code"]
    replayed = subprocess.run(replay, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "every one equal" in replayed.stdout


def sound(soaked: Soaked) -> None:
    """Every byte is well, every trial is there once, and is what its last attempt has to come to."""
    assert max(soaked.ends) < SECONDS, soaked.ends
    assert verify(soaked.history) == []
    record = Record.read(soaked.history)
    assert record.state == "finished"
    trials = list(record.trials())
    assert [trial.number for trial in trials] == list(range(soaked.trials))
    for trial in trials:
        assert right(trial), f"{trial.number} {trial.status.name}: {trial.attempts}"


def right(trial: Trial) -> bool:
    """Whether a trial ended as its last attempt was bound to, unless its process was killed from outside."""
    last = trial.attempts[-1]
    befell = fault(SEED, trial.number, last.number)
    if trial.status is Status.SCORED:
        return befell == "" and trial.value == height(*trial.trajectory.values[0])
    if trial.status is Status.FAILED:
        return befell == "fails"
    return trial.status is Status.TRANSIENT and last.number == 3 and (befell != "" or "exit code -9" in last.error)


def table(name: str, soaked: Soaked, seconds: float) -> None:
    """What befell a campaign, for whoever reads the log."""
    befell = Counter(fault(SEED, number, attempt) for number, attempt in soaked.begun())
    del befell[""]
    rows = {"trials": soaked.trials, "attempts": len(soaked.begun()), "sittings": soaked.sittings}
    rows |= {**soaked.blows, **{f"trial: {what}": count for what, count in sorted(befell.items())}}
    rows["seconds"] = round(seconds)
    print(f"\n{name}")
    for label, count in rows.items():
        print(f"  {label:<20}{count:>6}")
    if soaked.ends:
        print(f"  a flow without its server ended in {', '.join(f'{end:.1f}' for end in soaked.ends)} s")
