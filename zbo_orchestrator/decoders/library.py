"""Trajectory libraries: curves of several families, scaled into the campaign's bounds.

Order, for each family: draw raw curves, scale them, drop those outside the bounds, add noise, keep the first `steps`.
Noise comes last, so the values of a noisy library exceed the bounds by a few of its standard deviations: a library
teaches a decoder shapes; what may be executed is the envelope's business.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast
from zlib import crc32

import numpy as np

from zbo_orchestrator.decoders.families import Family
from zbo_orchestrator.model import Array, Channel, ConfigurationError, Trajectory

log = logging.getLogger(__name__)

Pair = tuple[float, float]
Bounds = Pair | Sequence[Pair]
"""One (lower, upper) for all channels, or one for each."""


class Library(NamedTuple):
    """Curves as a batch, and the name of the family each came from."""

    curves: Trajectory
    labels: tuple[str, ...]


def draw_library(
    families: Sequence[Family], *, steps: int, dt: float, channels: tuple[Channel, ...], bounds: Bounds, seed: int
) -> Trajectory:
    """All curves of all families, in the order of the families; the same seed draws the same library."""
    return draw_labelled(families, steps=steps, dt=dt, channels=channels, bounds=bounds, seed=seed).curves


def draw_labelled(
    families: Sequence[Family], *, steps: int, dt: float, channels: tuple[Channel, ...], bounds: Bounds, seed: int
) -> Library:
    """As `draw_library`, with each curve's family; two families of one kind are told apart by a number.

    A family's random numbers depend on the seed, its kind and how many of its kind come before it: adding or removing
    a family of another kind leaves its curves as they were.
    """
    if not families:
        raise ConfigurationError("the library has no families; wanted at least one")
    if not (steps > 0 and np.isfinite(dt) and dt > 0):
        raise ConfigurationError(f"the library has {steps} steps of dt {dt}; wanted both above 0")
    limits = _checked(bounds, len(channels))
    batches, labels = [], []
    for label, entropy, family in _numbered(families):
        batch = _batch(label, family, [seed, *entropy], steps, limits)
        batches.append(batch)
        labels += [label] * len(batch)
    return Library(Trajectory(np.concatenate(batches), dt, channels), tuple(labels))


def _checked(bounds: Bounds, channels: int) -> Array:
    """Bounds as [channel, 2]."""
    limits = np.array(bounds, dtype=np.float64)
    if limits.shape == (2,):
        limits = np.tile(limits, (channels, 1))
    if limits.shape != (channels, 2):
        raise ConfigurationError(
            f"bounds are {bounds}; wanted [lower, upper], or one such pair for each of {channels} channels"
        )
    if not (np.isfinite(limits).all() and (limits[:, 0] < limits[:, 1]).all()):
        raise ConfigurationError(f"bounds are {bounds}; wanted finite numbers, lower < upper")
    return limits


def _numbered(families: Sequence[Family]) -> Iterator[tuple[str, tuple[int, int], Family]]:
    seen: Counter[str] = Counter()
    for family in families:
        seen[family.name] += 1
        number = seen[family.name]
        label = family.name if number == 1 else f"{family.name} {number}"
        yield label, (crc32(family.name.encode()), number), family


def _batch(label: str, family: Family, entropy: list[int], steps: int, limits: Array) -> Array:
    """One family's share of the library, [curve, step, channel]."""
    raw = _finite(label, _draw(label, family, entropy, steps, len(limits)))
    scaled = _scaled(label, family, raw, limits)
    within = _within(label, family, scaled[:, :steps], limits)
    if not family.noise:
        return within
    rng = np.random.default_rng([*entropy, len(limits)])  # streams 0 .. channels-1 are the draws'
    half_width = (limits[:, 1] - limits[:, 0]) / 2
    return np.asarray(within + rng.standard_normal(within.shape) * (family.noise * half_width))


def _draw(label: str, family: Family, entropy: list[int], steps: int, channels: int) -> Array:
    draws = channels if family.independent else 1
    raw = [np.asarray(family.draw(np.random.default_rng([*entropy, stream]), steps)) for stream in range(draws)]
    curves = np.concatenate(raw, axis=-1)
    if curves.ndim != 3 or len(curves) == 0 or curves.shape[1] < steps or curves.shape[2] != channels:
        raise ConfigurationError(
            f"{label} drew shape {curves.shape}; wanted [curve, {steps} steps, {channels} channels]"
        )
    return curves


def _finite(label: str, raw: Array) -> Array:
    finite = np.isfinite(raw)
    if not finite.all():
        curve, step, channel = np.argwhere(~finite)[0]
        raise ConfigurationError(
            f"{label} has {raw[curve, step, channel]} at curve {curve}, step {step}, channel {channel} "
            f"({(~finite).any(axis=(1, 2)).sum()} of {len(raw)} curves are not finite); wanted finite numbers"
        )
    return raw


def _scaled(label: str, family: Family, raw: Array, limits: Array) -> Array:
    if family.scale == "none":
        return raw
    axes = (1,) if family.scale == "curve" else (0, 1)
    low, high = raw.min(axis=axes, keepdims=True), raw.max(axis=axes, keepdims=True)
    flat = np.argwhere(low == high)
    if len(flat):
        raise ConfigurationError(
            f"{label} has a constant curve ({flat[0][0]}, {low[tuple(flat[0])]:g} throughout), which "
            f"scale: {family.scale} cannot stretch into the bounds; wanted curves that vary, or scale: none"
        )
    lower, upper = limits.T
    return np.asarray(lower + (raw - low) / (high - low) * (upper - lower))


def _within(label: str, family: Family, curves: Array, limits: Array) -> Array:
    """Only the curves inside the bounds, to within rounding; says how many were left out."""
    lower, upper = limits.T
    slack = 1e-9 * (upper - lower)
    inside = ((curves >= lower - slack) & (curves <= upper + slack)).all(axis=(1, 2))
    if not inside.any():
        met = [f"{low:g} .. {high:g}" for low, high in zip(curves.min((0, 1)), curves.max((0, 1)), strict=True)]
        raise ConfigurationError(
            f"{label}: no curve keeps the bounds {limits.tolist()}; its values run over {', '.join(met)} "
            f"(scale is {family.scale!r}: curve or family would fit them)"
        )
    if not inside.all():
        log.warning(
            "%s: %d of %d curves leave the bounds and are not in the library", label, (~inside).sum(), len(curves)
        )
    return cast(Array, curves[inside])
