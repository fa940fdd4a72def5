"""The microscope as an executor: a trajectory is a stage position, and its measurement the hysteresis loop there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import numpy as np
from annotated_types import Ge

from zbo_microscope.scans import Mexpsimu, Scan, Source
from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Channel, ConfigurationError, ExecutionError, Measurement, Run, Trajectory

AXES = ("x", "y")


@dataclass(frozen=True, kw_only=True)
class MicroscopeExecutor:
    """A scanning probe that moves to a position, sweeps the bias and records the response: from a recorded scan.

    The trajectory is one step of two channels named x and y. What is measured, and counts as executed, is the scan's
    nearest point.

    scan      where the loops come from
    seconds   that a loop takes on the instrument: measured with every loop, for what a campaign saves
    sleep     whether a trial takes that long here too
    noise     standard deviation of what is added to the response, in its unit; drawn by the trial's seed and the point

    Measures bias [step] in V, response [step] and seconds, one number.
    """

    scan: Source = field(default_factory=Mexpsimu)
    seconds: Annotated[float, Ge(0)] = 2.35
    sleep: bool = False
    noise: Annotated[float, Ge(0)] = 0.0

    repeatable = True
    capacity = 256

    def __post_init__(self) -> None:
        for name in ("seconds", "noise"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted a finite number of at least 0")
        self.recorded  # noqa: B018  what cannot be read says so here, not in the first trial

    @cached_property
    def recorded(self) -> Scan:
        """The scan that answers for the specimen."""
        return self.scan.load()

    def describe(self) -> Description:
        scan = self.recorded
        limits = {axis: Limits(0.0, side) for axis, side in zip(AXES, scan.size, strict=True)}
        channels = tuple(Channel(axis, scan.unit) for axis in AXES)
        return Description(f"recorded scan {scan.name}", channels, Envelope(limits), simulated=True)

    def check(self, trajectory: Trajectory) -> None:
        """Raise `RefusedError` for a position outside the scanned area."""
        self._pixel(trajectory)

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Measure one loop; raises `RefusedError` outside the scanned area."""
        row, column = self._pixel(trajectory)
        run.report(0, 1)
        if self.sleep:
            time.sleep(self.seconds)
        response = self.recorded.response[row, column]
        if self.noise:
            response = response + np.random.default_rng([run.seed, row, column]).normal(0, self.noise, response.shape)
        place = dict(zip(AXES, self.recorded.position(row, column), strict=True))
        executed = np.array([[place[channel.name] for channel in trajectory.channels]])
        return Measurement(
            {"bias": self.recorded.bias, "response": response, "seconds": np.array(self.seconds)},
            {"bias": ("step",), "response": ("step",)},
            {"bias": "V", "seconds": "s"},
            Trajectory(executed, trajectory.dt, trajectory.channels),
        )

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        """Yield (index, measurement or error) of one position after another."""
        for index, (trajectory, run) in enumerate(zip(trajectories, runs, strict=True)):
            try:
                measurement = self.execute(trajectory, run)
            except ExecutionError as error:
                yield index, error
            else:
                yield index, measurement

    def _pixel(self, trajectory: Trajectory) -> tuple[int, int]:
        names = [channel.name for channel in trajectory.channels]
        if sorted(names) != sorted(AXES) or trajectory.values.shape != (1, 2):
            raise ConfigurationError(f"got {trajectory.steps} step(s) of {', '.join(names)}; wanted 1 of x and y")
        x, y = (float(trajectory.values[0, names.index(axis)]) for axis in AXES)
        return self.recorded.pixel(x, y)
