"""The other end of the socket: a thread for each connection, one generator behind all of them."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from zbo_orchestrator.model import ConfigurationError
from zbo_scpi.simulator.generator import Generator
from zbo_scpi.simulator.instrument import Behaviour, Instrument, Muted
from zbo_scpi.simulator.requests import Client, Dropped, Restarting
from zbo_scpi.simulator.status import ScpiError
from zbo_scpi.simulator.syntax import Framer

PORT = 5025
"""The port registered for SCPI over a raw socket."""
_PIECE = 1 << 16


class Simulator:
    """Serves a generator on a TCP port, 0 for a free one; a context manager, or `start` and `close`.

    Raises `ConfigurationError` where the port is taken or a fault is unknown.
    """

    def __init__(
        self,
        generator: Generator,
        behaviour: Behaviour = Behaviour(),  # noqa: B008 (frozen)
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
    ) -> None:
        self.instrument = Instrument(generator, behaviour)
        self._downtime = behaviour.downtime
        self._latency = behaviour.latency
        self._away_until = 0.0
        self._clients: dict[socket.socket, Client] = {}
        self._lock = threading.Lock()
        try:
            self._server = _Server((host, port), self)
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="scpi", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def resource(self) -> str:
        """How VISA calls it."""
        return f"TCPIP::{self.address[0]}::{self.address[1]}::SOCKET"

    @property
    def clients(self) -> tuple[Client, ...]:
        """Who is connected."""
        with self._lock:
            return tuple(self._clients.values())

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Hang up on everyone and stop whatever runs."""
        self._server.shutdown()
        self._server.server_close()
        self._hang_up()
        with self.instrument.generator.lock:
            self.instrument.generator.abort()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self, connection: socket.socket) -> None:
        """Answer one client until it leaves; what it switched on stays on."""
        if time.monotonic() < self._away_until:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._known(connection) as client:
            try:
                self._converse(connection, client)
            except Restarting:
                self._restart()
            except (Dropped, ScpiError, ConnectionError):
                return  # ordered; or a block too large to find its end; or the client left

    def _converse(self, connection: socket.socket, client: Client) -> None:
        try:
            self._answer(connection, client)
        except Muted:
            while connection.recv(_PIECE):
                pass

    def _answer(self, connection: socket.socket, client: Client) -> None:
        framer = Framer()
        while data := connection.recv(_PIECE):
            for message in framer.feed(data):
                answer = self.instrument.answer(client, message)
                if answer:
                    client.gone.wait(self._latency)
                    connection.sendall(answer)

    @contextmanager
    def _known(self, connection: socket.socket) -> Iterator[Client]:
        client, generator = Client(), self.instrument.generator
        with generator.lock:
            generator.attach(client.status)
        with self._lock:
            self._clients[connection] = client
        try:
            yield client
        finally:
            with self._lock:
                del self._clients[connection]
            with generator.lock:
                generator.detach(client.status)

    def _restart(self) -> None:
        self._away_until = time.monotonic() + self._downtime
        with self.instrument.generator.lock:
            self.instrument.generator.power_cycle()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            for connection, client in self._clients.items():
                client.gone.set()
                with suppress(OSError):  # it hung up first
                    connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        super().__init__(address, _Connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server, connection = self.server, self.request
        assert isinstance(server, _Server)
        server.simulator.serve(connection)
