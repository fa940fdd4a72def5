"""The proxy: everything passes, and each fault spoils exactly one answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from zbo_orchestrator.certification.proxy import FAULTS, Fault, Proxy


@pytest.fixture
def instrument() -> Iterator[int]:
    """The port of what answers every line with the same line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(client,), daemon=True).start()

        def echo(client: socket.socket) -> None:
            with client, client.makefile("rb") as lines:
                for line in lines:
                    client.sendall(line)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def asked(connection: socket.socket, word: str) -> bytes:
    """One answer; empty where the other end hung up."""
    connection.sendall(word.encode() + b"\n")
    return connection.recv(100)


def reached(proxy: Proxy, timeout: float = 5.0) -> socket.socket:
    _, host, port, _ = proxy.resource.split("::")
    return socket.create_connection((host, int(port)), timeout)


def answered(proxy: Proxy) -> bytes:
    """What a new connection is answered; empty where there is none, or it ends."""
    try:
        with reached(proxy) as connection:
            return asked(connection, "anybody there?")
    except ConnectionError:
        return b""


def test_without_an_order_everything_passes(instrument: int) -> None:
    with Proxy("127.0.0.1", instrument) as proxy, reached(proxy) as one, reached(proxy) as other:
        assert [asked(one, "1"), asked(other, "2"), asked(one, "3")] == [b"1\n", b"2\n", b"3\n"]
        assert proxy.used
        assert not proxy.struck


SPOILT: dict[Fault, bytes | type[Exception]] = {
    "drop": b"",
    "delay": b"0123456789\n",
    "garbage": b"?!\xff garbage\n",
    "half an answer": b"01234",
    "hang": TimeoutError,
    "refuse": b"",
}


def test_every_fault_is_here() -> None:
    assert set(SPOILT) == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_spoils_one_answer_and_a_new_connection_is_whole(fault: Fault, instrument: int) -> None:
    with Proxy("127.0.0.1", instrument, late=0.05) as proxy, reached(proxy, 0.5) as struck:
        assert asked(struck, "before") == b"before\n"
        proxy.order(fault)
        spoilt = SPOILT[fault]
        if isinstance(spoilt, bytes):
            assert asked(struck, "0123456789") == spoilt
        else:
            with pytest.raises(spoilt):
                asked(struck, "0123456789")
        assert proxy.struck
        if fault == "refuse":
            assert answered(proxy) == b""
            while proxy._away.is_set():
                proxy._closed.wait(0.05)
        with reached(proxy) as fresh:
            assert asked(fresh, "after") == b"after\n"


def test_an_instrument_that_is_gone_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy("127.0.0.1", port) as proxy, reached(proxy) as connection:
        assert connection.recv(1) == b""
