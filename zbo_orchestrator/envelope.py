"""The safety envelope: what a trajectory may do, as numbers, and how far one is from each limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError, RefusedError, Trajectory


@dataclass(frozen=True, slots=True)
class Limits:
    """What one channel may do: stay in lower..upper and change by no more than `slew` per unit of time."""

    lower: float = -np.inf
    upper: float = np.inf
    slew: float = np.inf

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ConfigurationError(f"range {self.lower} .. {self.upper}; wanted lower < upper")
        if not self.slew > 0:
            raise ConfigurationError(f"slew {self.slew}; wanted a positive number")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Limits by channel name, and the longest duration; a quantity without a limit is unbounded.

    Every margin is in the limited quantity's own unit: positive inside, zero on the limit, negative outside.
    """

    channels: Mapping[str, Limits] = field(default_factory=dict)
    duration: float = np.inf

    def __post_init__(self) -> None:
        if not self.duration > 0:
            raise ConfigurationError(f"duration {self.duration}; wanted a positive number")

    def names(self, trajectory: Trajectory) -> tuple[str, ...]:
        """The limits that apply to a trajectory of these channels, in the order of `margins`."""
        known = {channel.name for channel in trajectory.channels}
        for name in self.channels:
            if name not in known:
                raise ConfigurationError(f"envelope limits channel {name!r}; the trajectory has {sorted(known)}")
        per_channel = (f"{c.name}.{limit}" for c in trajectory.channels for limit in ("lower", "upper", "slew"))
        return ("finite", *per_channel, "duration")

    def margins(self, trajectory: Trajectory) -> Array:
        """Distance to every limit, [..., limit]; NaN nowhere: what is not finite has margin -inf."""
        values = trajectory.values
        finite = np.asarray(np.isfinite(values).all(axis=(-1, -2)))
        columns = [np.where(finite, np.inf, -np.inf)]
        for index, channel in enumerate(trajectory.channels):
            limits = self.channels.get(channel.name, Limits())
            curve = np.where(finite[..., None], values[..., index], 0.0)
            room = _slew_room(curve, trajectory.dt, limits.slew)
            columns += [curve.min(-1) - limits.lower, limits.upper - curve.max(-1), room]
        columns.append(np.full(finite.shape, self.duration - trajectory.duration))
        return np.where(finite[..., None], np.stack(columns, axis=-1), -np.inf)

    def refuse(self, trajectory: Trajectory) -> None:
        """Raise `RefusedError` naming every limit that one trajectory breaks, and by how much."""
        broken = [_not_finite(trajectory)] if not np.isfinite(trajectory.values).all() else self._broken(trajectory)
        if broken:
            raise RefusedError(f"outside the envelope: {', '.join(broken)}")

    def _broken(self, trajectory: Trajectory) -> list[str]:
        margins = zip(self.names(trajectory), self.margins(trajectory), strict=True)
        return [f"{name} by {-margin:.4g}" for name, margin in margins if not margin >= 0]


def _slew_room(curve: Array, dt: float, slew: float) -> Array:
    """Slew minus the steepest change of curve[..., step]; a change too large to be a number leaves -inf."""
    if np.isinf(slew):
        return np.full(curve.shape[:-1], np.inf)
    with np.errstate(over="ignore"):
        return np.asarray(slew - np.abs(np.diff(curve, axis=-1)).max(axis=-1, initial=0.0) / dt)


def _not_finite(trajectory: Trajectory) -> str:
    """The first value that is not a number, and where."""
    wrong = np.argwhere(~np.isfinite(trajectory.values))
    step, channel = wrong[0]
    value, name = trajectory.values[step, channel], trajectory.channels[channel].name
    return f"{len(wrong)} values are not finite, the first is {name} = {value} at step {step}"
