"""A program in a session of its own that is spoken to in JSON lines; every trouble with it is a `TransientError`.

After any trouble the program is ended: what it says next may be the answer to a question that was given up.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

from zbo_orchestrator.executors import json_lines_words as words
from zbo_orchestrator.executors.json_lines_words import Said
from zbo_orchestrator.model import ConfigurationError, TransientError

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Program:
    """A running command; raises `ConfigurationError` where it cannot be started.

    grace   seconds it is given to exit, once told to close and once more after SIGTERM
    """

    def __init__(self, command: Sequence[str], grace: float) -> None:
        self.name, self._grace = words.brief(" ".join(Path(word).name for word in command)), grace
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        except OSError as error:
            raise ConfigurationError(f"command {self.name} cannot be started: {error}") from error
        self._orders: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._noted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._last_words = ""
        self._ending = threading.Lock()
        self._open = True
        self._threads = [_begun(self._write, self._process.stdin), _begun(self._read, self._process.stdout)]
        self._threads += [_begun(self._note, self._process.stderr), _begun(self._tell)]

    @property
    def is_open(self) -> bool:
        """Whether it may be spoken to."""
        return self._open and self._process.poll() is None

    def send(self, request: Said) -> None:
        """Returns at once, from any thread: one that does not listen shows by its silence."""
        self._orders.put(request)

    def receive(self, seconds: float) -> Said:
        """The next line it says, within so many seconds."""
        try:
            line = self._lines.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            raise self.lost(f"was silent for {seconds:g} s") from None
        if not line:
            raise self.lost(self._fate())
        return self.understood(words.heard, line)

    def understood(self, read: Callable[..., Result], *said: object) -> Result:
        """What a reader makes of what it said."""
        try:
            return read(*said)
        except ValueError as error:
            raise self.lost(str(error)) from error

    def ask(self, request: Said, wanted: str, seconds: float) -> Said:
        """The answer to a request; raises the error that the program answers instead."""
        self.send(request)
        said = self.receive(seconds)
        if said["say"] == "error":
            raise self.understood(words.error, said)
        if said["say"] != wanted:
            raise self.lost(f"said {said['say']!r}; wanted {wanted} or error")
        return said

    def lost(self, what: str) -> TransientError:
        """End it; the error tells what happened, and the last line of its stderr."""
        self.end()
        last = f"; the last line on its stderr: {self._last_words}" if self._last_words else ""
        return TransientError(f"{self.name} {what}{last}")

    def close(self) -> None:
        """Tell it to close, close its stdin, and see that it goes."""
        self.send(words.CLOSE)
        self._orders.put(None)
        self._gone()
        self.end()

    def end(self) -> None:
        """SIGTERM, then SIGKILL to all that is left of its session."""
        with self._ending:
            if not self._open:
                return
            self._open = False
            self._orders.put(None)
            if self._process.poll() is None:
                self._signal(signal.SIGTERM)
                self._gone()
            self._signal(signal.SIGKILL)  # what it started may be there still
            self._process.wait()
            for thread in self._threads:
                thread.join(self._grace)

    def _gone(self) -> bool:
        """Whether it has exited, or does in time."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self._grace)
        return self._process.returncode is not None

    def _fate(self) -> str:
        return f"exited with code {self._process.returncode}" if self._gone() else "closed its stdout"

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    # --- threads: neither side ever waits for the other to read

    def _write(self, stream: IO[bytes]) -> None:
        with suppress(BrokenPipeError), stream:  # its end shows where it is listened to
            while (order := self._orders.get()) is not None:
                stream.write(json.dumps(order).encode() + b"\n")
                stream.flush()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(b"")

    def _note(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._last_words = line.decode(errors="replace").strip() or self._last_words
                self._noted.put(self._last_words)
        self._noted.put(None)

    def _tell(self) -> None:
        """Apart, since a slow log must not keep the last words from being read."""
        while (said := self._noted.get()) is not None:
            _log.warning("%s: %s", self.name, said)


def _begun(work: Callable[..., None], *streams: IO[bytes] | None) -> threading.Thread:
    thread = threading.Thread(target=work, args=streams, daemon=True, name=work.__name__)
    thread.start()
    return thread
