"""A writer that dies: between any two file operations of a commit, by real kills, and on a full disk."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import annals
import numpy as np
import pytest

from zbo_orchestrator.history import History, Record, verify
from zbo_orchestrator.model import HistoryError, Trial
from zbo_orchestrator.place import Address

Step = Callable[[History, list[Trial]], None]
SPAWN = get_context("spawn")


def propose(history: History, written: list[Trial]) -> None:
    history.propose(annals.plan(np.random.default_rng(len(written))))


def record(history: History, written: list[Trial]) -> None:
    written.append(annals.trial(history.waiting()[0], np.random.default_rng(len(written))))
    history.record(written[-1])


def record_and_propose(history: History, written: list[Trial]) -> None:
    with history.transaction():
        record(history, written)
        propose(history, written)


def resume(history: History, written: list[Trial]) -> None:
    history.resume(annals.IDENTITY, name="again")


def files(path: Path) -> dict[Path, int]:
    found = (file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path): file.stat().st_mtime_ns for file in found}


@pytest.mark.parametrize("step", [record_and_propose, resume], ids=lambda step: step.__name__)
def test_death_after_every_file_operation_of_a_commit(tmp_path: Path, step: Step) -> None:
    path, before = tmp_path / "history", tmp_path / "before"
    written: list[Trial] = []
    with annals.found(path) as history:
        propose(history, written)
        record_and_propose(history, written)
        old_commit, old = history.commit, list(written)
        shutil.copytree(path, before)
        step(history, written)
        new_commit = history.commit
    old_files, new_files = files(before), files(path)
    operations = sorted((file for file in new_files if file not in old_files), key=lambda file: new_files[file])
    operations += [file for file in old_files if new_files[file] != old_files[file]]
    assert operations[-1].name == "ref.json"
    assert len(operations) >= 5
    for count, operation in enumerate(operations):
        last = operation == operations[-1]
        for torn in (True, False):
            arrives(path / operation, before / operation, torn=torn)
            if not last:
                assert Record.read(before).commit == old_commit
            if last or (not torn and count % 5 == 0):
                store = Path(shutil.copytree(before, tmp_path / f"{count}{torn}"))
                goes_on(store, new_commit if last else old_commit, written if last else old)


def arrives(operation: Path, out: Path, *, torn: bool) -> None:
    """One file operation of the commit happens, or half of it."""
    whole = operation.read_bytes()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(whole[: len(whole) // 2] if torn else whole)


def goes_on(store: Path, commit: str, trials: list[Trial]) -> None:
    """The store holds just these trials, and takes more."""
    with History.open(store) as history:
        assert history.commit == commit
        annals.assert_holds(history, trials)
        record_and_propose(history, [])
    assert len(Record.read(store).evidence().y) == len(trials) + 1


def test_leftovers_of_a_dead_writer_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "history"
    written = annals.filled(path, 2)
    rng = np.random.default_rng(0)
    with History.open(path) as history:
        history._store.commit = lambda message, facts: os.abort if message else None  # type: ignore[assignment]
        history.record(annals.trial(history.waiting()[0], rng))
    assert verify(path) == []
    annals.assert_holds(Record.read(path), written)


# --- real kills ---


def keep_writing(path: str, said: Connection) -> None:
    """Writes for ever; says what was done once it is acknowledged."""
    with History.open(path, wait=60) as history:
        history.resume(annals.IDENTITY)
        said.send(("open", len(history)))
        while True:
            for proposal in history.waiting():
                trial = annals.trial(proposal, np.random.default_rng(proposal.number))
                with history.transaction():
                    history.record(trial)
                    history.propose(annals.plan(np.random.default_rng(1000 + proposal.number)))
                said.send(("recorded", proposal.number))
            if not history.waiting():
                history.propose(annals.plan(np.random.default_rng(999)))


def test_real_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    assert survives(tmp_path / "history", kills=8) > 3


def survives(path: Address, kills: int, heard_first: int = 1) -> int:
    """A history holds just what was acknowledged, and perhaps the trial that was being committed; how many there are.

    heard_first   messages of a writer, the one that it is open being the first, before its death is near; in every
                  other round there is one more
    """
    annals.found(path).close()
    rng = np.random.default_rng()
    acknowledged = -1
    for kill in range(kills):
        said, told = SPAWN.Pipe(duplex=False)
        writer = SPAWN.Process(target=keep_writing, args=(str(path), told))
        writer.start()
        told.close()
        first = []
        for expected in ["open", "recorded"][: heard_first + kill % 2]:
            assert said.poll(60)
            first.append(said.recv())
            assert first[-1][0] == expected
        time.sleep(rng.uniform(0, 0.4))
        writer.kill()
        messages = [*first, *heard(said)]
        acknowledged = max([acknowledged, *(number for kind, number in messages if kind == "recorded")])
        with History.open(path, wait=60) as history:
            trials = list(history.trials())
            assert len(trials) in (acknowledged + 1, acknowledged + 2)
            acknowledged = len(trials) - 1
        writer.join()
    again = [annals.trial(trial.proposal, np.random.default_rng(trial.number)) for trial in trials]
    annals.assert_holds(Record.read(path), again)
    assert [trial.number for trial in again] == list(range(len(again)))
    for plan in Record.read(path).plans[1:]:
        annals.same(plan.z, annals.plan(np.random.default_rng(1000 + plan.number - 1)).z)
    assert verify(path) == []
    return len(again)


def heard(said: Connection) -> list[tuple[str, int]]:
    messages = []
    while said.poll():
        try:
            messages.append(said.recv())
        except EOFError:
            break
    return messages


# --- a full disk ---


def write_on_a_full_disk(path: str, limit: int, said: Connection) -> None:
    """As where the disk is full: no file may grow beyond the limit."""
    with History.open(path) as history:
        history.resume(annals.IDENTITY)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        errors = []
        for _ in range(2):
            try:
                record_and_propose(history, [])
            except HistoryError as error:
                errors.append(str(error))
        said.send((history.commit, errors))


@pytest.mark.parametrize(("limit", "then"), [(0, "cannot write"), (600, "cannot write"), (2000, "a commit failed")])
def test_a_full_disk_is_told_in_one_line_and_loses_nothing(tmp_path: Path, limit: int, then: str) -> None:
    path = tmp_path / "history"
    written = annals.filled(path, 2)
    said, told = SPAWN.Pipe(duplex=False)
    writer = SPAWN.Process(target=write_on_a_full_disk, args=(str(path), limit, told))
    writer.start()
    told.close()
    assert said.poll(60)
    last_good, errors = said.recv()
    writer.join()
    assert len(errors) == 2
    assert all("\n" not in error for error in errors)
    assert f"its last good commit is {last_good}" in errors[0]
    assert "cannot write to the history" in errors[0]
    assert "open the history again" in errors[1]
    assert then in errors[1]
    assert Record.read(path).commit == last_good
    annals.assert_holds(Record.read(path), written)
    with History.open(path) as history:  # there is room again
        record_and_propose(history, written)
    annals.assert_holds(Record.read(path), written)
    assert verify(path) == []


def open_on_a_full_disk(path: str, said: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        History.open(path).close()
    except HistoryError as error:
        said.send(str(error))


def test_opening_on_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    written = annals.filled(tmp_path / "history", 2)
    said, told = SPAWN.Pipe(duplex=False)
    opener = SPAWN.Process(target=open_on_a_full_disk, args=(str(tmp_path / "history"), told))
    opener.start()
    told.close()
    assert said.poll(60)
    assert said.recv() == f"{tmp_path / 'history.lock'} cannot be written: File too large"
    opener.join()
    annals.assert_holds(Record.read(tmp_path / "history"), written)


# --- the reference ---


@pytest.mark.parametrize("torn", ["", '{"snapsh', '{"snapshot": "NOSUCHSNAPSHOT000000"}'])
def test_a_torn_reference_is_told_by_readers_and_mended_by_the_writer(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "history"
    written = annals.filled(path, 2)
    last = Record.read(path).commit
    reference = path / "refs" / "branch.main" / "ref.json"
    reference.write_text(torn)
    with pytest.raises(HistoryError, match=f"torn reference: its last commit is {last}, and `zbo run` mends it"):
        Record.read(path)
    with History.open(path) as history:
        assert history.commit == last
    assert json.loads(reference.read_text()) == {"snapshot": last}
    annals.assert_holds(Record.read(path), written)
