"""HTTP servers in processes of their own, which end when their owner does, however that ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zbo_orchestrator.model import ConfigurationError

LOOPBACK = "127.0.0.1"


@contextmanager
def owned(
    module: str, host: str, port: int, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m module host port` while the owner lives; its output goes to a log.

    A session of its own: Ctrl-C is for the campaign, which then ends it. Its standard input closes with the owner.
    """
    command = [sys.executable, "-m", module, host, str(port)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def end_with_owner() -> None:
    """End this process once its standard input closes; called by what `owned` runs."""
    threading.Thread(target=_wait_for_owner, daemon=True).start()


def address(host: str, port: int) -> str:
    """Where a server bound to `host` is reached from this machine."""
    return f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}"


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_ports(host: str, *wanted: int) -> list[int]:
    """These ports, for each 0 any free one; raises `ConfigurationError` where one cannot be had."""
    with ExitStack() as held:
        return [_bound(held.enter_context(socket.socket()), host, port) for port in wanted]


def _bound(probe: socket.socket, host: str, port: int) -> int:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except OSError as taken:
        said = f"{host} port {port} cannot be served: {taken.strerror}; wanted a free port of this machine"
        raise ConfigurationError(said) from taken
    return int(probe.getsockname()[1])


def _wait_for_owner() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    os._exit(0)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
