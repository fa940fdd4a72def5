"""Ophyd devices by `module:name`, and what is asked of them: every trouble with them is an error of ours."""

from __future__ import annotations

import pkgutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ophyd.status import StatusBase
from ophyd.utils import LimitError, OpException, WaitTimeoutError

from zbo_orchestrator.envelope import Limits
from zbo_orchestrator.model import ConfigurationError, ExecutionError, RefusedError, Stopped, TransientError

SIMULATED = "ophyd.sim"
"""The module whose devices move nothing."""

_LOOK = 0.05
"""Seconds between looks for an abort."""
_POSITIONER = ("set", "stop", "position")
_DETECTOR = ("trigger", "read", "describe")


@contextmanager
def told_by(name: str) -> Iterator[None]:
    """Errors of ophyd as ours: a limit fails the trial, anything else may pass."""
    try:
        yield
    except LimitError as error:
        raise ExecutionError(f"{name}: {error}") from error
    except (OpException, TimeoutError) as error:
        raise TransientError(f"{name}: {type(error).__name__} {error}".rstrip()) from error


@dataclass(frozen=True, slots=True)
class Devices:
    """What moves, and what looks."""

    positioner: Any
    detectors: tuple[Any, ...]

    @classmethod
    def find(cls, positioner: str, detectors: Sequence[str]) -> Devices:
        """Import them; raises `ConfigurationError` for what is none."""
        return cls(_found(positioner, _POSITIONER), tuple(_found(place, _DETECTOR) for place in detectors))

    @property
    def all(self) -> tuple[Any, ...]:
        return (self.positioner, *self.detectors)

    @property
    def simulated(self) -> bool:
        return all(type(device).__module__ == SIMULATED for device in self.all)

    @property
    def identity(self) -> str:
        """The positioner's class, name and prefix."""
        device, kind = self.positioner, type(self.positioner)
        return ",".join([f"{kind.__module__}.{kind.__qualname__}", device.name, getattr(device, "prefix", "")])

    @property
    def limits(self) -> Limits:
        """The positioner's range; ophyd says by lower = upper that there is none."""
        lower, upper = getattr(self.positioner, "limits", (0.0, 0.0))
        return Limits(float(lower), float(upper)) if lower < upper else Limits()

    def check(self, value: float) -> None:
        """Raise `RefusedError` where the positioner would."""
        if hasattr(type(self.positioner), "check_value"):
            try:
                self.positioner.check_value(value)
            except LimitError as error:
                raise RefusedError(f"{self.positioner.name} refuses {value:g}: {error}") from error

    def connect(self, seconds: float) -> None:
        for device in self.all:
            if hasattr(type(device), "wait_for_connection"):
                with told_by(device.name):
                    device.wait_for_connection(timeout=seconds)

    def units(self) -> dict[str, str]:
        """The unit, or nothing, of every field that the detectors measure."""
        said: dict[str, str] = {}
        for detector in self.detectors:
            with told_by(detector.name):
                fields = detector.describe()
            if clash := said.keys() & fields.keys():
                raise ConfigurationError(f"two detectors measure {', '.join(clash)}; wanted a name for each")
            said |= {name: field.get("units") or "" for name, field in fields.items()}
        return said

    def move(self, value: float, seconds: float, aborted: threading.Event) -> float:
        """Set the positioner and wait until it is there; where it then is."""
        name = self.positioner.name
        try:
            with told_by(name):
                settled(self.positioner.set(value), f"{name} on its way to {value:g}", seconds, aborted)
                return float(self.positioner.position)
        except ExecutionError:
            self.positioner.stop()  # it may be on its way still
            raise

    def look(self, seconds: float, aborted: threading.Event) -> Mapping[str, Any]:
        """Trigger every detector; what they read, by field."""
        triggered = []
        for detector in self.detectors:
            with told_by(detector.name):
                triggered.append((detector.trigger(), detector.name))
        said: dict[str, Any] = {}
        for (status, name), detector in zip(triggered, self.detectors, strict=True):
            with told_by(name):
                settled(status, name, seconds, aborted)
                said |= {field: read["value"] for field, read in detector.read().items()}
        return said


def settled(status: StatusBase, name: str, seconds: float, aborted: threading.Event) -> None:
    """Wait for a status to be done, bounded; raises `Stopped` where the trial is aborted meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        if aborted.is_set():
            raise Stopped(f"{name}: aborted")
        try:
            return status.wait(min(_LOOK, max(deadline - time.monotonic(), 0.0)))  # type: ignore[no-any-return]
        except WaitTimeoutError as waiting:
            if time.monotonic() >= deadline:
                raise TransientError(f"{name}: not done after {seconds:g} s") from waiting


def _found(place: str, wanted: Sequence[str]) -> Any:
    try:
        device = pkgutil.resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{place} cannot be imported: {error}") from error
    if missing := [name for name in wanted if not hasattr(type(device), name)]:
        raise ConfigurationError(f"{place} is a {type(device).__name__} without {', '.join(missing)}; wanted a device")
    return device
