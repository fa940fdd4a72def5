"""One VISA connection: text and blocks both ways, every trouble with it a `TransientError` after which it is closed.

After a time-out the next answer on a connection may be the one that came too late: a connection that failed once is
never used again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import pyvisa
from pyvisa.resources import MessageBasedResource

from zbo_orchestrator.model import Array, ConfigurationError, TransientError

Result = TypeVar("Result")
_FAILURES = (pyvisa.errors.Error, OSError, ValueError)
"""VISA's errors, the socket's own (pyvisa-py lets them through), and what cannot be read as what was asked for."""


class Wire(Protocol):
    """What is asked of a VISA resource."""

    def write(self, message: str) -> object: ...

    def query(self, message: str) -> str: ...

    def write_binary_values(self, message: str, values: Any, datatype: Any, is_big_endian: bool) -> object: ...

    def query_binary_values(self, message: str, datatype: Any, is_big_endian: bool, container: Any) -> Any: ...

    def close(self) -> None: ...


Opening = Callable[[str, str, float], Wire]
"""opening(resource, backend, timeout): raises `TransientError` where there is nothing to be opened."""


class Connection:
    """An open connection; raises `TransientError` where none can be had within `timeout` seconds."""

    def __init__(self, resource: str, backend: str, timeout: float, opening: Opening | None = None) -> None:
        self.name = resource
        self._device = (opening or visa)(resource, backend, timeout)
        self._open = True

    @property
    def is_open(self) -> bool:
        return self._open

    def close(self) -> None:
        if self._open:
            self._open = False
            self._device.close()

    def write(self, command: str) -> None:
        self._attempt(command, lambda: self._device.write(command))

    def ask(self, query: str) -> str:
        """The answer's text, without its end."""
        return self._attempt(query, lambda: self._device.query(query).strip())

    def number(self, query: str) -> float:
        """The answer as a finite number."""
        return self._attempt(query, lambda: _number(self._device.query(query)))

    def upload(self, command: str, values: Array, *, big_endian: bool) -> None:
        """Send a command that ends in a block of values, in their own dtype."""
        kind = values.dtype.char
        self._attempt(
            command,
            lambda: self._device.write_binary_values(command, values, datatype=kind, is_big_endian=big_endian),
        )

    def download(self, query: str, *, big_endian: bool) -> Array:
        """A block of float64 [value]."""

        def read() -> Array:
            values = self._device.query_binary_values(
                query, datatype="d", is_big_endian=big_endian, container=np.ndarray
            )
            return np.asarray(values, np.float64)

        return self._attempt(query, read)

    def _attempt(self, command: str, exchange: Callable[[], Result]) -> Result:
        if not self._open:
            raise TransientError(f"{self.name}: the connection is closed; wanted to send {command}")
        try:
            return exchange()
        except _FAILURES as error:
            self.close()
            raise TransientError(f"{self.name}: {command}: {_reason(error)}") from error


def check_resource(resource: str) -> None:
    """Raise `ConfigurationError` for what VISA cannot understand as the name of a resource."""
    try:
        pyvisa.rname.parse_resource_name(resource)
    except pyvisa.rname.InvalidResourceName as error:
        raise ConfigurationError(
            f"resource is {resource!r}; wanted a VISA name such as TCPIP::127.0.0.1::5025::SOCKET"
        ) from error


def visa(resource: str, backend: str, timeout: float) -> Wire:
    """A VISA resource."""
    milliseconds = max(round(timeout * 1000), 1)
    try:
        manager = pyvisa.ResourceManager(backend)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"no VISA library for backend {backend!r}: {error}") from error
    try:
        device = manager.open_resource(resource, open_timeout=milliseconds)
    except Exception as error:  # pyvisa-py says "could not connect" by a bare Exception
        raise TransientError(f"{resource}: {_reason(error)}") from error
    if not isinstance(device, MessageBasedResource):
        device.close()
        raise ConfigurationError(f"{resource} is a {type(device).__name__}; wanted one that takes messages")
    device.timeout = milliseconds
    if resource.upper().endswith("::SOCKET") or resource.upper().startswith("ASRL"):
        device.read_termination = device.write_termination = "\n"  # there a message has no other end
    _tune(device, milliseconds)
    return device


def _tune(device: MessageBasedResource, milliseconds: int) -> None:
    """Make TCP send small messages at once, and give up on an instrument that takes nothing more in.

    Left to itself it holds a query back for some 40 ms after a command, and waits for ever in the middle of an upload.
    pyvisa-py 0.8 has no VISA attribute for either, so its socket is told; another backend has none to tell.
    """
    session = getattr(device.visalib, "sessions", {}).get(device.session)
    wire = getattr(session, "interface", None)
    if isinstance(wire, socket.socket):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux alone
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _number(said: str) -> float:
    number = float(said)
    if not np.isfinite(number):
        raise ValueError(f"{said.strip()!r}; wanted a finite number")
    return number


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
