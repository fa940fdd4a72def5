"""A Prefect server where none is configured: private, quiet, on loopback, and gone when its owner is.

Prefect's own temporary server starts only when a flow does (11 to 22 s later it answers), writes into the user's
`~/.prefect`, prints tracebacks at exit and outlives a killed owner. This one starts in the background, keeps its
state and its log in the project's own folder, and ends when its standard input closes.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from zbo_orchestrator.model import ConfigurationError

LOOPBACK = "127.0.0.1"
PATIENCE = 120.0
"""Seconds that a server may take to answer for the first time; a cold start on two busy cores takes 25."""

_QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}


def home() -> Path:
    """Where runs, database and log of our own server are kept; `ZBO_HOME` moves it."""
    return Path(os.environ.get("ZBO_HOME") or platformdirs.user_data_dir("zbo")) / "prefect"


def settle() -> None:
    """Set what Prefect reads from the environment when it is first imported; what the user has set stays."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not os.environ.get("PREFECT_API_URL"):
        os.environ.setdefault("PREFECT_HOME", str(home()))


@dataclass(slots=True)
class Server:
    """A Prefect API that is there or on its way."""

    url: str
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    @property
    def page(self) -> str:
        """Where a person looks."""
        return self.url.removesuffix("/api")

    def wait(self) -> None:
        """Return once the API answers; raises `ConfigurationError` if it does not."""
        deadline = time.monotonic() + (PATIENCE if self.process else 10.0)
        while not _answers(self.url):
            if self.process and self.process.poll() is not None:
                raise ConfigurationError(f"the Prefect server ended at its start; its log is {self.log}")
            if time.monotonic() > deadline:
                raise ConfigurationError(f"no Prefect API answers at {self.url}; start it, or unset PREFECT_API_URL")
            time.sleep(0.1)


@contextmanager
def server(host: str = LOOPBACK, port: int = 0) -> Iterator[Server]:
    """The configured API (`PREFECT_API_URL`), or one of our own, started without waiting for it.

    host, port   where our own is served; port 0: any that is free
    """
    settle()
    if url := os.environ.get("PREFECT_API_URL"):
        yield Server(url)
        return
    folder = Path(os.environ["PREFECT_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    log, port = folder / "server.log", _free_port(host, port)
    url = f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}/api"
    command = [sys.executable, "-m", "zbo_flows.server", host, str(port)]
    environment = {**os.environ, "PREFECT_SERVER_UI_API_URL": url}
    with log.open("wb") as sink:
        # A session of its own: Ctrl-C is for the campaign, which then ends the server.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=sink, stderr=sink, env=environment, start_new_session=True
        )
    os.environ["PREFECT_API_URL"] = url
    try:
        yield Server(url, process, log)
    finally:
        del os.environ["PREFECT_API_URL"]
        _end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port(host: str, port: int) -> int:
    """The port, or any free one for 0; raises `ConfigurationError` where it cannot be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            said = f"{host} port {port} cannot be served: {taken.strerror}; wanted a free one"
            raise ConfigurationError(said) from taken
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_with_owner() -> None:
    """Wait for standard input to close, then end this process."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    os._exit(0)


def _serve(host: str, port: int) -> None:
    threading.Thread(target=_end_with_owner, daemon=True).start()
    folder = Path(os.environ["PREFECT_HOME"])
    import uvicorn  # noqa: PLC0415 (only the server's own process needs it)
    from prefect.server.api.server import create_app  # noqa: PLC0415

    with (folder / "start.lock").open("w") as lock:  # cold starts at the same time race on the database's migrations
        fcntl.flock(lock, fcntl.LOCK_EX)
        application = create_app()
        threading.Thread(target=_unlock_when_up, args=(lock.fileno(), host, port), daemon=True).start()
        uvicorn.run(application, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)


def _unlock_when_up(lock: int, host: str, port: int) -> None:
    while not _answers(f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}/api"):
        time.sleep(0.1)
    fcntl.flock(lock, fcntl.LOCK_UN)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
