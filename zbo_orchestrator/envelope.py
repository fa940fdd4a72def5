"""The safety envelope: what a trajectory may do, as numbers, and how far one is from each limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from zbo_orchestrator.model import Array, Channel, ConfigurationError, RefusedError, Trajectory


@dataclass(frozen=True, slots=True)
class Limits:
    """What one channel may do, in its own unit and the campaign's unit of time.

    lower, upper   the range it stays in
    slew           largest change per unit of time
    step           largest change from one value to the next, however long each is held
    energy         largest signal energy, the integral of the square: sum(values**2) * dt
    """

    lower: float = -np.inf
    upper: float = np.inf
    slew: float = np.inf
    step: float = np.inf
    energy: float = np.inf

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ConfigurationError(f"range {self.lower} .. {self.upper}; wanted lower < upper")
        for name in _CHANGES:
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} {getattr(self, name)}; wanted a positive number")

    def stricter(self, other: Limits) -> Limits:
        """What both allow."""
        least = {name: min(getattr(self, name), getattr(other, name)) for name in ("upper", *_CHANGES)}
        return Limits(max(self.lower, other.lower), **least)

    @property
    def names(self) -> tuple[str, ...]:
        """Range and slew always; step and energy where they are limited."""
        return ("lower", "upper", "slew", *(name for name in ("step", "energy") if np.isfinite(getattr(self, name))))

    def margins(self, curve: Array, dt: float) -> list[Array]:
        """Distances of curve[..., step] to the limits, each [...], in the order of `names`."""
        rooms: dict[str, Callable[[], Array]] = {
            "lower": lambda: curve.min(-1) - self.lower,
            "upper": lambda: self.upper - curve.max(-1),
            "slew": lambda: _room(self.slew, _largest_change(curve) / dt),
            "step": lambda: _room(self.step, _largest_change(curve)),
            "energy": lambda: _room(self.energy, np.square(curve).sum(-1) * dt),
        }
        with np.errstate(over="ignore"):  # what is too large to be a number leaves -inf
            return [rooms[name]() for name in self.names]


_CHANGES = ("slew", "step", "energy")


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
        per_channel = (f"{c.name}.{limit}" for c in trajectory.channels for limit in self._of(c).names)
        return ("finite", *per_channel, "duration")

    def margins(self, trajectory: Trajectory) -> Array:
        """Distance to every limit, [..., limit]; NaN nowhere: what is not finite has margin -inf."""
        values = trajectory.values
        finite = np.asarray(np.isfinite(values).all(axis=(-1, -2)))
        columns = [np.where(finite, np.inf, -np.inf)]
        for index, channel in enumerate(trajectory.channels):
            curve = np.where(finite[..., None], values[..., index], 0.0)
            columns += self._of(channel).margins(curve, trajectory.dt)
        columns.append(np.full(finite.shape, self.duration - trajectory.duration))
        return np.where(finite[..., None], np.stack(columns, axis=-1), -np.inf)

    def stricter(self, other: Envelope) -> Envelope:
        """What both allow; raises `ConfigurationError` naming the channel for which that is nothing."""
        merged = {}
        for name in {**self.channels, **other.channels}:
            try:
                merged[name] = self.channels.get(name, Limits()).stricter(other.channels.get(name, Limits()))
            except ConfigurationError as empty:
                raise ConfigurationError(f"two envelopes leave channel {name!r} nothing: {empty}") from empty
        return Envelope(merged, min(self.duration, other.duration))

    def refuse(self, trajectory: Trajectory) -> None:
        """Raise `RefusedError` naming every limit that one trajectory breaks, and by how much."""
        broken = [_not_finite(trajectory)] if not np.isfinite(trajectory.values).all() else self._broken(trajectory)
        if broken:
            raise RefusedError(f"outside the envelope: {', '.join(broken)}")

    def _of(self, channel: Channel) -> Limits:
        return self.channels.get(channel.name, Limits())

    def _broken(self, trajectory: Trajectory) -> list[str]:
        margins = zip(self.names(trajectory), self.margins(trajectory), strict=True)
        return [f"{name} by {-margin:.4g}" for name, margin in margins if not margin >= 0]


def _largest_change(curve: Array) -> Array:
    return np.asarray(np.abs(np.diff(curve, axis=-1)).max(axis=-1, initial=0.0))


def _room(limit: float, reached: Array) -> Array:
    """limit - reached; infinite where there is no limit, whatever was reached."""
    return np.full(np.shape(reached), np.inf) if np.isinf(limit) else np.asarray(limit - reached)


def _not_finite(trajectory: Trajectory) -> str:
    """The first value that is not a number, and where."""
    wrong = np.argwhere(~np.isfinite(trajectory.values))
    step, channel = wrong[0]
    value, name = trajectory.values[step, channel], trajectory.channels[channel].name
    return f"{len(wrong)} values are not finite, the first is {name} = {value} at step {step}"
