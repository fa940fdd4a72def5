"""A generator at the other end of a connection: what an executor asks of it, in the words of a dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zbo_orchestrator.model import ExecutionError, FatalError, Trajectory, TransientError
from zbo_scpi.connection import Connection
from zbo_scpi.dialect import Dialect
from zbo_scpi.outputs import Output

WAVEFORM = "TRAJECTORY"
"""The name that every upload has in the generator's memory: the next one takes its place."""
COMPLETE, WRONG = 1, 4 | 8 | 16 | 32
"""Bits of the standard event status register: what was notified of is over; the queue holds an error."""
_MOST_ERRORS = 100
_SWITCH = {"ON": 1.0, "OFF": 0.0}


class Driver:
    """Every call raises `TransientError` where the connection fails, and `ExecutionError` with the queue's texts."""

    def __init__(self, connection: Connection, dialect: Dialect, outputs: Sequence[Output]) -> None:
        self.connection = connection
        self._dialect = dialect
        self._outputs = outputs
        self.lease = 0
        """The number that this connection has announced."""

    def identify(self) -> str:
        return self.connection.ask(self._dialect.identify)

    def prepare(self, lease: int) -> None:
        """Announce the lease, 0 for none, and set the connection up; `FatalError` where a newer lease is out."""
        if lease and self._dialect.announce:
            self._say(self._dialect.announce, lease=lease)
            if errors := self.errors():
                raise FatalError(f"{self.connection.name}: lease {lease} was refused: {'; '.join(errors)}")
        self.lease = lease
        self._say(self._dialect.prepare)

    def load(self, trajectory: Trajectory, time_unit: float) -> None:
        """Upload every channel's waveform and set its output up; nothing goes out yet."""
        dialect = self._dialect
        rate = repr(1 / (trajectory.dt * time_unit))
        self._say(dialect.clear)
        for index, output in enumerate(self._outputs):
            words = {"output": output.number, "name": WAVEFORM, "rate": rate, "volts": repr(2 * output.full_scale)}
            samples = output.samples(trajectory.values[:, index], dialect.samples)
            self.connection.upload(dialect.upload.format(**words), samples, big_endian=dialect.big_endian)
            self._say(dialect.setup, **words)
        self.refuse_errors()

    def start(self) -> None:
        """Arm, switch the outputs on and trigger; an error on the way keeps what follows from being sent."""
        self._say(self._dialect.arm)
        self.refuse_errors()
        for output in self._outputs:
            self._say(self._dialect.switch_on, output=output.number)
        self.refuse_errors()
        self._say(self._dialect.trigger)
        self._say(self._dialect.notify)

    def finished(self) -> bool:
        """Whether the run is over; returns at once."""
        events = int(self.connection.number(self._dialect.finished))
        if events & WRONG:
            self.refuse_errors()
        return bool(events & COMPLETE)

    def stop(self) -> None:
        """Nothing runs, every output off with no offset."""
        self._say(self._dialect.stop)
        for output in self._outputs:
            self._say(self._dialect.switch_off, output=output.number)
            self._say(self._dialect.set_offset, output=output.number, volts=0)

    def levels(self) -> Mapping[str, float]:
        """What the outputs are at, as the generator says: `output 1 on` (1 or 0), `output 1 offset` (volts)."""
        read = {}
        for output in self._outputs:
            read[f"output {output.number} on"] = self._switch(output.number)
            if self._dialect.offset:
                offset = self._dialect.offset.format(output=output.number)
                read[f"output {output.number} offset"] = self.connection.number(offset)
        return read

    def make_safe(self) -> Mapping[str, float]:
        """Stop, and read back that it did; `FatalError` where it did not."""
        self.stop()
        levels = self.levels()
        if any(levels.values()):
            said = ", ".join(f"{name} = {value:g}" for name, value in levels.items())
            errors = "; ".join(self.errors()) or "no error in its queue"
            raise FatalError(f"{self.connection.name} was told to switch off and reads {said} ({errors}); wanted 0")
        return levels

    def refuse_switched_off(self) -> None:
        """Raise `ExecutionError` where an output that this run switched on is off."""
        for output in self._outputs:
            if not self._switch(output.number):
                raise ExecutionError(f"{self.connection.name}: output {output.number} was switched off during the run")

    def errors(self) -> list[str]:
        """The queue of errors, which is empty afterwards."""
        found: list[str] = []
        while len(found) < _MOST_ERRORS:
            said = self.connection.ask(self._dialect.error)
            number = said.partition(",")[0]
            if not number.strip().lstrip("+-").isdigit():
                self.connection.close()
                raise TransientError(f"{self.connection.name}: {self._dialect.error}: {said!r}; wanted NUMBER,TEXT")
            if int(number) == 0:
                break
            found.append(said)
        return found

    def refuse_errors(self) -> None:
        """Raise `ExecutionError` with what is in the queue of errors."""
        if errors := self.errors():
            raise ExecutionError(f"{self.connection.name}: {'; '.join(errors)}")

    def status(self) -> float:
        """The status byte."""
        return self.connection.number(self._dialect.status)

    def widest(self) -> list[float]:
        """The largest amplitude of each output from peak to peak, in volts; none where the dialect has no words."""
        if not self._dialect.widest:
            return []
        return [self.connection.number(self._dialect.widest.format(output=each.number)) for each in self._outputs]

    def _switch(self, number: int) -> float:
        said = self.connection.ask(self._dialect.is_on.format(output=number)).upper()
        if said not in {*_SWITCH, "0", "1", "+0", "+1"}:
            self.connection.close()
            raise TransientError(f"{self.connection.name}: {self._dialect.is_on}: {said!r}; wanted 0 or 1")
        return _SWITCH[said] if said in _SWITCH else float(said)

    def _say(self, command: str, **words: object) -> None:
        if command:
            self.connection.write(command.format(**words))
