"""A TCP proxy between an executor and its instrument, which can be told to spoil what the instrument answers next."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self, get_args

Fault = Literal["drop", "delay", "garbage", "half an answer", "hang", "refuse"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
LATE = 3.0
"""Seconds that the fault delay holds an answer back."""
AWAY = 1.0
"""Seconds for which the fault refuse takes no connection."""
_PIECE, _POLL = 65536, 0.05


class Proxy:
    """Listens on a free port of this machine and passes everything on; a context manager.

    used     whether anything was connected through it
    struck   whether the fault that was ordered has happened; each happens once
    """

    def __init__(self, host: str, port: int, late: float = LATE) -> None:
        self._instrument, self._late = (host, port), late
        self._fault: Fault | None = None
        self._closed, self._away = threading.Event(), threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self.used = self.struck = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True, name="proxy").start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        for each in [*self._sockets, self._listener]:
            _hang_up(each)

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1::{self._port}::SOCKET"

    def order(self, fault: Fault) -> None:
        """Strike at the instrument's next answer."""
        self._fault = fault

    def _listen(self) -> None:
        while not self._closed.is_set():
            if self._away.is_set():
                self._stay_away()
            self._listener.settimeout(_POLL)
            with suppress(OSError):  # nobody came, or this was closed
                client, _ = self._listener.accept()
                if self._away.is_set():
                    _hang_up(client)
                else:
                    self._connect(client)

    def _stay_away(self) -> None:
        """Refuse connections for a while."""
        self._listener.close()
        self._closed.wait(AWAY)
        if not self._closed.is_set():
            self._listener = socket.create_server(("127.0.0.1", self._port))
        self._away.clear()

    def _connect(self, client: socket.socket) -> None:
        self.used = True
        client.settimeout(None)
        try:
            instrument = socket.create_connection(self._instrument, timeout=5.0)
        except OSError:  # the client sees a connection that ends
            _hang_up(client)
            return
        instrument.settimeout(None)
        self._sockets += [client, instrument]
        for pump in (self._ask, self._answer):
            threading.Thread(target=pump, args=(client, instrument), daemon=True, name="pump").start()

    def _ask(self, client: socket.socket, instrument: socket.socket) -> None:
        with suppress(OSError):  # either end is gone: so is the other
            while piece := client.recv(_PIECE):
                instrument.sendall(piece)
        _hang_up(instrument)

    def _answer(self, client: socket.socket, instrument: socket.socket) -> None:
        with suppress(OSError):
            while piece := instrument.recv(_PIECE):
                fault, self._fault = self._fault, None
                if fault is None:
                    client.sendall(piece)
                elif not self._strike(fault, client, piece):
                    break
        _hang_up(client)

    def _strike(self, fault: Fault, client: socket.socket, piece: bytes) -> bool:
        """Spoil an answer; whether the connection goes on."""
        self.struck = True
        match fault:
            case "drop":
                return False
            case "refuse":
                self._away.set()
                return False
            case "delay":
                self._closed.wait(self._late)
                client.sendall(piece)
            case "garbage":
                client.sendall(b"?!\xff garbage\n")
            case "half an answer":
                client.sendall(piece[: max(1, len(piece) // 2)].rstrip(b"\n"))
                self._closed.wait()
            case "hang":
                self._closed.wait()
        return True


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # it may never have been connected, or be closed already
        end.shutdown(socket.SHUT_RDWR)
    end.close()
