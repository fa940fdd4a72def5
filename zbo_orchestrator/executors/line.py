"""A line between two processes: messages, and heartbeats that tell a quiet process from a hung one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_BEAT = "beat"


class Line:
    """One end of a connection; several threads may send, one receives.

    `send` and `receive` raise `EOFError` where the other end is gone.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._heard = time.monotonic()
        self._closed = threading.Event()

    def send(self, message: Any) -> None:
        try:
            with self._sending:
                self._connection.send(message)
        except OSError as gone:
            raise EOFError(str(gone)) from gone

    def receive(self, timeout: float | None = None) -> Any:
        """The next message, beats left out; None where none came in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while self._connection.poll(None if deadline is None else max(0.0, deadline - time.monotonic())):
                message = self._connection.recv()
                self._heard = time.monotonic()
                if message != _BEAT:
                    return message
        except OSError as gone:
            raise EOFError(str(gone)) from gone
        return None

    @property
    def silence(self) -> float:
        """Seconds since the other end was heard last."""
        return time.monotonic() - self._heard

    def hear(self) -> None:
        """Count silence from now."""
        self._heard = time.monotonic()

    def beat(self, every: float, busy: Callable[[], bool] = lambda: True) -> None:
        """From now on say in a thread of its own, while `busy`, that this process lives."""
        threading.Thread(target=self._beat, args=(every, busy), daemon=True, name="heartbeat").start()

    def close(self) -> None:
        self._closed.set()
        with self._sending:  # or a beat under way might go to whatever gets the descriptor next
            self._connection.close()

    def _beat(self, every: float, busy: Callable[[], bool]) -> None:
        while not self._closed.wait(every):
            if busy():
                try:
                    self.send(_BEAT)
                except EOFError:  # whoever receives learns of it
                    return
