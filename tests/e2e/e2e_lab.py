"""A lab of processes: where they run, how they are found again, what a page tells to type."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "run-it-every-night.md"
BLOCKS = re.findall(r"^```console(?: title=\"([^\"]+)\")?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
MARK = "ZBO_E2E"
"""The environment variable that every process of a lab has, and all that they start."""


def told(title: str) -> list[str]:
    """The commands of a block of the page, as they stand there."""
    (block,) = (text for name, text in BLOCKS if name == title)
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


@dataclass
class Lab:
    """A folder on a machine, and the processes that were started for it, each under a mark of its kind."""

    folder: Path
    settings: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, kind: str) -> dict[str, str]:
        ours = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]), MARK: self._mark(kind)}
        others = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "ZBO_"))}
        return {**others, **self.settings, **ours}

    def start(self, kind: str, words: str, where: Path | None = None) -> subprocess.Popen[bytes]:
        """A command in the background, its output in a file."""
        with (self.folder / f"{kind}.log").open("ab") as sink:
            process = subprocess.Popen(
                f"exec {words}",
                shell=True,
                cwd=where or self.folder,
                env=self.environment(kind),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def type(self, commands: list[str], where: Path | None = None) -> None:
        """Commands that have to succeed, all at once."""
        begun = [(words, self.start("typed", words, where)) for words in commands]
        for words, process in begun:
            assert process.wait(120) == 0, f"{words}\n{self.log('typed')}"

    def log(self, kind: str) -> str:
        return (self.folder / f"{kind}.log").read_text(errors="replace")[-6000:]

    def alive(self, kind: str = "") -> dict[int, str]:
        """The command lines of the lab's processes that live, by their ids."""
        wanted = f"{MARK}={self._mark(kind)}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                ours = any(entry.startswith(wanted) for entry in (folder / "environ").read_bytes().split(b"\0"))
                if ours and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or is somebody else's
                continue
        return found

    def kill(self, kind: str = "") -> None:
        """End them at once, as a power cut would."""
        while alive := self.alive(kind):
            for pid in alive:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
            for process in self.processes:
                process.poll()

    def _mark(self, kind: str) -> str:
        return f"{self.folder}:{kind}"


class Receiver:
    """Where notifications arrive."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.texts.append(posted["text"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/1234"

    @contextmanager
    def listening(self) -> Iterator[Receiver]:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def told(self, beginning: str) -> Callable[[], bool]:
        return lambda: any(text.startswith(beginning) for text in self.texts)


def eventually(condition: Callable[[], object], what: str, patience: float = 90.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience:g} s: {what}"
        time.sleep(0.1)


def free_port(beside: int = 0) -> int:
    """A port that is free, and as many after it; none of those that outgoing connections are given at any moment."""
    while True:
        first = 20000 + secrets.randbelow(12000)
        with ExitStack() as held, suppress(OSError):
            for port in range(first, first + beside + 1):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
