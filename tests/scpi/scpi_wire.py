"""A bare client without VISA, a specimen that answers what it feels, and trajectories for it."""

from __future__ import annotations

import socket
from typing import Self

import numpy as np

from zbo_orchestrator.model import Array, Channel, Measurement, Report, Trajectory

STEPS = 40


class Wire:
    """A socket that speaks as by hand; what takes longer than `timeout` is a `TimeoutError`."""

    def __init__(self, address: tuple[str, int], timeout: float = 5.0) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def say(self, *commands: str) -> None:
        """Send commands and wait until they are understood."""
        for command in commands:
            self.send(command.encode() + b"\n")
        self.ask("SYST:VERS?")

    def ask(self, query: str) -> str:
        self.send(query.encode() + b"\n")
        return self.line()

    def line(self) -> str:
        """The next answer, empty where the other end has hung up."""
        return self._answers.readline().decode("ascii").rstrip("\n")

    def block(self, query: str, dtype: str = ">f8") -> Array:
        self.send(query.encode() + b"\n")
        assert self._answers.read(1) == b"#"
        length = int(self._answers.read(int(self._answers.read(1))))
        values = np.frombuffer(self._answers.read(length), dtype)
        assert self._answers.read(1) == b"\n"
        return values

    def upload(self, command: str, values: Array, dtype: str = ">f8") -> None:
        raw = np.asarray(values).astype(dtype).tobytes()
        size = str(len(raw))
        self.send(f"{command}#{len(size)}{size}".encode() + raw + b"\n")

    def errors(self) -> list[str]:
        """The queue of errors, emptied."""
        found = []
        while not (error := self.ask("SYST:ERR?")).startswith("0,"):
            found.append(error)
        return found

    def load(self, values: Array | None = None) -> None:
        """A waveform in output 1, ready to be armed."""
        self.upload("DATA:ARB W,", ramp()[:, 0] if values is None else values)
        self.say("FUNC:ARB W", "FUNC:ARB:SRAT 100", "VOLT 4")


def ramp(steps: int = STEPS, channels: int = 1) -> Array:
    """Values[step, channel] within -1 .. 1; as float64 bytes they hold line feeds."""
    values = np.linspace(-1, 1, steps)[:, None] * np.linspace(1, 0.5, channels)
    values[3] = np.frombuffer(b"\n" * 8, ">f8")[0]  # about 4e-258
    return values


def trajectory(steps: int = STEPS, dt: float = 0.01) -> Trajectory:
    return Trajectory(ramp(steps), dt, (Channel("field", "150 Ec"),))


def feels(volts: Trajectory, report: Report) -> Measurement:
    """A specimen that answers the volts, and their square as a picture; it holds the last value for two steps more."""
    report(0, volts.steps)
    held = np.concatenate([volts.values, np.repeat(volts.values[-1:], 2, axis=0)])
    arrays = {"felt": volts.values.T, "square": np.outer(volts.values[:5, 0], volts.values[-3:, 0])}
    dims = {"felt": ("output", "time"), "square": ("x", "y")}
    return Measurement(arrays, dims, {"felt": "V", "square": ""}, Trajectory(held, volts.dt, volts.channels))
