"""The executor `scpi-waveform`: a trajectory becomes what an arbitrary-waveform generator puts out."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.instrument import Description, Rehearsal
from zbo_orchestrator.model import (
    ConfigurationError,
    Measurement,
    RefusedError,
    Run,
    Stopped,
    Trajectory,
    TransientError,
)
from zbo_scpi.connection import Opening, check_resource, visa
from zbo_scpi.dialect import SIMULATED, Dialect
from zbo_scpi.driver import Driver
from zbo_scpi.link import Link
from zbo_scpi.outputs import Output, check_channels, check_outputs, envelope_of
from zbo_scpi.rehearsal import StandIn
from zbo_scpi.response import fetch


@dataclass(kw_only=True, eq=False)
class ScpiWaveform:
    """Drives a waveform generator over VISA and reads back what was applied and what was measured.

    resource    its VISA name, such as TCPIP::127.0.0.1::5025::SOCKET
    identity    what it has to answer to *IDN?; empty: whatever answers is driven
    outputs     which output each channel of the trajectory drives, in the channels' order
    read        names of the arrays to read; empty: all in the instrument's catalog
    repeatable  whether running a trial twice harms nothing: true for a simulator, else a decision about the specimen
    time_unit   seconds in the campaign's unit of time
    duration    longest run that the instrument may be asked for, in seconds
    timeout     seconds to wait for any one answer
    poll        seconds between two looks at a run
    slack       seconds beyond its duration after which a run counts as stuck
    reach       seconds within which the instrument has to be reached again to be made safe
    backend     VISA library: @py for pyvisa-py, empty for the one that is installed
    dialect     its commands

    The outputs are off after every trial, however it ends. Trouble with the connection is a `TransientError`, an
    error in the instrument's queue an `ExecutionError`; one that is another than it was, or does not read as off
    after it was told to be, is a `FatalError`.
    """

    resource: str
    identity: str = ""
    outputs: tuple[Output, ...] = (Output(),)
    read: tuple[str, ...] = ()
    repeatable: bool = False
    time_unit: Annotated[float, Gt(0)] = 1.0
    duration: Annotated[float, Gt(0)] = 3600.0
    timeout: Annotated[float, Gt(0)] = 2.0
    poll: Annotated[float, Gt(0)] = 0.02
    slack: Annotated[float, Ge(0)] = 30.0
    reach: Annotated[float, Ge(0)] = 5.0
    backend: str = "@py"
    dialect: Dialect = field(default_factory=Dialect)

    def __post_init__(self) -> None:
        check_resource(self.resource)
        check_outputs(self.outputs)
        if not self.read and not self.dialect.catalog:
            raise ConfigurationError("read is empty and the dialect has no catalog; wanted names of arrays to read")
        for name in ("time_unit", "timeout", "poll", "duration"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted above 0, and finite")
        self._lease = 0
        self._opening: Opening = visa
        self._driver: Driver | None = None
        self._driving = threading.Lock()
        self._aborted = threading.Event()
        self._reason = ""

    def __getstate__(self) -> dict[str, Any]:
        """The options and the lease: a connection stays where it was made."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"_lease": self._lease}

    def __setstate__(self, state: dict[str, Any]) -> None:
        lease = state.pop("_lease")
        self.__init__(**state)  # type: ignore[misc]
        self._lease = lease

    # --- what it is

    def describe(self) -> Description:
        """What it answers to *IDN?, and the stricter of the options' limits and its own."""
        with self._driving:
            driver = self._connected()
            identity, widest = driver.identify(), driver.widest()
        channels = tuple(output.channel for output in self.outputs)
        return Description(identity, channels, self._envelope(widest), simulated=SIMULATED in identity.split(","))

    def check(self, trajectory: Trajectory) -> None:
        """Refuse what the options' limits forbid; `ConfigurationError` where the channels are not the outputs'."""
        if trajectory.values.ndim != 2:
            raise RefusedError(f"trajectory has shape {trajectory.values.shape}; wanted one, [step, channel]")
        check_channels(self.outputs, trajectory)
        self._envelope().refuse(trajectory)

    def _envelope(self, widest: Sequence[float] = ()) -> Envelope:
        return envelope_of(self.outputs, self.time_unit, self.duration / self.time_unit, widest)

    def rehearsal(self, identity: str) -> Rehearsal:
        """The same at the end of a line that leads nowhere, where `identity` answers."""
        twin = replace(self)
        stand_in = StandIn(self.dialect, self.outputs, identity or self.identity or "whatever answers", self.read)
        twin._opening = stand_in.open
        return Rehearsal(twin, stand_in.said, self.time_unit)

    def health(self) -> Mapping[str, float]:
        """Over a connection of its own: seconds to answer, the status byte, what the outputs are at."""
        began = time.monotonic()
        with self._link.fresh() as driver:
            return {"seconds to answer": time.monotonic() - began, "status byte": driver.status(), **driver.levels()}

    # --- its connection

    @property
    def _link(self) -> Link:
        outputs = self.outputs
        return Link(
            self.resource, self.backend, self.timeout, self.identity, self.dialect, outputs, self._lease, self._opening
        )

    def fence(self, number: int) -> None:
        """Drive under this fencing number from now on: the next trial, and whatever makes it safe, announces it."""
        self._lease = number

    def connect(self) -> None:
        with self._driving:
            self._connected()

    def close(self) -> None:
        with self._driving:
            self._forget()

    # --- a trial

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Upload, trigger, wait, read back; the outputs are off again, and read back as off, before it returns."""
        self.check(trajectory)
        with self._driving:
            self._aborted.clear()
            run.report(0, trajectory.steps)
            driver = self._connected()
            try:
                return self._driven(driver, trajectory, run)
            finally:
                self._leave_safe(driver)

    def abort(self, reason: str) -> None:
        """What runs ends by `Stopped`, at the next look at it."""
        self._reason = reason
        self._aborted.set()

    def safe_state(self) -> Mapping[str, float]:
        """Outputs off, offsets 0, over a connection of its own; tries for `reach` seconds to get one."""
        return self._link.make_safe(self.reach)

    def _driven(self, driver: Driver, trajectory: Trajectory, run: Run) -> Measurement:
        driver.load(trajectory, self.time_unit)
        self._obey_abort()
        driver.start()
        self._wait(driver, trajectory, run)
        driver.refuse_switched_off()
        measurement = fetch(driver.connection, self.dialect, self.outputs, trajectory, self.read)
        driver.refuse_errors()
        return measurement

    def _wait(self, driver: Driver, trajectory: Trajectory, run: Run) -> None:
        """Look at the run until it is over, and say how far it should be by now."""
        began, lasts = time.monotonic(), trajectory.duration * self.time_unit
        while not driver.finished():
            passed = time.monotonic() - began
            if passed > lasts + self.slack:
                raise TransientError(f"{self.resource}: a run of {lasts:g} s is not over after {passed:.1f} s")
            run.report(min(int(passed / lasts * trajectory.steps), trajectory.steps), trajectory.steps)
            self._aborted.wait(self.poll)
            self._obey_abort()
        run.report(trajectory.steps, trajectory.steps)

    def _obey_abort(self) -> None:
        if self._aborted.is_set():
            raise Stopped(self._reason)

    def _leave_safe(self, driver: Driver) -> None:
        """Over the connection at hand, else over a new one."""
        if driver.connection.is_open:
            with suppress(TransientError):  # the new connection says whether this is worse than a lost one
                driver.make_safe()
                return
        self.safe_state()

    def _connected(self) -> Driver:
        """The connection that is open, or a new one: one that failed is never used again, nor one of another lease."""
        if self._driver is None or not self._driver.connection.is_open or self._driver.lease != self._lease:
            self._forget()
            self._driver = self._link.open()
        return self._driver

    def _forget(self) -> None:
        if self._driver is not None:
            self._driver.connection.close()
            self._driver = None
