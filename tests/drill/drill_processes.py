"""The processes of a drill: found by a mark in their surroundings, which they all inherit."""

from __future__ import annotations

import multiprocessing.resource_tracker
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zbo_orchestrator.executors.lease import Lease, leases
from zbo_scpi import ScpiWaveform

MARK = "ZBO_DRILL"
"""The environment variable that every process of a drill has, by the drill's own value."""


def processes(mark: str) -> dict[int, str]:
    """The command lines of all processes with a mark that live, by their ids, but for Python's own book-keeper."""
    tracker = multiprocessing.resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]
    return dict(sorted((pid, said) for pid, said in _marked(f"{MARK}={mark}".encode()) if pid != tracker))


def _marked(wanted: bytes) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        try:
            if not folder.name.isdigit() or wanted not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            said = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or is somebody else's
            continue
        if state != "Z":
            yield int(folder.name), said


def child(resource: str) -> int:
    """The process that drives the instrument at a resource, or drove it last."""
    return _signed(resource, 1)


def guardian(resource: str) -> int:
    return _signed(resource, 0)


def _signed(resource: str, which: int) -> int:
    pid = Lease(leases(ScpiWaveform(resource=resource))[which]).pid
    assert pid is not None, "nobody has signed the lease"
    return pid


@contextmanager
def ended(mark: str) -> Iterator[None]:
    """Whatever else the drill comes to, its processes do not outlive it."""
    try:
        yield
    finally:
        for pid in processes(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
