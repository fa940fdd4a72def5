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


class Lock:
    """An exclusive flock on `<history>.lock`, which the kernel releases when its process ends, however it ends.

    The file names the holder as JSON (pid, host, since, command). Children do not keep it: the descriptor closes
    on exec, and in a forked child at once. Network file systems must support flock for this to hold across hosts.
    """

    def __init__(self, path: Path, wait: float = 5.0, *, sign: bool = True) -> None:
        """Raises `InUse` naming the holder where the lock is not free within `wait` seconds, else `HistoryError`."""
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._take(wait)
            if sign:
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
        while not self._try():
            if time.monotonic() >= deadline:
                raise InUse(f"another process is writing this history: {self.holder()} ({self.path})")
            time.sleep(_POLL)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _sign(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(signature()).encode(), 0)

    @property
    def identity(self) -> str:
        """Names this very lock file among all machines'."""
        file = os.fstat(self._descriptor)
        return f"{socket.gethostname()}:{file.st_dev}:{file.st_ino}"

    def holder(self) -> str:
        """Who signed the lock file last, in words."""
        text = self.path.read_text(errors="replace")
        try:
            return in_words(json.loads(text))
        except (ValueError, KeyError, TypeError):
            return f"unknown holder (the lock file reads {text[:80]!r})"

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


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)
