"""The lock file: who may look at it, and what it is called for ever."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import annals
import pytest

from zbo_orchestrator.history import History, held_by
from zbo_orchestrator.history.lock import Lock, identity_of
from zbo_orchestrator.model import HistoryError, InUse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "history.lock"


def read_only(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """From now on nothing can be opened for writing, as on a read-only mount."""
    opened = os.open

    def refusing(path: Any, flags: int, *others: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(error, os.strerror(error), str(path))
        return opened(path, flags, *others, **options)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_who_only_looks_need_not_be_allowed_to_write(path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    with annals.found(path), monkeypatch.context() as mounted:
        read_only(mounted, error)
        assert f"pid {os.getpid()}" in str(held_by(path))
    read_only(monkeypatch, error)
    assert held_by(path) is None
    with pytest.raises(HistoryError, match=rf"history\.lock cannot be written: {os.strerror(error)}"):
        History.open(path)


def test_a_lock_file_that_may_not_be_read_is_no_free_one(path: Path, lock: Path) -> None:
    lock.mkdir()
    with pytest.raises(HistoryError, match=r"history\.lock cannot be read: Is a directory"):
        held_by(path)


def test_two_who_look_do_not_take_one_another_for_a_writer(lock: Path) -> None:
    identity = signed(lock)
    with lock.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert identity_of(lock) == identity
        with pytest.raises(InUse, match="another process is writing"):
            Lock(lock, wait=0)


def test_looking_leaves_nothing_behind(path: Path, lock: Path) -> None:
    assert held_by(path) is None
    assert not lock.exists()


def signed(lock: Path) -> str:
    with Lock(lock, wait=0) as held:
        return held.identity


def test_a_lock_file_keeps_its_identity_whoever_signs_it(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["zbo", "run", "a-campaign-with-a-long-name.yaml"])
    identity = signed(lock)
    monkeypatch.setattr("sys.argv", ["zbo"])
    monkeypatch.setattr("socket.gethostname", lambda: "container-8")
    assert signed(lock) == identity == identity_of(lock)
    assert json.loads(lock.read_text())["command"] == "zbo"
    assert signed(tmp_path / "another.lock") != identity


@pytest.mark.parametrize("content", ["", '{"pid": 1, "host": "lab", "since": "", "command": "zbo"}', "[]", "torn {"])
def test_a_lock_file_without_an_identity_gets_one(lock: Path, content: str) -> None:
    lock.write_text(content)
    assert identity_of(lock) == ""
    assert signed(lock) == identity_of(lock) != ""


def test_a_kill_while_a_lock_is_signed_does_not_lose_the_identity(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = signed(lock)

    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(os, "pwrite", killed)
        with pytest.raises(KeyboardInterrupt):
            Lock(lock)
    assert signed(lock) == identity
