"""Trajectory families: the parametrised curves a library is drawn from.

A formula draws one channel; a library of several channels asks it once a channel, independently. `draw` returns the
curves in the family's own units, before scaling and noise (both are applied by `library.py`, in that order).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt

from zbo_orchestrator.decoders.curve_files import read_curves, resampled
from zbo_orchestrator.model import Array, ConfigurationError

Scale = Literal["curve", "family", "none"]
"""How raw values reach the bounds: stretch each curve to fill them, stretch the family as a whole, or leave alone."""

Range = tuple[float, float]
"""Ends of a parameter's range; the draw is uniform between them."""

Count = Annotated[int, Gt(0)]
Noise = Annotated[float, Ge(0)]
"""Standard deviation of the noise added after scaling, as a share of half the bounds' width."""


class Family(Protocol):
    """A source of curves; `independent` says that each channel is drawn on its own."""

    name: ClassVar[str]
    independent: ClassVar[bool]

    @property
    def scale(self) -> Scale: ...

    @property
    def noise(self) -> float: ...

    def draw(self, rng: np.random.Generator, steps: int) -> Array:
        """Curves [curve, at least `steps`, channel] in raw units; the library keeps the first `steps` after scaling."""
        ...


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Hold `start` for `plateau` steps, go down in a straight line over `ramp` steps, hold `stop`.

    One parameter moves all four from the first to the second end of their ranges (Biswas et al. 2023, "linear
    cooldown"); the library covers it evenly, in random order. `ramp` and `plateau` are in steps.
    """

    name: ClassVar[str] = "cooldown"
    independent: ClassVar[bool] = True

    count: Count
    scale: Scale = "none"
    noise: Noise = 0.0
    start: Range = (50.0, 30.0)
    stop: Range = (5.0, 1.0)
    ramp: Range = (80.0, 1.0)
    plateau: Range = (20.0, 1.0)

    def __post_init__(self) -> None:
        for option in ("ramp", "plateau"):
            if min(getattr(self, option)) < 0:
                raise ConfigurationError(f"cooldown: {option} is {getattr(self, option)} steps; wanted none below 0")
        if min(self.ramp) == 0:
            raise ConfigurationError(f"cooldown: ramp is {self.ramp} steps; wanted both above 0")

    def draw(self, rng: np.random.Generator, steps: int) -> Array:
        longest = max(self.ramp[end] + self.plateau[end] for end in (0, 1))
        if longest > steps:
            raise ConfigurationError(
                f"cooldown: plateau and ramp take up to {longest:g} steps; wanted at most the library's {steps}"
            )
        share = rng.permutation(np.linspace(0.0, 1.0, self.count))[:, None]
        start, stop, ramp, plateau = (_between(r, share) for r in (self.start, self.stop, self.ramp, self.plateau))
        progress = np.clip((np.arange(steps) - plateau) / ramp, 0.0, 1.0)
        return np.asarray(start + (stop - start) * progress)[..., None]


@dataclass(frozen=True, slots=True)
class Segmented:
    """Straight lines between `knots` interior points at random times and the two ends, all at random heights."""

    name: ClassVar[str] = "segmented"
    independent: ClassVar[bool] = True

    count: Count
    scale: Scale = "curve"
    noise: Noise = 0.02
    knots: Annotated[int, Ge(0)] = 2
    height: Range = (1.0, 50.0)

    def __post_init__(self) -> None:
        _ascending("segmented", height=self.height)

    def draw(self, rng: np.random.Generator, steps: int) -> Array:
        ends = np.zeros((self.count, 1)), np.ones((self.count, 1))
        interior = np.sort(rng.random((self.count, self.knots)), axis=1)
        times = np.concatenate([ends[0], interior, ends[1]], axis=1)
        heights = rng.uniform(*self.height, (self.count, self.knots + 2))
        grid = np.linspace(0.0, 1.0, steps)
        curves = [np.interp(grid, t, h) for t, h in zip(times, heights, strict=True)]
        return np.stack(curves)[..., None]


@dataclass(frozen=True, slots=True)
class Periodic:
    """A exp(growth x) cos(frequency x) + drift x, for x on [0, `duration`], A log-normal (Biswas et al. 2023)."""

    name: ClassVar[str] = "periodic"
    independent: ClassVar[bool] = True

    count: Count
    scale: Scale = "curve"
    noise: Noise = 0.0
    log_amplitude_mean: float = 1.0
    log_amplitude_deviation: Annotated[float, Ge(0)] = 1.0
    growth: Range = (-2.0, 2.0)
    frequency: Range = (8.0, 14.0)
    drift: Range = (-1.0, 1.0)
    duration: Annotated[float, Gt(0)] = 2.0

    def __post_init__(self) -> None:
        _ascending("periodic", growth=self.growth, frequency=self.frequency, drift=self.drift)

    def draw(self, rng: np.random.Generator, steps: int) -> Array:
        x = np.linspace(0.0, self.duration, steps)
        amplitude = rng.lognormal(self.log_amplitude_mean, self.log_amplitude_deviation, (self.count, 1))
        growth, frequency, drift = _uniform(rng, self.count, self.growth, self.frequency, self.drift)
        return np.asarray(amplitude * np.exp(growth * x) * np.cos(frequency * x) + drift * x)[..., None]


@dataclass(frozen=True, slots=True)
class ModulatedSine:
    """A exp(growth t) cos(frequency t) + offset, for t on [0, `duration`] (Valleti et al. 2022).

    `points` instants are drawn and scaled, and the library keeps the first `steps` of them: the study draws 1200 and
    keeps 900, so a kept curve need not touch both bounds. None draws exactly `steps`.
    """

    name: ClassVar[str] = "modulated-sine"
    independent: ClassVar[bool] = True

    count: Count
    scale: Scale = "curve"
    noise: Noise = 0.02
    amplitude: Range = (0.0, 0.75)
    growth: Range = (-2.75, 2.75)
    frequency: Range = (2 * pi, 8 * pi / 3)
    offset: Range = (-0.5, 0.5)
    duration: Annotated[float, Gt(0)] = 4.0
    points: Annotated[int, Gt(1)] | None = None

    def __post_init__(self) -> None:
        _ascending(
            "modulated-sine",
            amplitude=self.amplitude,
            growth=self.growth,
            frequency=self.frequency,
            offset=self.offset,
        )

    def parameters(self, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
        """A, growth, frequency and offset of every curve, each [curve, 1]: what `draw` uses for the same rng."""
        a, g, f, o = _uniform(rng, self.count, self.amplitude, self.growth, self.frequency, self.offset)
        return a, g, f, o

    def curves(self, amplitude: Array, growth: Array, frequency: Array, offset: Array, points: int) -> Array:
        """The formula itself: parameters [curve, 1] -> [curve, points, 1]."""
        t = np.linspace(0.0, self.duration, points)
        return np.asarray(amplitude * np.exp(growth * t) * np.cos(frequency * t) + offset)[..., None]

    def draw(self, rng: np.random.Generator, steps: int) -> Array:
        points = self.points or steps
        if points < steps:
            raise ConfigurationError(f"modulated-sine: points is {points}; wanted at least the library's {steps} steps")
        return self.curves(*self.parameters(rng), points)


@dataclass(frozen=True, slots=True)
class File:
    """A user's own curves: .npy and .npz hold [curve, step] or [curve, step, channel], .csv one curve a row.

    `key` names the array of an .npz that has several. Without `count` every curve is used; with it, that many are
    picked at random. `resample` fits curves of another length to the library's steps by straight lines.
    """

    name: ClassVar[str] = "file"
    independent: ClassVar[bool] = False

    path: Path
    count: Count | None = None
    scale: Scale = "none"
    noise: Noise = 0.0
    key: str | None = None
    resample: bool = False

    def draw(self, rng: np.random.Generator, steps: int) -> Array:
        curves = read_curves(Path(self.path).expanduser(), self.key)
        if self.count is not None:
            curves = curves[np.sort(self._picked(rng, len(curves), self.count))]
        if curves.shape[1] != steps and not self.resample:
            raise ConfigurationError(
                f"{self.path} has curves of {curves.shape[1]} steps; wanted {steps} (or set resample: true)"
            )
        return resampled(curves, steps)

    def _picked(self, rng: np.random.Generator, available: int, count: int) -> Array:
        if count > available:
            raise ConfigurationError(f"{self.path} holds {available} curves; wanted count: {count}")
        return rng.choice(available, count, replace=False)


def _between(ends: Range, share: Array) -> Array:
    return np.asarray(ends[0] + (ends[1] - ends[0]) * share)


def _uniform(rng: np.random.Generator, count: int, *ranges: Range) -> tuple[Array, ...]:
    return tuple(rng.uniform(*ends, (count, 1)) for ends in ranges)


def _ascending(family: str, **ranges: Range) -> None:
    for option, (lower, upper) in ranges.items():
        if not lower <= upper:
            raise ConfigurationError(f"{family}: {option} runs from {lower} to {upper}; wanted lower <= upper")
