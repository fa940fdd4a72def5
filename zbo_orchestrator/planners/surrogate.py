"""The Gaussian process: what a score may be where nobody has looked. gpytorch and botorch live here only.

Inputs come scaled to the unit box and scores standardised. The kernels, their dimension-scaled log-normal priors
(Hvarfner et al. 2024, arXiv 2402.02229) and the noise prior are botorch's; the marginal likelihood and the posterior
are written out densely in float64, since at a few hundred trials lazy evaluation costs more than the algebra.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
import torch
from botorch.models.utils.gpytorch_modules import (
    get_covar_module_with_dim_scaled_prior,
    get_gaussian_likelihood_with_lognormal_prior,
)
from botorch.optim.core import scipy_minimize
from gpytorch.constraints import Positive
from gpytorch.kernels import MaternKernel
from linear_operator.utils.cholesky import psd_safe_cholesky
from threadpoolctl import ThreadpoolController
from torch import Tensor

from zbo_orchestrator.model import Array, Json

Kernel = Literal["matern-3/2", "matern-5/2", "rbf"]
Optimizer = Literal["lbfgs", "adam"]

BLOCK = 1024
"""Points predicted at once: some 8 MB at 1,000 trials, so that a block stays near the cache."""

_BOUNDS = {
    "kernel.raw_lengthscale": (math.log(0.02), math.log(50.0)),
    "likelihood.noise_covar.raw_noise": (math.log(1e-4), math.log(4.0)),
    "mean": (-3.0, 3.0),
    "log_scale": (-7.0, 7.0),
}


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and BLAS on one thread: sums then come out the same, bit for bit, and small matrices sooner."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _threads().limit(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


@cache
def _threads() -> ThreadpoolController:
    """Looked for once: that takes as long as a small plan."""
    return ThreadpoolController()


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Length scales (unit box), noise variance, constant mean and output scale (standardised scores)."""

    lengthscales: tuple[float, ...]
    noise: float
    mean: float = 0.0
    scale: float = 1.0

    def json(self) -> dict[str, float | list[float]]:
        return {"lengthscales": list(self.lengthscales), "noise": self.noise, "mean": self.mean, "scale": self.scale}

    @classmethod
    def remembered(cls, memory: Json, dimension: int) -> Hyperparameters | None:
        """What `json` wrote, or None where memory holds nothing that fits this space."""
        held = memory.get("hyperparameters")
        if held is None or len(held["lengthscales"]) != dimension:
            return None
        return cls(tuple(held["lengthscales"]), held["noise"], held["mean"], held["scale"])


@dataclass(frozen=True, slots=True)
class Fitting:
    """How hyperparameters are found: the most probable ones (MAP), within bounds on the effort.

    rows         trials used at most, spread evenly over the ranks of their scores
    exact        known and awaited trials up to which every one takes part in each prediction; beyond, the nearest do
    iterations   of the optimiser, from each start
    rate         of Adam
    scaled       whether the output scale is fitted too: standardised scores need none
    """

    kernel: Kernel = "matern-5/2"
    optimizer: Optimizer = "lbfgs"
    rows: int = 300
    exact: int = 1000
    iterations: int = 50
    rate: float = 0.1
    scaled: bool = False


class Surrogate(torch.nn.Module):
    """Kernel and noise with their priors, constant mean and output scale, as one thing to optimise."""

    def __init__(self, kernel: Kernel, dimension: int, *, scaled: bool = False) -> None:
        super().__init__()
        self.kernel = get_covar_module_with_dim_scaled_prior(dimension, use_rbf_kernel=kernel == "rbf")
        if kernel == "matern-3/2":
            self.kernel.nu = 1.5
        self.likelihood = get_gaussian_likelihood_with_lognormal_prior()
        # Optimised as logarithms: a step is then a ratio, whatever the length.
        for part, name in ((self.kernel, "lengthscale"), (self.likelihood.noise_covar, "noise")):
            start = getattr(part, f"{name}_prior").mode
            part.register_constraint(f"raw_{name}", Positive(torch.exp, torch.log), replace=True)
            part.initialize(**{name: start})
        self.mean = torch.nn.Parameter(torch.zeros(()))
        self.log_scale = torch.nn.Parameter(torch.zeros(()), requires_grad=scaled)
        self.double()

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        """Prior covariances [len(a), len(b)]."""
        return self.log_scale.exp() * self.kernel(a, b).to_dense()

    def factor(self, x: Tensor, known: Tensor) -> Tensor:
        """Cholesky factor of the covariance of noisy scores at x, with noise variances as known or else inferred."""
        noise = torch.where(torch.isnan(known), self.likelihood.noise, known)
        return psd_safe_cholesky(self.covariance(x, x) + torch.diag(noise))

    def energy(self, x: Tensor, y: Tensor, known: Tensor) -> Tensor:
        """-(log p(y | x, θ) + log p(θ)) / n."""
        factor = self.factor(x, known)
        white = torch.linalg.solve_triangular(factor, (y - self.mean)[:, None], upper=False)
        likelihood = -0.5 * white.square().sum() - factor.diagonal().log().sum() - 0.5 * len(y) * math.log(2 * math.pi)
        noise = self.likelihood.noise_covar
        prior = self.kernel.lengthscale_prior.log_prob(self.kernel.lengthscale).sum()
        prior = prior + noise.noise_prior.log_prob(noise.noise).sum()
        return -(likelihood + prior) / len(y)

    def take(self, values: Hyperparameters) -> Surrogate:
        self.kernel.lengthscale = torch.tensor(values.lengthscales, dtype=torch.float64)
        self.likelihood.noise = values.noise
        with torch.no_grad():
            self.mean.fill_(values.mean)
            self.log_scale.fill_(math.log(values.scale))
        return self

    def give(self) -> Hyperparameters:
        return Hyperparameters(
            tuple(self.kernel.lengthscale.detach().flatten().tolist()),
            float(self.likelihood.noise.detach()),
            float(self.mean.detach()),
            float(self.log_scale.detach().exp()),
        )


def fit(x: Array, y: Array, known: Array, fitting: Fitting, start: Hyperparameters | None = None) -> Hyperparameters:
    """The most probable hyperparameters for scores y[n] at x[n, d]; known[n] noise variances, NaN where to be inferred.

    Climbs from the priors' modes and, where given, from `start`; the higher summit wins. Beyond `fitting.rows`
    trials a known start is trusted to be on the right hill, and only climbed from. Adam starts from the modes alone.
    """
    rows = _spread(y, fitting.rows)
    data = tuple(torch.tensor(values[rows], dtype=torch.float64) for values in (x, y, known))
    if start is None or fitting.optimizer == "adam":
        return _climb(data, fitting, None)[1]
    starts = [None, start] if len(y) <= fitting.rows else [start]
    ends = [_climb(data, fitting, begin) for begin in starts]
    return min(ends, key=lambda end: end[0])[1]


def _spread(y: Array, rows: int) -> Array:
    """Indices of at most `rows` trials, evenly over the ranks of their scores: best and worst are among them."""
    if len(y) <= rows:
        return np.arange(len(y))
    return np.sort(np.argsort(y, kind="stable")[np.linspace(0, len(y) - 1, rows).round().astype(int)])


def _climb(data: tuple[Tensor, ...], fitting: Fitting, start: Hyperparameters | None) -> tuple[float, Hyperparameters]:
    """One optimisation: (energy reached, hyperparameters there)."""
    model = Surrogate(fitting.kernel, data[0].shape[1], scaled=fitting.scaled)
    if start is not None:
        model.take(start)
    if fitting.optimizer == "adam":
        _descend(model, data, fitting)
    else:
        _minimise(model, data, fitting)
    with torch.no_grad():
        return float(model.energy(*data)), model.give()


def _minimise(model: Surrogate, data: tuple[Tensor, ...], fitting: Fitting) -> None:
    parameters: dict[str, Tensor] = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def closure() -> tuple[Tensor, list[Tensor]]:
        energy = model.energy(*data)
        return energy.detach(), list(torch.autograd.grad(energy, list(parameters.values())))

    bounds: dict[str, tuple[float | None, float | None]] = {name: _BOUNDS[name] for name in parameters}
    scipy_minimize(closure, parameters, bounds, options={"maxiter": fitting.iterations, "ftol": 1e-7})


def _descend(model: Surrogate, data: tuple[Tensor, ...], fitting: Fitting) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=fitting.rate)
    for _ in range(fitting.iterations):
        optimizer.zero_grad()
        model.energy(*data).backward()
        optimizer.step()


@dataclass(frozen=True, slots=True, eq=False)
class PriorDraws:
    """Functions drawn from the prior, less its mean, by random Fourier features: cos(x · waves + phases) · weights."""

    waves: Tensor
    phases: Tensor
    weights: Tensor

    @classmethod
    def drawn(
        cls, model: Surrogate, values: Hyperparameters, count: int, rng: np.random.Generator, features: int
    ) -> PriorDraws:
        normal = rng.standard_normal((features, len(values.lengthscales)))
        if isinstance(model.kernel, MaternKernel):  # its spectrum is Student's t, RBF's is normal
            freedom = 2 * model.kernel.nu
            normal /= np.sqrt(rng.chisquare(freedom, (features, 1)) / freedom)
        waves = torch.tensor(normal) / torch.tensor(values.lengthscales, dtype=torch.float64)
        phases = torch.tensor(rng.uniform(0, 2 * math.pi, features))
        weights = torch.tensor(rng.standard_normal((features, count))) * math.sqrt(2 * values.scale / features)
        return cls(waves, phases, weights)

    def at(self, x: Tensor) -> Tensor:
        """Values [len(x), count]."""
        return torch.cos(x @ self.waves.T + self.phases) @ self.weights


class Belief:
    """The posterior given scores y[n] at x[n, d] and hyperparameters."""

    def __init__(self, x: Array, y: Array, known: Array, kernel: Kernel, values: Hyperparameters) -> None:
        self.model = Surrogate(kernel, x.shape[1]).take(values).requires_grad_(False)
        self.kernel, self.values = kernel, values
        self._x, self._known = torch.tensor(x, dtype=torch.float64), torch.tensor(known, dtype=torch.float64)
        self._factor = self.model.factor(self._x, self._known)
        self._residual = torch.tensor(y, dtype=torch.float64) - values.mean

    def expecting(self, points: Array) -> Belief:
        """As if points[p, d] had been tried and had each scored its own predicted mean.

        Such fantasies leave every mean where it is and narrow the deviations around them.
        """
        if not len(points):
            return self
        x, y, known = self._x.numpy(), self._residual.numpy() + self.values.mean, self._known.numpy()
        more = np.concatenate([x, points]), np.concatenate([y, self.at(points).mean])
        return Belief(*more, np.concatenate([known, np.full(len(points), np.nan)]), self.kernel, self.values)

    def at(self, points: Array) -> Posterior:
        """Means and variances at points[m, d], in blocks."""
        z = torch.tensor(points, dtype=torch.float64)
        whitened = torch.linalg.solve_triangular(self._factor, self._residual[:, None], upper=False)
        half = torch.empty((len(self._x), len(z)), dtype=torch.float64)
        for begin in range(0, len(z), BLOCK):
            block = slice(begin, begin + BLOCK)
            half[:, block] = torch.linalg.solve_triangular(
                self._factor, self.model.covariance(self._x, z[block]), upper=False
            )
        mean = self.values.mean + (whitened.T @ half)[0]
        variance = self.values.scale - half.square().sum(0)
        return Posterior(self.model, z, half, mean.numpy(), variance.clamp_min(0.0).numpy())

    def draws(self, points: Array, count: int, rng: np.random.Generator, features: int = 1024) -> Array:
        """Functions [count, m] from the posterior by Matheron's rule (Wilson et al. 2020, arXiv 2002.09309).

        A draw from the prior by random Fourier features, corrected by what the trials say it is wrong by.
        """
        prior = PriorDraws.drawn(self.model, self.values, count, rng, features)
        noise = torch.where(torch.isnan(self._known), self.values.noise, self._known).sqrt()
        noise = noise[:, None] * torch.tensor(rng.standard_normal((len(self._x), count)))
        wrong = self._residual[:, None] - prior.at(self._x) - noise
        correction = torch.cholesky_solve(wrong, self._factor)
        out = torch.empty((len(points), count), dtype=torch.float64)
        z = torch.tensor(points, dtype=torch.float64)
        for begin in range(0, len(z), BLOCK):
            block = z[begin : begin + BLOCK]
            out[begin : begin + BLOCK] = prior.at(block) + self.model.covariance(block, self._x) @ correction
        return (out.T + self.values.mean).numpy()


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Mean[m] and variance[m] at fixed points, ready to be conditioned further."""

    model: Surrogate
    points: Tensor
    half: Tensor
    mean: Array
    variance: Array

    @property
    def deviation(self) -> Array:
        return np.sqrt(self.variance)

    @property
    def basis(self) -> str:
        """Empty: every trial takes part."""
        return ""

    def joined(self, other: Posterior) -> Posterior:
        """Of the same belief, at these points and then the other's."""
        return Posterior(
            self.model,
            torch.cat([self.points, other.points]),
            torch.cat([self.half, other.half], dim=1),
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.variance, other.variance]),
        )

    def expecting(self, index: int) -> Posterior:
        """As `Belief.expecting`, for the one point at `index`, by a step of rank one."""
        column = self.half[:, index]
        covariance = self.model.covariance(self.points[index : index + 1], self.points)[0] - column @ self.half
        total = float(self.variance[index]) + float(self.model.likelihood.noise)
        row = covariance / math.sqrt(total)
        variance = np.maximum(self.variance - row.square().numpy(), 0.0)
        return replace(self, half=torch.cat([self.half, row[None]]), variance=variance)


def _warm() -> None:
    """Call each vectorised function once, alone: a first call in several threads at once has returned other bits."""
    with one_thread():
        ramp = torch.linspace(0.1, 1.0, 4096, dtype=torch.float64)
        for function in (torch.exp, torch.log, torch.sqrt, torch.cos):
            function(ramp)


_warm()
