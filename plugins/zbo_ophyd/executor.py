"""The executor `ophyd`: a trajectory moves a positioner, and detectors look at every step."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, MinLen

from zbo_ophyd.devices import Devices
from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import (
    Array,
    Channel,
    ConfigurationError,
    ExecutionError,
    FatalError,
    Measurement,
    RefusedError,
    Run,
    Stopped,
    Trajectory,
)


@dataclass(kw_only=True, eq=False)
class Ophyd:
    """Moves an ophyd positioner step by step and reads ophyd detectors.

    positioner  what the trajectory's one channel moves, as module:name of a device that the module makes
    detectors   what is triggered and read at every step, likewise
    safe        where the positioner is safe, in its unit
    tolerance   how far from there it may read back, in its unit
    repeatable  whether running a trial twice harms nothing: a decision about the specimen
    time_unit   seconds in the campaign's unit of time
    timeout     seconds that a move, a reading or a connection may take

    Each value is held for dt once it is reached, then the detectors are read: moves and readings come on top. Measures
    [step, ...] under the detectors' own names, and counts as executed where the positioner was. It stays where the last
    step left it. What ophyd complains of is a `TransientError`, and a limit met on the way an `ExecutionError`.
    """

    positioner: str
    detectors: Annotated[tuple[str, ...], MinLen(1)]
    safe: float
    tolerance: Annotated[float, Gt(0)] = 1e-3
    repeatable: bool = False
    time_unit: Annotated[float, Gt(0)] = 1.0
    timeout: Annotated[float, Gt(0)] = 10.0

    runs_code: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for place in (self.positioner, *self.detectors):
            if not all(place.partition(":")):
                raise ConfigurationError(f"device is {place!r}; wanted module:name")
        if not self.detectors:
            raise ConfigurationError("detectors are empty; wanted one or more, each module:name")
        for name in ("tolerance", "time_unit", "timeout"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted above 0, and finite")
        if not np.isfinite(self.safe):
            raise ConfigurationError(f"safe is {self.safe}; wanted a finite position")
        self._found: Devices | None = None
        self._driving = threading.Lock()
        self._aborted = threading.Event()
        self._reason = ""

    def __getstate__(self) -> dict[str, Any]:
        """The options: every process finds the devices for itself."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    # --- what it is

    def describe(self) -> Description:
        devices = self._connected()
        limits = devices.limits
        if not limits.lower <= self.safe <= limits.upper:
            raise ConfigurationError(f"safe is {self.safe:g}; wanted {limits.lower:g} to {limits.upper:g}")
        return Description(devices.identity, (self._channel(),), self._envelope(), simulated=devices.simulated)

    def check(self, trajectory: Trajectory) -> None:
        """Refuse what the positioner's range forbids, or the positioner itself where it is asked."""
        if trajectory.values.ndim != 2 or len(trajectory.channels) != 1:
            raise RefusedError(f"trajectory has shape {trajectory.values.shape}; wanted [step, 1 channel]")
        self._envelope().refuse(trajectory)
        for value in np.unique(trajectory.values):
            self._devices().check(float(value))

    def _channel(self) -> Channel:
        device = self._devices().positioner
        return Channel(device.name, getattr(device, "egu", "") or "")

    def _envelope(self) -> Envelope:
        return Envelope({self._channel().name: self._devices().limits})

    # --- its connection

    def connect(self) -> None:
        self._connected()

    def close(self) -> None:
        """The devices belong to their module, which keeps them for the next call."""

    def stage(self) -> None:
        for device in self._devices().all:
            if hasattr(type(device), "stage"):
                device.stage()

    def unstage(self) -> None:
        for device in self._devices().all:
            if hasattr(type(device), "unstage"):
                device.unstage()

    def _devices(self) -> Devices:
        if self._found is None:
            self._found = Devices.find(self.positioner, self.detectors)
        return self._found

    def _connected(self) -> Devices:
        self._devices().connect(self.timeout)
        return self._devices()

    # --- a trial

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Move, hold, look, step by step; an abort stops the positioner on its way."""
        self.check(trajectory)
        with self._driving:
            self._aborted.clear()
            return self._driven(self._connected(), trajectory, run)

    def _driven(self, devices: Devices, trajectory: Trajectory, run: Run) -> Measurement:
        name, units = self._channel().name, devices.units()
        run.report(0, trajectory.steps)
        positions, readings = [], []
        for step, value in enumerate(trajectory.values[:, 0], start=1):
            self._obey_abort()
            try:
                positions.append(devices.move(float(value), self.timeout, self._aborted))
                self._aborted.wait(trajectory.dt * self.time_unit)
                readings.append(devices.look(self.timeout, self._aborted))
            except ExecutionError:
                self._obey_abort()
                raise
            run.report(step, trajectory.steps, **{name: positions[-1]})
        self._obey_abort()
        executed = Trajectory(np.array(positions)[:, None], trajectory.dt, trajectory.channels)
        arrays = {field: _stacked(field, readings) for field in units}
        dims = {field: ("step", *(f"{field}_{axis}" for axis in range(1, each.ndim))) for field, each in arrays.items()}
        return Measurement(arrays, dims, {field: unit for field, unit in units.items() if unit}, executed)

    def _obey_abort(self) -> None:
        if self._aborted.is_set():
            raise Stopped(self._reason)

    def abort(self, reason: str) -> None:
        """What runs ends by `Stopped`, its positioner stopped."""
        self._reason = reason
        self._aborted.set()
        if self._found is not None:
            self._found.positioner.stop()

    def safe_state(self) -> Mapping[str, float]:
        """Move to where it is safe; raises `FatalError` where it does not read back there."""
        try:
            devices = self._connected()
            position = devices.move(self.safe, self.timeout, threading.Event())
        except ExecutionError as error:
            raise FatalError(f"the safe state cannot be reached: {error}") from error
        if not abs(position - self.safe) <= self.tolerance:
            raise FatalError(f"{self.positioner} reads {position:g}; wanted {self.safe:g} within {self.tolerance:g}")
        return {self._channel().name: position}


def _stacked(field: str, readings: Sequence[Mapping[str, Any]]) -> Array:
    """A field of all steps as [step, ...]."""
    try:
        array = np.array([reading[field] for reading in readings])
    except ValueError as ragged:
        raise ExecutionError(f"{field} changes its shape from step to step; wanted one shape") from ragged
    if array.dtype.kind not in "biufc":
        raise ExecutionError(f"{field} reads {readings[0][field]!r}; wanted numbers")
    return array
