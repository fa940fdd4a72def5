"""How probably a trial at a point succeeds, learnt from those that failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import expit, softmax

from zbo_orchestrator.model import Array

ROWS = 300
"""Trials the classifier looks at, at most."""
WHOLE = 1000
"""Trials up to which all points are judged in one piece; in blocks it is faster, and the last bits are others."""

_BLOCK = 1024

_LENGTHS = (0.1, 0.2, 0.4)
_AMPLITUDE = 25.0
_STEPS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """How probably a trial succeeds at a point, as `trials` tell; x[n, d] are those looked at.

    modes, weights   one for each length scale; none where nothing failed
    """

    x: Array
    trials: int
    modes: list[_Mode]
    weights: Array

    def at(self, points: Array) -> Array:
        """The chance [m] at points[m, d], unit box; without a failure 1."""
        if not self.modes:
            return np.ones(len(points))
        step = len(points) if self.trials <= WHOLE else _BLOCK
        modes = self.modes if step >= len(points) else [mode.inverted() for mode in self.modes]
        blocks = [points[begin : begin + step] for begin in range(0, len(points), step)]
        return np.concatenate([self._average(modes, cdist(self.x, block, "sqeuclidean")) for block in blocks])

    def _average(self, modes: list[_Mode], cross: Array) -> Array:
        """Over the length scales [m], given squared distances cross[n, m]."""
        scales = _scales(self.x)
        chances = [mode.chance(_AMPLITUDE * np.exp(-cross / scale)) for mode, scale in zip(modes, scales, strict=True)]
        return np.asarray(self.weights @ np.stack(chances))


def learnt(x: Array, failed: Array) -> Chance:
    """From trials x[n, d], unit box, of which the mask failed[n] did.

    A logistic Gaussian-process classifier by Laplace's approximation (Rasmussen and Williams 2006, algorithms 3.1 and
    3.2), its prior mean the observed rate, averaged over three length scales by their evidence.
    """
    if not failed.any():
        return Chance(x, len(x), [], np.empty(0))
    rows = _chosen(failed)
    x, sign = x[rows], np.where(failed[rows], -1.0, 1.0)
    offset = float(np.log((np.sum(~failed) + 1) / (np.sum(failed) + 1)))
    apart = cdist(x, x, "sqeuclidean")
    modes = [_laplace(_AMPLITUDE * np.exp(-apart / scale), sign, offset) for scale in _scales(x)]
    return Chance(x, len(failed), modes, softmax([mode.evidence for mode in modes]))


def _scales(x: Array) -> list[float]:
    return [2 * length**2 * x.shape[1] for length in _LENGTHS]


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """Laplace's approximation at one length scale: the gradient [n] at the mode, the root of its curvature [n].

    whitening   the root divided by the factor, [n, n], where many blocks of points make it worth knowing
    """

    evidence: float
    offset: float
    slope: Array
    root: Array
    factor: Array
    whitening: Array | None = None

    def inverted(self) -> _Mode:
        return replace(self, whitening=np.asarray(solve_triangular(self.factor, np.diag(self.root), lower=True)))

    def chance(self, cross: Array) -> Array:
        """The mean of the logistic function, by MacKay's approximation, given covariances cross[n, m]."""
        mean = self.offset + self.slope @ cross
        if self.whitening is None:
            half = solve_triangular(self.factor, self.root[:, None] * cross, lower=True)
        else:
            half = self.whitening @ cross
        explained = np.square(half).sum(axis=0)
        return np.asarray(expit(mean / np.sqrt(1.0 + np.pi / 8 * np.maximum(_AMPLITUDE - explained, 0.0))))


def _chosen(failed: Array) -> Array:
    """At most ROWS rows: half may be failures, successes have the rest, both evenly over the campaign."""
    failures, successes = np.flatnonzero(failed), np.flatnonzero(~failed)
    failures = _evenly(failures, max(ROWS // 2, ROWS - len(successes)))
    return np.sort(np.concatenate([failures, _evenly(successes, ROWS - len(failures))]))


def _evenly(rows: Array, count: int) -> Array:
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _laplace(kernel: Array, sign: Array, offset: float) -> _Mode:
    """Newton's iteration to the mode of the latent function at the trials."""
    weights, latent = np.zeros(len(sign)), np.full(len(sign), offset)
    for _ in range(_STEPS):
        chance = expit(sign * latent)
        slope, root = sign * (1 - chance), np.sqrt(chance * (1 - chance))
        factor = cholesky(np.eye(len(sign)) + root[:, None] * kernel * root, lower=True)
        target = root**2 * (latent - offset) + slope
        before, weights = weights, target - root * cho_solve((factor, True), root * (kernel @ target))
        latent = offset + kernel @ weights
        if np.abs(weights - before).max() < 1e-9:
            break
    fit = np.log(expit(sign * latent)).sum() - 0.5 * weights @ kernel @ weights
    return _Mode(float(fit - np.log(np.diag(factor)).sum()), offset, slope, root, factor)
