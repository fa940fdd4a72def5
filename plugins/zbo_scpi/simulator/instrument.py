"""From a message to its answer: which command is meant, whether it may be given, and what goes wrong with it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from zbo_orchestrator.model import ConfigurationError
from zbo_scpi.dialect import SIMULATED
from zbo_scpi.simulator.common import COMMON
from zbo_scpi.simulator.faults import FAULTS, FIXED, Faults
from zbo_scpi.simulator.fetching import FETCHING
from zbo_scpi.simulator.generator import Generator
from zbo_scpi.simulator.headers import Table, absolute
from zbo_scpi.simulator.requests import Answer, Client, Command, Dropped, Request, Restarting
from zbo_scpi.simulator.status import ScpiError
from zbo_scpi.simulator.syntax import units
from zbo_scpi.simulator.system import SYSTEM, UNPROTECTED
from zbo_scpi.simulator.waveform import WAVEFORM

IDENTITY = f"zbo-orchestrator,{SIMULATED},0,1.0"
_SWITCHES = {"0": "OFF", "1": "ON"}


class Muted(Exception):  # noqa: N818 (ordered, not an error)
    """Nothing is answered on this connection any more."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the instrument answers, in seconds: after `latency`; late after `lateness`; after a restart `downtime`."""

    latency: float = 0.0
    lateness: float = 5.0
    downtime: float = 1.0
    identity: str = IDENTITY
    faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("latency", "lateness", "downtime"):
            if not 0 <= getattr(self, name) < inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)} s; wanted at least 0, and finite")


class Instrument:
    """A generator that understands messages; `faults` are its switches. `ConfigurationError` for an unknown fault."""

    def __init__(self, generator: Generator, behaviour: Behaviour) -> None:
        self.generator = generator
        self._behaviour = behaviour
        self._commands: Mapping[str, Command] = {**COMMON, **SYSTEM, **WAVEFORM, **FETCHING}
        self._table = Table(self._commands)
        self.faults = Faults(self._meant)
        self.identity = behaviour.identity
        self._junk = random.Random(0)
        for fault in behaviour.faults:
            self.faults.switch_on(fault)

    def answer(self, client: Client, message: bytes) -> bytes:
        """What goes back, empty where nothing was asked; errors end up in the client's queue.

        A unit that fails does not keep the next one from being understood. `Dropped`, `Muted` and `Restarting` are
        for whoever holds the connection.
        """
        answers, path = [], ""
        try:
            parsed = units(message)
        except ScpiError as error:
            client.status.note(error)
            return b""
        for unit in parsed:
            header, path = absolute(unit.header, path)
            try:
                answer = self._obey(client, header, unit.arguments)
            except ScpiError as error:
                client.status.note(error)
                continue
            if answer is not None:
                answers.append(answer.encode() if isinstance(answer, str) else answer)
        return b";".join(answers) + b"\n" if answers else b""

    def _obey(self, client: Client, header: str, arguments: tuple[str | bytes, ...]) -> Answer:
        pattern, number = self._table.find(header)
        command = self._commands[pattern]
        if len(arguments) < command.fewest:
            raise ScpiError(-109, header)
        if len(arguments) > command.most:
            raise ScpiError(-108, header)
        self._protect(client, pattern)
        struck = self._struck(pattern, arguments)
        self._suffer(client, struck)
        if "ignore-abort" in struck:
            return None
        with self.generator.lock:
            request = Request(self.generator, self.faults, client, self.identity, number, arguments)
            answer = command.run(request)
        return self._junk.randbytes(12).replace(b"\n", b"?") if "garbage" in struck else answer

    def _protect(self, client: Client, pattern: str) -> None:
        """Refuse a command under a lease that is not the newest; queries, which move nothing, are free to all."""
        if not pattern.endswith("?") and not pattern.startswith(UNPROTECTED) and client.lease < self.generator.lease:
            said = f"lease {client.lease} is older than" if client.lease else "no lease was announced, there is"
            raise ScpiError(-203, f"{said} {self.generator.lease}")

    def _struck(self, pattern: str, arguments: tuple[str | bytes, ...]) -> set[str]:
        first = arguments[0] if arguments else ""
        said = first.upper() if isinstance(first, str) else ""
        names = {pattern, f"{pattern} {_SWITCHES.get(said, said)}"}
        with self.generator.lock:
            return {name for name in FAULTS if name not in FIXED and self.faults.strikes(name, names)}

    def _suffer(self, client: Client, struck: set[str]) -> None:
        if "drop" in struck:
            raise Dropped
        if "hang" in struck:
            raise Muted
        if "restart" in struck:
            raise Restarting
        if "late" in struck:
            client.gone.wait(self._behaviour.lateness)
        if "refuse" in struck:
            raise ScpiError(-221, "refused")

    def _meant(self, header: str) -> str:
        try:
            return self._table.find(header)[0]
        except ScpiError as error:
            raise ConfigurationError(f"fault at {header!r}; wanted the header of a command") from error
