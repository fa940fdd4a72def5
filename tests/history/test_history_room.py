"""A trial that cannot be had again starts only where there is room for its record, and keeps that room."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import annals
import numpy as np
import pytest

from zbo_orchestrator.history import History, Record
from zbo_orchestrator.history.room import LEAST
from zbo_orchestrator.model import HistoryError, Status


@pytest.fixture
def history(tmp_path: Path, rng: np.random.Generator) -> Iterator[History]:
    with annals.found(tmp_path / "history", repeatable=False) as history:
        history.propose(annals.plan(rng, 2))
        yield history


def held(history: History) -> list[int]:
    """The blocks on the disk of each trial under way, in bytes."""
    return [file.stat().st_blocks * 512 for file in history.path.beside(".room").glob("*")]


def test_room_is_held_from_the_start_of_a_trial_to_its_record(history: History, rng: np.random.Generator) -> None:
    history.start(0)
    history.start(1)
    first, second = held(history)
    assert min(first, second) >= LEAST
    history.record(annals.trial(history.waiting()[0], rng))
    assert len(held(history)) == 1
    history.close()
    assert not history.path.beside(".room").exists()


def test_without_room_a_trial_does_not_start(history: History, rng: np.random.Generator) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST // 2, limits[1]))  # as a full disk: no file may be larger
    try:
        with pytest.raises(HistoryError, match=r"trial 0 is not started: no room .*: File too large; wanted 16 MiB$"):
            history.start(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert held(history) == []
    history.start(0)
    history.record(annals.trial(history.waiting()[0], rng))
    assert history.status.tolist() == [Status.SCORED, Status.PROPOSED]


def test_what_a_dead_process_held_is_let_go(history: History) -> None:
    history.start(0)
    kept = history.path.beside(".room")
    shutil.copytree(kept, kept.with_suffix(".aside"))
    history.close()
    kept.with_suffix(".aside").rename(kept)
    with History.open(history.path) as again:
        again.resume(annals.IDENTITY)
        assert again.status.tolist() == [Status.INTERRUPTED, Status.PROPOSED]
        assert not kept.exists()


def test_what_can_be_had_again_needs_no_room(tmp_path: Path, rng: np.random.Generator) -> None:
    with annals.found(tmp_path / "history") as history:
        history.propose(annals.plan(rng))
        history.start(0)
        assert held(history) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("needs leave to mount a disk of its own")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def filled_up(disk: Path) -> None:
    with (disk / "others").open("wb", buffering=0) as others, suppress(OSError):
        while True:
            others.write(bytes(2**20))


def test_a_disk_that_fills_up_in_a_trial_costs_no_record(small_disk: Path, rng: np.random.Generator) -> None:
    with annals.found(small_disk / "history", repeatable=False) as history:
        history.propose(annals.plan(rng, 2))
        history.start(0)
        filled_up(small_disk)
        history.record(annals.trial(history.waiting()[0], rng))
        with pytest.raises(HistoryError, match=r"trial 1 is not started: no room .*: No space left on device"):
            history.start(1)
    assert Record.read(small_disk / "history").status.tolist() == [Status.SCORED, Status.PROPOSED]
