"""How much a trial at a point promises, from the predicted mean and deviation there; more is better.

Everything is in the surrogate's standardised units of gain. With u = (mean - best - xi) / deviation,
EI = deviation · (φ(u) + u·Φ(u)) and PI = Φ(u); log EI follows Ament et al. 2023 (arXiv 2310.20708).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from zbo_orchestrator.model import Array

Acquisition = Literal["log-ei", "ei", "pi", "ucb", "mean", "thompson"]
ACQUISITIONS: tuple[str, ...] = get_args(Acquisition)
TINY = 1e-12
"""Deviations below this are treated as this: no formula divides by nought."""

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


def log_h(u: Array) -> Array:
    """log(φ(u) + u·Φ(u)), to 1e-11 relative from the far negative tail to the far positive one.

    Three branches: directly above -1; through erfcx where φ and uΦ begin to cancel; the asymptotic series
    1/u² - 3/u⁴ + 15/u⁶ - 105/u⁸ of the Mills ratio below -100, where even erfcx cancels.
    """
    u = np.asarray(u, dtype=np.float64)
    near, middle, far = np.maximum(u, -1.0), np.clip(u, -100.0, -1.0), np.minimum(u, -100.0)
    direct = np.log(np.exp(-0.5 * near**2 - _LOG_SQRT_2PI) + near * ndtr(near))
    mills = np.sqrt(np.pi / 2) * erfcx(-middle / np.sqrt(2))
    scaled = -0.5 * middle**2 - _LOG_SQRT_2PI + np.log1p(middle * mills)
    inverse = far**-2.0
    series = np.log1p(inverse * (-3.0 + inverse * (15.0 - 105.0 * inverse))) + np.log(inverse)
    asymptotic = -0.5 * far**2 - _LOG_SQRT_2PI + series
    return np.where(u > -1.0, direct, np.where(u > -100.0, scaled, asymptotic))


def log_ei(mean: Array, deviation: Array, best: float, xi: float = 0.0) -> Array:
    """log of the expected improvement over best + xi."""
    deviation = np.maximum(deviation, TINY)
    return np.log(deviation) + log_h((mean - best - xi) / deviation)


def ei(mean: Array, deviation: Array, best: float, xi: float = 0.0) -> Array:
    """Expected improvement over best + xi; 0 where it is smaller than a float can say."""
    return np.exp(log_ei(mean, deviation, best, xi))


def pi(mean: Array, deviation: Array, best: float, xi: float = 0.0) -> Array:
    """Probability of improving on best + xi."""
    return np.asarray(ndtr((mean - best - xi) / np.maximum(deviation, TINY)))


def log_pi(mean: Array, deviation: Array, best: float, xi: float = 0.0) -> Array:
    """log of the probability of improving on best + xi: it still ranks where `pi` is 0."""
    return np.asarray(log_ndtr((mean - best - xi) / np.maximum(deviation, TINY)))


def ucb(mean: Array, deviation: Array, factor: float) -> Array:
    """mean + factor · deviation."""
    return mean + factor * deviation


def acquire(
    kind: Acquisition, mean: Array, deviation: Array, best: float, *, xi: float = 0.0, factor: float = 2.0
) -> Array:
    """The acquisition [m] by name; `thompson` is drawn by the surrogate instead and is refused here."""
    match kind:
        case "log-ei":
            return log_ei(mean, deviation, best, xi)
        case "ei":
            return ei(mean, deviation, best, xi)
        case "pi":
            return pi(mean, deviation, best, xi)
        case "ucb":
            return ucb(mean, deviation, factor)
        case "mean":
            return np.asarray(mean)
    raise ValueError(f"acquisition {kind!r}; wanted one with a closed form: log-ei, ei, pi, ucb or mean")


def weigh(kind: Acquisition, value: Array, success: Array, caution: float = 0.7) -> Array:
    """The acquisition [m] given each point's probability of success [m].

    Improvements and their probabilities are multiplied by it (log EI: its logarithm is added); the other kinds can be
    negative and are not. All are confined to points that succeed with probability `caution`, or nearly the highest:
    without that, what improvement is left among the proven soon is smaller than any unproven promise.
    """
    value = value + np.log(success) if kind == "log-ei" else value * success if kind in ("ei", "pi") else value
    return np.where(success >= min(caution, 0.9 * float(success.max())), value, -np.inf)
