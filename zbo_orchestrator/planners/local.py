"""The Gaussian process at thousands of trials: each point is judged by the trials nearest to it, exactly given those.

Close trials screen off those behind them (Stein 2002; for Gaussian processes Vecchia 1988, Datta et al. 2016,
arXiv 1406.7343), the better the denser they lie, so that cost and memory grow with the points and not with the square
of the trials. Points are cut into tiles, and a tile shares its neighbours. Near means in length scales.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from linear_operator.utils.cholesky import psd_safe_cholesky
from scipy.spatial import KDTree
from torch import Tensor

from zbo_orchestrator.model import Array
from zbo_orchestrator.planners.surrogate import BLOCK, Hyperparameters, Kernel, PriorDraws, Surrogate

NEIGHBOURS = 192
"""Trials that a tile's points are judged by."""
TILE = 96
"""Points of a tile, at most."""
CELL = 0.25
"""Side of a cell whose trials are merged: length scales for each deviation of the noise."""
REACH = 1024
"""Points whose deviation an expected trial narrows: those nearest to it."""

_TILES = 2
"""Tiles worked on at once: their covariances, some 1 MB, stay in the cache."""


class Predicted(Protocol):
    """Mean[m] and deviation[m] at fixed points, ready to be conditioned further; `basis` says on what if not on all."""

    @property
    def mean(self) -> Array: ...

    @property
    def deviation(self) -> Array: ...

    @property
    def basis(self) -> str: ...

    def joined(self, other: Any) -> Predicted:
        """Of the same belief, at these points and then the other's."""
        ...

    def expecting(self, index: int) -> Predicted:
        """As if the point at `index` had been tried and had scored what is predicted."""
        ...


class LocalBelief:
    """As `Belief`, by neighbourhoods. Trials closer than their noise can tell apart count as one, repeated.

    Within a cell of w length scales a side the function varies by some w²/7 in each dimension (Matérn-5/2), most of
    which the mean place takes out: with w a quarter of the least noise's deviation, a hundredth of the noise at most.
    """

    def __init__(self, x: Array, y: Array, known: Array, kernel: Kernel, values: Hyperparameters) -> None:
        self.model = Surrogate(kernel, x.shape[1]).take(values).requires_grad_(False)
        self.kernel, self.values = kernel, values
        self.trials = len(x)
        self._lengths = np.array(values.lengthscales)
        noise = np.where(np.isnan(known), values.noise, known)
        width = CELL * np.sqrt(noise.min() / values.scale) * self._lengths
        self._x, y, self._noise = merged(x, y, noise, width)
        self._residual = y - values.mean
        self._scaled = self._x / self._lengths
        self._tree = KDTree(self._scaled)

    @property
    def neighbours(self) -> int:
        return min(NEIGHBOURS, len(self._x))

    def expecting(self, points: Array, mean: Array | None = None) -> LocalBelief:
        """As `Belief.expecting`; `mean` [p] where it is known already."""
        if not len(points):
            return self
        mean = self.at(points).mean if mean is None else mean
        x, y = np.concatenate([self._x, points]), np.concatenate([self._residual + self.values.mean, mean])
        known = np.concatenate([self._noise, np.full(len(points), np.nan)])
        belief = LocalBelief(x, y, known, self.kernel, self.values)
        belief.trials = self.trials + len(points)
        return belief

    def at(self, points: Array) -> LocalPosterior:
        """Means and variances at points[m, d], tile by tile."""
        mean, variance = np.empty(len(points)), np.empty(len(points))
        for index, near, factor, cross in self._tiles(points):
            half = torch.linalg.solve_triangular(factor, cross, upper=False)
            residual = torch.from_numpy(self._residual[near])[..., None]
            whitened = torch.linalg.solve_triangular(factor, residual, upper=False)
            mean[index] = self.values.mean + (whitened.mT @ half)[:, 0].numpy()
            variance[index] = (self.values.scale - half.square().sum(-2)).clamp_min(0.0).numpy()
        return LocalPosterior(self, points, mean, variance)

    def draws(self, points: Array, count: int, rng: np.random.Generator, features: int = 1024) -> Array:
        """As `Belief.draws`: one function of the prior, corrected tile by tile."""
        prior = PriorDraws.drawn(self.model, self.values, count, rng, features)
        noise = np.sqrt(self._noise)[:, None] * rng.standard_normal((len(self._x), count))
        wrong = self._residual[:, None] - _in_blocks(prior, self._x) - noise
        out = _in_blocks(prior, points)
        correction = np.empty_like(out)
        for index, near, factor, cross in self._tiles(points):
            weights = torch.cholesky_solve(torch.from_numpy(wrong[near]), factor)
            correction[index] = (cross.mT @ weights).numpy()
        return np.asarray((out + correction).T + self.values.mean)

    def _tiles(self, points: Array) -> Iterator[tuple[Array, Array, Tensor, Tensor]]:
        """Some tiles at once: points[t, q], trials[t, k], the trials' factor [t, k, k], covariances [t, k, q]."""
        scaled = points / self._lengths
        for tiles, near in _tilings(scaled, self._tree, self.neighbours):
            for begin in range(0, len(tiles), _TILES):
                index, rows = tiles[begin : begin + _TILES], near[begin : begin + _TILES]
                x, z = self._scaled[rows], scaled[index]
                covariance = self._covariance(x, x)
                covariance.diagonal(dim1=-2, dim2=-1).add_(torch.from_numpy(self._noise[rows]))
                yield index, rows, psd_safe_cholesky(covariance), self._covariance(x, z)

    def _covariance(self, a: Array, b: Array) -> Tensor:
        return correlation(self.kernel, torch.from_numpy(a), torch.from_numpy(b)).mul_(self.values.scale)


@dataclass(frozen=True, slots=True, eq=False)
class LocalPosterior:
    """Mean[m] and variance[m] at points[m, d] by their neighbourhoods."""

    belief: LocalBelief
    points: Array
    mean: Array
    variance: Array

    @property
    def deviation(self) -> Array:
        return np.sqrt(self.variance)

    @property
    def basis(self) -> str:
        return f"by the {self.belief.neighbours} nearest of {self.belief.trials:,} trials"

    def joined(self, other: LocalPosterior) -> LocalPosterior:
        points = np.concatenate([self.points, other.points])
        mean, variance = np.concatenate([self.mean, other.mean]), np.concatenate([self.variance, other.variance])
        return LocalPosterior(self.belief, points, mean, variance)

    def expecting(self, index: int) -> LocalPosterior:
        """As `Posterior.expecting`, for the points within reach."""
        belief = self.belief.expecting(self.points[[index]], self.mean[[index]])
        away = np.square((self.points - self.points[index]) / self.belief.values.lengthscales).sum(axis=1)
        near = np.argsort(away, kind="stable")[:REACH]
        variance = self.variance.copy()
        variance[near] = np.minimum(variance[near], belief.at(self.points[near]).variance)
        return replace(self, belief=belief, variance=variance)


def correlation(kernel: Kernel, a: Tensor, b: Tensor) -> Tensor:
    """gpytorch's prior correlations [..., n, m] of a[..., n, d] and b[..., m, d] in length scales, thrice as fast."""
    square = (a[..., :, None, 0] - b[..., None, :, 0]).square_()
    for axis in range(1, a.shape[-1]):
        square += (a[..., :, None, axis] - b[..., None, :, axis]).square_()
    if kernel == "rbf":
        return square.mul_(-0.5).exp_()
    smoothness = 3.0 if kernel == "matern-3/2" else 5.0
    away = square.mul_(smoothness).sqrt_()
    decay = torch.exp(-away)
    polynomial = away.add_(1.0) if kernel == "matern-3/2" else away.square().div_(3.0).add_(away).add_(1.0)
    return polynomial.mul_(decay)


def merged(x: Array, y: Array, noise: Array, width: Array) -> tuple[Array, Array, Array]:
    """Trials x[n, d], y[n] with noise variances [n], those in one cell, `width` [d] wide, as their weighted mean."""
    cells, of = np.unique(np.floor(x / width), axis=0, return_inverse=True)
    if len(cells) == len(x):
        return x, y, noise
    weight = np.bincount(of, 1 / noise)
    places = np.stack([np.bincount(of, column / noise) / weight for column in x.T], axis=1)
    return places, np.bincount(of, y / noise) / weight, 1 / weight


def _tilings(points: Array, tree: KDTree, count: int) -> Iterator[tuple[Array, Array]]:
    """Indices of points [t, q] and of the `count` nearest trials [t, count] of tiles that those trials surround.

    Tiles are cut at the median of the wider side until they are small and half as wide as their neighbourhood at most.
    """
    tiles = [np.arange(len(points))]
    while tiles:
        while max(map(len, tiles)) > TILE:
            tiles = [half for tile in tiles for half in _cut(points, tile)]
        even = _even(tiles)
        middle = (points[even].max(axis=1) + points[even].min(axis=1)) / 2
        away, near = (part.reshape(len(even), -1) for part in tree.query(middle, k=count))
        radius = np.linalg.norm(points[even] - middle[:, None], axis=-1).max(axis=1)
        good = (radius <= away[:, -1] / 2) | (radius == 0) | (np.array([len(tile) for tile in tiles]) == 1)
        if good.any():
            yield even[good], near[good]
        tiles = [half for tile, done in zip(tiles, good, strict=True) if not done for half in _cut(points, tile)]


def _even(tiles: list[Array]) -> Array:
    """Tiles as one array; short ones repeat a point."""
    size = max(map(len, tiles))
    return np.stack([np.append(tile, np.full(size - len(tile), tile[-1])) for tile in tiles])


def _cut(points: Array, tile: Array) -> tuple[Array, Array]:
    side = int(np.ptp(points[tile], axis=0).argmax())
    order = tile[np.argsort(points[tile, side], kind="stable")]
    return order[: len(order) // 2], order[len(order) // 2 :]


def _in_blocks(prior: PriorDraws, points: Array) -> Array:
    blocks = [torch.from_numpy(points[begin : begin + BLOCK]) for begin in range(0, len(points), BLOCK)]
    return np.concatenate([prior.at(block).numpy() for block in blocks])
