"""What every trajectory of a decoder has in common: length, time step and channels, as plain arrays and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zbo_orchestrator.model import Array, Channel, ConfigurationError, Trajectory


@dataclass(frozen=True, slots=True)
class Signature:
    """Turns flat decoder output [n, step x channel] into trajectories and back; steps vary slowest."""

    steps: int
    dt: float
    channels: tuple[Channel, ...]

    @classmethod
    def of(cls, trajectory: Trajectory) -> Signature:
        return cls(trajectory.steps, trajectory.dt, trajectory.channels)

    @classmethod
    def read(cls, arrays: Mapping[str, Array]) -> Signature:
        names, units = wanted(arrays, "channel_names"), wanted(arrays, "channel_units")
        channels = tuple(Channel(str(name), str(unit)) for name, unit in zip(names, units, strict=True))
        return cls(int(wanted(arrays, "steps")), float(wanted(arrays, "dt")), channels)

    @property
    def arrays(self) -> dict[str, Array]:
        return {
            "steps": np.array(self.steps),
            "dt": np.array(self.dt),
            "channel_names": np.array([channel.name for channel in self.channels], dtype=np.str_),
            "channel_units": np.array([channel.unit for channel in self.channels], dtype=np.str_),
        }

    def trajectory(self, flat: Array) -> Trajectory:
        return Trajectory(flat.reshape(len(flat), self.steps, len(self.channels)), self.dt, self.channels)

    def flat(self, trajectory: Trajectory) -> Array:
        """[n, step x channel] of a batch or a single trajectory; refuses one of another length or other channels."""
        names = [channel.name for channel in trajectory.channels]
        mine = [channel.name for channel in self.channels]
        if trajectory.steps != self.steps or names != mine:
            raise ConfigurationError(
                f"trajectory has {trajectory.steps} steps of channels {names}; wanted {self.steps} steps of {mine}"
            )
        return trajectory.values.reshape(-1, self.steps * len(self.channels))


def wanted(arrays: Mapping[str, Array], name: str) -> Array:
    """One array of a stored decoder; says so where it is missing."""
    if name not in arrays:
        raise ConfigurationError(f"the stored decoder holds {sorted(arrays)}; wanted {name!r} among them")
    return np.asarray(arrays[name])


def points(z: Array, dimension: int) -> Array:
    """Latent points as float64 [n, d]; refuses another dimension."""
    array = np.asarray(z, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != dimension:
        raise ValueError(f"latent points have shape {array.shape}; wanted [n, {dimension}]")
    return array
