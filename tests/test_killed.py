"""Kill -9 at random moments of a real campaign, its set-up included: nothing of it shows in the finished history."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from equality import assert_equal_histories

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record, verify

LEARNT = {"use": "vae", "epochs": 12, "hidden": [32, 32]}


@pytest.fixture(scope="module")
def warm() -> ForkServerContext:
    """Processes that begin with everything imported, so that kills fall into the campaign and not into imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["zbo_orchestrator.campaign", "zbo_orchestrator.conduct", "torch", "botorch", __name__]
    )
    return context


def campaign(file: Path, history: Path, cache: Path) -> None:
    os.environ["ZBO_CACHE"] = str(cache)
    conduct(load(file), history, Watcher())


def commits(history: Path) -> int:
    """How many a process has made so far, seen from outside."""
    snapshots = history / "snapshots"
    return len(list(snapshots.iterdir())) if snapshots.exists() else 0


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_campaign_killed_at_random_moments_equals_one_that_was_not(
    warm: ForkServerContext, campaign_file: Callable[..., Path], tmp_path: Path, seed: int
) -> None:
    file = campaign_file(decoder=LEARNT, budget={"initial": 4, "total": 16})
    history, moments = tmp_path / "killed", random.Random(seed)

    def killed(ready: Callable[[], bool], delay: float) -> bool:
        """Start the campaign, and kill it at a random moment within `delay` seconds of being ready."""
        process = warm.Process(target=campaign, args=(file, history, tmp_path / "another cache"))
        process.start()
        while not ready() and process.is_alive():
            time.sleep(0.001)
        process.join(moments.uniform(0, delay))
        survived = process.exitcode is None
        process.kill()
        process.join()
        assert survived or process.exitcode == 0, "it ended by itself, with an error"
        return survived

    kills = [killed(lambda: True, 1.0) for _ in range(3)]
    while not commits(history):
        killed(lambda: commits(history) > 0, 0.2)
    for more in (1, 2, 3):
        seen = commits(history)
        kills.append(killed(lambda seen=seen, more=more: commits(history) >= seen + more, 0.1))
    assert sum(kills) >= 4, "hardly anything was killed"
    campaign(file, history, tmp_path / "another cache")
    campaign(file, tmp_path / "straight", tmp_path / "one cache")
    assert verify(history) == []
    assert_equal_histories(tmp_path / "straight", history)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_command_killed_and_typed_again_through_prefect(campaign_file: Callable[..., Path], tmp_path: Path) -> None:
    file, history, moments = campaign_file(decoder=LEARNT), tmp_path / "killed", random.Random(5)
    environment = {**os.environ, "ZBO_HOME": str(tmp_path / "home"), "ZBO_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "zbo_orchestrator.cli", "run", str(file), "--history", str(history)]
    for kill in range(12):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            process.wait(None if kill >= 6 else moments.uniform(3, 45))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            continue
        assert process.returncode == 0
        break
    conduct(load(file), tmp_path / "straight", Watcher())
    assert Record.read(history).state == "finished"
    assert_equal_histories(tmp_path / "straight", history)


def test_scratch_that_a_kill_left_behind_goes_with_the_next_sitting(
    campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    history = tmp_path / "history"
    conduct(load(campaign_file(), ["budget.total=5"]), history, Watcher())
    left = tmp_path / "history.scratch" / "4"
    (left / "checkpoints").mkdir(parents=True)
    conduct(load(campaign_file(), ["budget.total=6"]), history, Watcher())
    assert not left.parent.exists()
