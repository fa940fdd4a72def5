"""A Prefect server where none is configured: private, quiet, on loopback, and gone when its owner is.

Prefect's own temporary server starts only when a flow does (11 to 22 s later it answers), writes into the user's
`~/.prefect`, prints tracebacks at exit and outlives a killed owner. This one starts in the background and keeps its
state and its log in the project's own folder. Beside it the working folder's histories are served (`zbo pages`), which
the pages of flow runs show pictures of.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from zbo_flows.owned import LOOPBACK, address, answers, end_with_owner, free_ports, owned
from zbo_flows.web_pages import own_pages_only
from zbo_orchestrator.model import ConfigurationError
from zbo_orchestrator.pages import names_of

PATIENCE = 120.0
"""Seconds that a server may take to answer for the first time; a cold start on two busy cores takes 25."""
PAGES = "ZBO_PAGES"
"""The variable that says where the working folder's histories are served."""

_QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}

_OURS = {
    "PREFECT_SERVER_UI_API_URL": "/api",  # whatever name a browser called it by
    # Kept in memory, a slot taken before a power cut is never given back
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
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


def pages() -> str:
    """Where the working folder's histories are served, empty where nowhere; raises `ConfigurationError`."""
    given = os.environ.get(PAGES, "")
    return web_address(PAGES, given).rstrip("/") if given else ""


def web_address(name: str, given: str) -> str:
    """An address that can be called; raises `ConfigurationError` that says by what name it was given."""
    if urlsplit(given).scheme not in {"http", "https"} or not urlsplit(given).netloc:
        raise ConfigurationError(f"{name} is {given!r}; wanted an http or https address, such as http://127.0.0.1:4201")
    return given


@dataclass(slots=True)
class Server:
    """A Prefect API that is there or on its way, and the pages of histories beside it."""

    url: str
    process: subprocess.Popen[bytes] | None = None
    pages: subprocess.Popen[bytes] | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def page(self) -> str:
        """Where a person looks."""
        return self.url.removesuffix("/api")

    def died(self) -> None:
        """Return once our own server has ended though nobody ended it; else never."""
        if self.process is not None:
            self.process.wait()
        if self.process is None or self.over.is_set():
            threading.Event().wait()

    @property
    def log(self) -> Path:
        """What our own server has to say."""
        return _log("server")

    def wait(self) -> None:
        """Return once the API answers; raises `ConfigurationError` if it does not."""
        deadline = time.monotonic() + (PATIENCE if self.process else 10.0)
        while not answers(f"{self.url}/health"):
            if self.process and self.process.poll() is not None:
                raise ConfigurationError(f"the Prefect server ended at its start; its log is {self.log}")
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"no Prefect API answers at {self.url}, which PREFECT_API_URL names; wanted that of a server that "
                    "runs, such as http://127.0.0.1:4200/api"
                )
            time.sleep(0.1)
        if self.pages and self.pages.poll() is not None:
            warnings.warn(f"the pages of histories ended at their start; their log is {_log('pages')}", stacklevel=2)
            os.environ.pop(PAGES, None)


def _log(kind: str) -> Path:
    return Path(os.environ["PREFECT_HOME"]) / f"{kind}.log"


@contextmanager
def server(host: str = LOOPBACK, port: int = 0) -> Iterator[Server]:
    """The configured API (`PREFECT_API_URL`), or one of our own, started without waiting for it.

    host, port   where our own is served, and the pages of histories at the port after it; port 0: any that are free
    """
    settle()
    if url := os.environ.get("PREFECT_API_URL"):
        yield Server(url)
        return
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    port, *beside = free_ports(host, port, *([] if pages() else [port and port + 1]))
    url = f"{address(host, port)}/api"
    started = Server(url)
    with ExitStack() as stack:
        started.process = stack.enter_context(owned("zbo_flows.server", host, port, _log("server"), _OURS))
        stack.enter_context(_set("PREFECT_API_URL", url))
        for free in beside:
            started.pages = stack.enter_context(owned("zbo_flows.pages", host, free, _log("pages"), {}))
            stack.enter_context(_set(PAGES, address(host, free)))
        try:
            yield started
        finally:
            started.over.set()


@contextmanager
def alone() -> Iterator[None]:
    """Be the one of this user that serves deployments from our own server; raises `ConfigurationError` for a second.

    Two would share its database, and each run what the other was asked for, in its own folder.
    """
    settle()
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    folder = Path(os.environ["PREFECT_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            name = "ZBO_HOME" if folder == home() else "PREFECT_HOME"
            raise ConfigurationError(
                f"another zbo serve runs with its state in {folder}; wanted one, or {name}=FOLDER for a second"
            ) from taken
        yield


@contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


def _serve(host: str, port: int) -> None:
    end_with_owner()
    folder = Path(os.environ["PREFECT_HOME"])
    import uvicorn  # noqa: PLC0415 (only the server's own process needs it)
    from prefect.server.api.server import create_app  # noqa: PLC0415

    with (folder / "start.lock").open("w") as lock:  # cold starts at the same time race on the database's migrations
        fcntl.flock(lock, fcntl.LOCK_EX)
        application = own_pages_only(create_app(), names_of(host))
        threading.Thread(target=_unlock_when_up, args=(lock.fileno(), host, port), daemon=True).start()
        uvicorn.run(application, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)


def _unlock_when_up(lock: int, host: str, port: int) -> None:
    while not answers(f"{address(host, port)}/api/health"):
        time.sleep(0.1)
    fcntl.flock(lock, fcntl.LOCK_UN)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
