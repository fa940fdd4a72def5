"""The command's process and those that it starts, seen and struck from outside."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE = 150.0
"""Seconds for whatever has to happen, a server's start included; what waits for one that is gone takes minutes."""


def until(happened: Callable[[], bool], what: str) -> float:
    """Wait for something; the seconds that it took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() < began + PATIENCE, f"not in {PATIENCE:g} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began


def children(pid: int) -> dict[int, str]:
    """The command lines of the processes that one started, by their ids."""
    return {child: line for child, parent, line in _processes() if parent == pid}


def trial_processes(pid: int) -> list[int]:
    """Those in which its trials run."""
    return [child for child, line in children(pid).items() if "multiprocessing.spawn" in line]


def server_of(pid: int) -> int:
    """Its Prefect server."""
    return next(child for child, line in children(pid).items() if "zbo_flows.server" in line)


def _processes() -> Iterator[tuple[int, int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
            if status[0] != "Z":
                yield int(folder.name), int(status[1]), line


def gone(pids: dict[int, str]) -> bool:
    """Whether none of these processes is left; an id that was given again has another command line."""
    now = {pid: line for pid, _, line in _processes()}
    return not any(now.get(pid) == line for pid, line in pids.items())


def strike(pid: int) -> None:
    """kill -9, of one that may have just ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def fill_disk(process: subprocess.Popen[bytes], limit: int) -> None:
    """As where the disk is full: from now on none of its files may grow beyond `limit` bytes."""
    _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, most))
