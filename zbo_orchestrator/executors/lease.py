"""The lease of an instrument: one holder at a time, named, gone with its process; and its fencing number.

Two locks make it. The guardian holds one for as long as a campaign has the instrument; whoever drives holds the other.
So a new campaign waits for the old one's guardian, and for its child, whichever of them is left.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import re
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from zbo_orchestrator.instrument import Addressed, Connected, Described
from zbo_orchestrator.model import ConfigurationError, FatalError

_POLL = 0.02


class Lease:
    """An exclusive flock on a file that names its holder; gone with the holder's process, however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, words: str, wait: float, waiting: Callable[[str], None]) -> None:
        """Sign as `words`; waits for another holder and says so. Raises `FatalError` naming it where it stays."""
        if not self.free(0):
            waiting(f"waiting for {self.holder()} to let go of the instrument, up to {wait:g} s")
            if not self.free(wait):
                raise FatalError(f"the instrument is taken by {self.holder()}; gave up after {wait:g} s ({self.path})")
        self.sign(words)

    def free(self, wait: float) -> bool:
        """Lock it without signing, if it can be had within `wait` seconds."""
        deadline = time.monotonic() + wait
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        return True

    def sign(self, words: str) -> None:
        """Say what the holder is about."""
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        self._write({**self._read(), "pid": os.getpid(), "host": socket.gethostname(), "since": since, "words": words})

    def number(self) -> int:
        """A fencing number, higher than any before; seconds since the epoch at least, for what outlives a reboot."""
        number = max(int(self._read().get("number", 0)) + 1, int(time.time()))
        self._write({**self._read(), "number": number})
        return number

    @property
    def pid(self) -> int | None:
        """The process that signed last."""
        return self._read().get("pid")

    def holder(self) -> str:
        """Who signed last, in words."""
        said = self._read()
        if "pid" not in said:
            return f"somebody who has not signed {self.path}"
        return f"{said['words']} (pid {said['pid']} on {said['host']}, since {said['since']})"

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _read(self) -> dict[str, Any]:
        text = self.path.read_text()
        try:
            return dict(json.loads(text)) if text else {}
        except ValueError:  # met between two writes: not signed yet
            return {}

    def _write(self, said: dict[str, Any]) -> None:
        """The file keeps its inode, which the lock is on; one write, padded over what stood there."""
        text = json.dumps(said).encode()
        os.pwrite(self._descriptor, text.ljust(os.fstat(self._descriptor).st_size), 0)


def leases(executor: object) -> tuple[Path, Path]:
    """The files of an instrument's two locks, the guardian's and the driver's."""
    kept, name = folder(), _instrument(executor)
    stem = f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return kept / f"{stem}.guardian", kept / f"{stem}.driver"


def folder() -> Path:
    """Where leases are kept, made where it is missing; `ZBO_LEASES` moves it.

    The same for all that a user starts on a machine, at a terminal, by a service or by cron. The system's runtime
    folder is not: it goes when the user logs out, and the temporary one is cleaned, with campaigns still under way.
    Named by the machine, which process numbers are of: several may share a home.
    """
    chosen = os.environ.get("ZBO_LEASES")
    kept = Path(chosen).expanduser() if chosen else user_state_path("zbo", appauthor=False) / "leases" / _machine()
    if not kept.is_absolute():
        raise ConfigurationError(f"ZBO_LEASES is {chosen}; wanted an absolute path, the same for all that drive")
    try:
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"no lease can be kept in {kept}: {error.strerror}; wanted a folder of the user's own: ZBO_LEASES=FOLDER"
        ) from error
    return kept


def _machine() -> str:
    """A name that lasts: a host's may change under a campaign."""
    try:
        return Path("/etc/machine-id").read_text().strip() or socket.gethostname()
    except FileNotFoundError:
        return socket.gethostname()


def _instrument(executor: object) -> str:
    """What tells this instrument from every other: its resource, its identity, or the executor's class and options."""
    if isinstance(executor, Addressed):
        return executor.resource
    if isinstance(executor, Described):
        return _identity(executor)
    kind = type(executor)
    return f"{kind.__module__}.{kind.__qualname__} {hashlib.sha256(pickle.dumps(executor)).hexdigest()}"


def _identity(executor: Described) -> str:
    if not isinstance(executor, Connected):
        return executor.describe().identity
    executor.connect()
    try:
        return executor.describe().identity
    finally:
        executor.close()
