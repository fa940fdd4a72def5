"""How probably a trial at a point succeeds, learnt from those that failed."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import expit

from zbo_orchestrator.model import Array

ROWS = 400
"""Trials the classifier looks at, at most."""

_LENGTHS = (0.1, 0.2, 0.4, 0.8)
_AMPLITUDE = 9.0
_STEPS = 30


def probability(x: Array, failed: Array, points: Array) -> Array:
    """Probability of success [m] at points[m, d], from trials x[n, d] of which the mask failed[n] did; all unit box.

    A Gaussian-process classifier, logistic, by Laplace's approximation (Rasmussen and Williams 2006, algorithms 3.1
    and 3.2), its prior mean the observed rate, its length scale the likeliest of four. Without a failure: 1 everywhere.
    """
    if not failed.any():
        return np.ones(len(points))
    rows = _chosen(failed)
    x, sign = x[rows], np.where(failed[rows], -1.0, 1.0)
    offset = np.log((np.sum(~failed) + 1) / (np.sum(failed) + 1))
    squared = cdist(x, x, "sqeuclidean")
    lengths = [length * np.sqrt(x.shape[1]) for length in _LENGTHS]
    fits = [_laplace(_AMPLITUDE * np.exp(-0.5 * squared / length**2), sign, offset) for length in lengths]
    best = max(range(len(fits)), key=lambda index: fits[index][0])
    _, slope, root, factor = fits[best]
    cross = _AMPLITUDE * np.exp(-0.5 * cdist(x, points, "sqeuclidean") / lengths[best] ** 2)
    mean = offset + slope @ cross
    variance = _AMPLITUDE - np.square(solve_triangular(factor, root[:, None] * cross, lower=True)).sum(axis=0)
    # The mean of a logistic function under a Gaussian, by MacKay's approximation.
    return np.asarray(expit(mean / np.sqrt(1.0 + np.pi / 8 * np.maximum(variance, 0.0))))


def _chosen(failed: Array) -> Array:
    """At most ROWS rows: half may be failures, successes have the rest, both evenly over the campaign."""
    failures, successes = np.flatnonzero(failed), np.flatnonzero(~failed)
    failures = _evenly(failures, max(ROWS // 2, ROWS - len(successes)))
    return np.sort(np.concatenate([failures, _evenly(successes, ROWS - len(failures))]))


def _evenly(rows: Array, count: int) -> Array:
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _laplace(kernel: Array, sign: Array, offset: float) -> tuple[float, Array, Array, Array]:
    """(log evidence, gradient at the mode [n], sqrt of its curvature [n], Cholesky factor of B), by Newton steps."""
    weights = np.zeros(len(sign))
    for _ in range(_STEPS):
        latent = offset + kernel @ weights
        chance = expit(sign * latent)
        slope, root = sign * (1 - chance), np.sqrt(chance * (1 - chance))
        factor = cho_factor(np.eye(len(sign)) + root[:, None] * kernel * root, lower=True)
        target = root**2 * (latent - offset) + slope
        before, weights = weights, target - root * cho_solve(factor, root * (kernel @ target))
        if np.abs(weights - before).max() < 1e-9:
            break
    evidence = -0.5 * weights @ kernel @ weights + np.log(expit(sign * latent)).sum() - np.log(np.diag(factor[0])).sum()
    return float(evidence), slope, root, np.tril(factor[0])
