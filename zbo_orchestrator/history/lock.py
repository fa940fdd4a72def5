"""The writer's lock: one process at a time, named, and gone with the process that holds it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import sys
import time
import weakref
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from zbo_orchestrator.model import HistoryError, InUse, Json

_POLL = 0.05


def signature() -> dict[str, Any]:
    """Who this process is, to others."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv),
    }


def in_words(holder: Json) -> str:
    return f"pid {holder['pid']} on {holder['host']} since {holder['since']}: {holder['command']}"


def identity_of(path: Path) -> str:
    """Of a lock file that nobody holds, empty where it has none; raises `InUse` naming the holder, else `HistoryError`.

    Read-only, and by a shared flock: who only looks need not be allowed to write, and two who look do not take one
    another for a writer.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
            if not _flocked(file.fileno(), fcntl.LOCK_SH):
                raise InUse(_taken(path))
            identity = _identity_in(file.read())
            fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough where a child was forked meanwhile
            return identity
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}") from error


class Lock:
    """An exclusive flock on `<history>.lock`, which the kernel releases when its process ends, however it ends.

    The file names the holder as JSON (pid, host, since, command), and itself (lock). Children do not keep it: the
    descriptor closes on exec, and in a forked child at once. Network file systems must support flock for this to hold
    across hosts.
    """

    def __init__(self, path: Path, wait: float = 5.0) -> None:
        """Raises `InUse` naming the holder where the lock is not free within `wait` seconds, else `HistoryError`."""
        self.path = path
        self.identity = ""
        """Drawn once for each lock file, and never for another."""
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._take(wait)
            self._sign()
        except OSError as error:
            self.release()
            raise HistoryError(f"{path} cannot be written: {error.strerror}") from error
        except BaseException:
            self.release()
            raise
        _held.add(self)

    def _take(self, wait: float) -> None:
        deadline = time.monotonic() + wait
        while not _flocked(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise InUse(_taken(self.path))
            time.sleep(_POLL)

    def _sign(self) -> None:
        """In one write, as long as what stood there, so that a kill in its midst does not lose the identity."""
        before = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        self.identity = _identity_in(before) or uuid4().hex
        signed = json.dumps({**signature(), "lock": self.identity}).encode()
        os.pwrite(self._descriptor, signed.ljust(len(before)), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _flocked(descriptor: int, kind: int) -> bool:
    """Whether it was to be had at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken(path: Path) -> str:
    """That a lock file is held, and who signed it last, in words."""
    text = path.read_text(errors="replace")
    try:
        holder = in_words(json.loads(text))
    except (ValueError, KeyError, TypeError):
        holder = f"unknown holder (the lock file reads {text[:80]!r})"
    return f"another process is writing this history: {holder} ({path})"


def _identity_in(content: bytes) -> str:
    """Empty where a lock file is new, was signed by an earlier version, or holds what is none of ours."""
    try:
        return str(json.loads(content)["lock"])
    except (ValueError, KeyError, TypeError):
        return ""


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)
