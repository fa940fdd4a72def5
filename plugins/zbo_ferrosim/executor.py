"""FerroSIM as executors: a trajectory is the field (`ferrosim`) or the lattice itself (`ferrosim-parameters`).

Both are after the FerroSIM process study (Valleti et al. 2022): 20 x 20 cells, tetragonal, k = 100, dep = 0.3, unpoled;
fields of 150 Ec x curve along x, and 50 more steps at the last value, after which the curl of the polarisation is read.
Explicit Euler wants gamma x 2 x coupling x dt < 2: with the study's dt of 4/1199, a coupling below 300.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from zbo_ferrosim.running import Drive, LatticeExecutor
from zbo_ferrosim.simulator import FerroSim
from zbo_orchestrator.model import Array, ConfigurationError, ExecutionError, Run, Trajectory

Waveform = Literal["sine", "triangle"]
PARAMETERS = ("coupling", "depolarization")


@dataclass(frozen=True, kw_only=True)
class FieldExecutor(LatticeExecutor):
    """A ferroelectric lattice under the electric field that the trajectory describes.

    coupling, depolarization   of the lattice
    amplitude                  Ec per unit of the trajectory
    axis                       where a one-channel trajectory points; "both": two channels, x and y in this order

    Measures polarization [component, x, y] and its curl [x, y] at the end, total_polarization [component, time] (the
    sum over sites), the field [component, time] in Ec that was applied, and frames [frame, component, x, y] at
    frame_time [frame]. What counts as executed is the trajectory with its last value held for `hold_steps` more steps.
    """

    coupling: float = 100.0
    depolarization: float = 0.3
    amplitude: float = 150.0
    axis: Literal["x", "y", "both"] = "x"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.axis not in {"x", "y", "both"}:
            raise ConfigurationError(f"axis is {self.axis!r}; wanted x, y or both")
        if not np.isfinite(self.amplitude):
            raise ConfigurationError(f"amplitude is {self.amplitude}; wanted a finite number")
        self._frozen.constants  # noqa: B018  what cannot work says so here, not in the first trial

    @cached_property
    def _frozen(self) -> FerroSim:
        return self.lattice(self.coupling, self.depolarization, self.seed)

    def drive(self, trajectory: Trajectory, run: Run) -> Drive:
        """The field of a trajectory; refuses what is not finite or has one step (`ExecutionError`)."""
        wanted = 2 if self.axis == "both" else 1
        if len(trajectory.channels) != wanted:
            names = ", ".join(channel.name for channel in trajectory.channels)
            raise ConfigurationError(f"axis {self.axis} wants {wanted} channel(s); the trajectory has {names}")
        values = single(trajectory)
        if len(values) < 2 and not self.hold_steps:
            raise ExecutionError("the trajectory has 1 step and hold_steps is 0; wanted at least 2 steps in all")
        held = np.concatenate([values, np.repeat(values[-1:], self.hold_steps, axis=0)])
        simulation = self._frozen if self.disorder == "frozen" else self._drawn(run)
        executed = Trajectory(held, trajectory.dt, trajectory.channels)
        return Drive(simulation, along(self.axis, self.amplitude * held), trajectory.dt, executed)

    def _drawn(self, run: Run) -> FerroSim:
        return self.lattice(self.coupling, self.depolarization, run.seed)


@dataclass(frozen=True, kw_only=True)
class ParameterExecutor(LatticeExecutor):
    """A ferroelectric lattice whose coupling and depolarisation the trajectory sets, under a field fixed here.

    The trajectory is one step of two channels named coupling and depolarization; the field is `cycles` periods of a
    `waveform` of `amplitude` Ec in `steps` steps of `dt`, and `hold_steps` more at its last value. Measures what
    `ferrosim` measures.
    """

    amplitude: float = 80.0
    waveform: Waveform = "sine"
    cycles: Annotated[float, Gt(0)] = 2.0
    steps: Annotated[int, Ge(2)] = 900
    dt: Annotated[float, Gt(0)] = 4 / 1199
    axis: Literal["x", "y"] = "x"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.axis not in {"x", "y"}:
            raise ConfigurationError(f"axis is {self.axis!r}; wanted x or y")
        if self.waveform not in {"sine", "triangle"}:
            raise ConfigurationError(f"waveform is {self.waveform!r}; wanted sine or triangle")
        if not (np.isfinite(self.amplitude) and self.steps >= 2):
            raise ConfigurationError(
                f"amplitude {self.amplitude} in {self.steps} steps; wanted a finite one in 2 or more"
            )
        if not (0 < self.dt < np.inf and 0 < self.cycles < np.inf):
            raise ConfigurationError(f"{self.cycles} cycles with dt {self.dt}; wanted positive, finite numbers")
        self.lattice(1.0, 0.0, self.seed)

    @cached_property
    def fields(self) -> Array:
        """The field [step, 2] in Ec that every trial feels, the hold included."""
        phase = 2 * np.pi * self.cycles * np.linspace(0.0, 1.0, self.steps)
        wave = np.sin(phase) if self.waveform == "sine" else 2 / np.pi * np.arcsin(np.sin(phase))
        held = np.concatenate([wave, np.repeat(wave[-1:], self.hold_steps)])
        return along(self.axis, self.amplitude * held[:, None])

    def drive(self, trajectory: Trajectory, run: Run) -> Drive:
        """The lattice that a trajectory describes; refuses what is not finite (`ExecutionError`)."""
        names = [channel.name for channel in trajectory.channels]
        if sorted(names) != sorted(PARAMETERS) or trajectory.steps != 1:
            wanted = " and ".join(PARAMETERS)
            raise ConfigurationError(f"got {trajectory.steps} step(s) of {', '.join(names)}; wanted 1 of {wanted}")
        coupling, depolarization = (float(single(trajectory)[0, names.index(name)]) for name in PARAMETERS)
        return Drive(self.lattice(coupling, depolarization, run.seed), self.fields, self.dt, trajectory)


def single(trajectory: Trajectory) -> Array:
    """The values [step, channel] of one trajectory, all of them finite."""
    values = trajectory.values
    if values.ndim != 2:
        raise ValueError(f"trajectory has shape {values.shape}; wanted one, [step, channel]")
    if not np.isfinite(values).all():
        step, channel = np.argwhere(~np.isfinite(values))[0]
        name = trajectory.channels[channel].name
        raise ExecutionError(f"{name} is {values[step, channel]} at step {step}; wanted finite numbers")
    return values


def along(axis: str, values: Array) -> Array:
    """values[step, 1 or 2] as a field [step, 2]."""
    fields = np.zeros((len(values), 2))
    fields[:, {"x": slice(0, 1), "y": slice(1, 2), "both": slice(0, 2)}[axis]] = values
    return fields
