"""The surrogate against gpytorch's own exact inference, and its bounds."""

from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch
from worlds import grid, waves

from zbo_orchestrator.model import Array
from zbo_orchestrator.planners.surrogate import Belief, Fitting, Hyperparameters, Kernel, Surrogate, fit

VALUES = Hyperparameters((0.3, 0.5), 0.02, 0.1)
UNKNOWN = np.nan


def data(n: int, d: int = 2) -> tuple[Array, Array]:
    x = np.random.default_rng(n).uniform(0, 1, (n, d))
    y = waves(5 * x - 2)
    return x, (y - y.mean()) / y.std()


class Exact(gpytorch.models.ExactGP):
    """gpytorch's own model with our kernel, noise and mean."""

    def __init__(self, ours: Surrogate, x: Array, y: Array) -> None:
        super().__init__(torch.tensor(x), torch.tensor(y), ours.likelihood)
        self.kernel, self.level = ours.kernel, ours.mean

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.level.expand(len(x)), self.kernel(x))


@pytest.mark.parametrize("kernel", ["matern-3/2", "matern-5/2", "rbf"])
def test_likelihood_and_posterior_are_gpytorchs(kernel: Kernel) -> None:
    x, y = data(30)
    points = np.random.default_rng(0).uniform(0, 1, (50, 2))
    ours = Surrogate(kernel, 2).take(VALUES)
    exact = Exact(ours, x, y)
    unknown = torch.full((30,), torch.nan, dtype=torch.float64)
    theirs = gpytorch.mlls.ExactMarginalLogLikelihood(ours.likelihood, exact)
    likelihood = theirs(exact.train()(*exact.train_inputs), exact.train_targets)
    assert ours.energy(torch.tensor(x), torch.tensor(y), unknown).item() == pytest.approx(-likelihood.item(), rel=1e-9)
    predicted = exact.eval()(torch.tensor(points))
    posterior = Belief(x, y, np.full(30, UNKNOWN), kernel, VALUES).at(points)
    assert np.allclose(posterior.mean, predicted.mean.detach(), atol=1e-9)
    assert np.allclose(posterior.variance, predicted.variance.detach(), atol=1e-9)


def test_prediction_in_blocks_is_prediction_at_once() -> None:
    x, y = data(20)
    points = np.random.default_rng(0).uniform(0, 1, (2500, 2))
    belief = Belief(x, y, np.full(20, UNKNOWN), "rbf", VALUES)
    whole, part = belief.at(points), belief.at(points[2000:])
    assert np.allclose(whole.mean[2000:], part.mean, atol=1e-12)
    joined = belief.at(points[:2000]).joined(part)
    assert np.allclose(joined.expecting(7).variance, whole.expecting(7).variance, atol=1e-12)


def test_expecting_points_keeps_means_and_narrows_deviations_alike_one_by_one_or_together() -> None:
    x, y = data(20)
    points = np.random.default_rng(3).uniform(0, 1, (40, 2))
    belief = Belief(x, y, np.full(20, UNKNOWN), "matern-5/2", VALUES)
    before = belief.at(points)
    stepwise, together = before.expecting(4).expecting(9), belief.expecting(points[[4, 9]]).at(points)
    assert np.array_equal(stepwise.mean, before.mean)
    assert np.allclose(together.mean, before.mean, atol=1e-9)
    assert np.allclose(together.variance, stepwise.variance, atol=1e-9)
    assert (stepwise.variance <= before.variance).all()
    assert (stepwise.variance[[4, 9]] <= VALUES.noise).all()
    assert stepwise.variance.sum() < before.variance.sum() - 0.02
    assert belief.expecting(points[:0]) is belief


@pytest.mark.parametrize("kernel", ["matern-3/2", "matern-5/2", "rbf"])
def test_draws_have_the_posteriors_moments_and_their_seed_decides_them(kernel: Kernel) -> None:
    x, y = data(12)
    points = np.random.default_rng(3).uniform(0, 1, (30, 2))
    belief = Belief(x, y, np.full(12, UNKNOWN), kernel, VALUES)
    draws = belief.draws(points, 4000, np.random.default_rng(0), features=2048)
    posterior = belief.at(points)
    assert np.allclose(draws.mean(axis=0), posterior.mean, atol=0.1)
    assert np.allclose(draws.std(axis=0), posterior.deviation, atol=0.1)
    again = belief.draws(points, 4000, np.random.default_rng(0), features=2048)
    assert np.array_equal(draws, again)


def test_draws_are_smooth_functions_not_white_noise() -> None:
    x, y = data(12)
    line = np.stack([np.linspace(0, 1, 200), np.full(200, 0.5)], axis=1)
    draw = Belief(x, y, np.full(12, UNKNOWN), "rbf", VALUES).draws(line, 1, np.random.default_rng(1))[0]
    assert np.abs(np.diff(draw)).max() < 0.1


def test_known_noise_is_believed_trial_by_trial() -> None:
    x, y = data(15)
    off = np.arange(15) == 3
    noisy = Belief(x, y + 9.0 * off, np.where(off, 25.0, 1e-6), "rbf", VALUES).at(x)
    without = Belief(x[~off], y[~off], np.full(14, 1e-6), "rbf", VALUES).at(x)
    assert np.allclose(noisy.mean[~off], y[~off], atol=0.03)
    assert abs(noisy.mean[3] - without.mean[3]) < 0.5


def test_fit_finds_which_input_matters_and_how_noisy_scores_are() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (80, 2))
    y = np.sin(9 * x[:, 0]) + np.random.default_rng(1).normal(0, 0.1, 80)
    y = (y - y.mean()) / y.std()
    values = fit(x, y, np.full(80, UNKNOWN), Fitting())
    assert values.lengthscales[0] < 0.5
    assert values.lengthscales[1] > 2.0
    assert 0.005 < values.noise < 0.06


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_fit_is_repeatable_bit_for_bit_and_starts_warm(optimizer: str) -> None:
    x, y = data(40)
    fitting = Fitting(optimizer=optimizer, scaled=True)  # type: ignore[arg-type]
    cold = fit(x, y, np.full(40, UNKNOWN), fitting)
    assert cold == fit(x, y, np.full(40, UNKNOWN), fitting)
    held = Hyperparameters.remembered({"hyperparameters": cold.json()}, 2)
    assert held == cold
    assert Hyperparameters.remembered({"hyperparameters": cold.json()}, 3) is None
    assert Hyperparameters.remembered({}, 2) is None
    warm = fit(x, y, np.full(40, UNKNOWN), fitting, held)
    assert np.allclose(warm.lengthscales, cold.lengthscales, rtol=0.1)


def test_a_warm_start_never_ends_below_a_cold_one() -> None:
    x, y = data(40)
    unknown = np.full(40, UNKNOWN)
    bad = Hyperparameters((40.0, 0.02), 3.9, 2.9)

    def energy(values: Hyperparameters) -> float:
        with torch.no_grad():
            tensors = (torch.tensor(part) for part in (x, y, unknown))
            return float(Surrogate("matern-5/2", 2).take(values).energy(*tensors))

    assert energy(fit(x, y, unknown, Fitting(), bad)) <= energy(fit(x, y, unknown, Fitting())) + 1e-9


def test_many_trials_are_fitted_on_some_and_conditioned_on_all() -> None:
    x, y = data(700)
    few = fit(x, y, np.full(700, UNKNOWN), Fitting(rows=100))
    all_of_them = fit(x[np.argsort(y)], np.sort(y), np.full(700, UNKNOWN), Fitting(rows=100))
    assert np.allclose(few.lengthscales, all_of_them.lengthscales, rtol=1e-3)
    posterior = Belief(x, y, np.full(700, UNKNOWN), "matern-5/2", few).at(x)
    assert np.abs(posterior.mean - y).max() < 0.3


def test_coinciding_trials_do_not_break_the_factorisation() -> None:
    x, y = data(10)
    x, y = np.concatenate([x, x, x]), np.concatenate([y, y, y])
    belief = Belief(x, y, np.full(30, 1e-6), "rbf", fit(x, y, np.full(30, 1e-6), Fitting("rbf")))
    assert np.isfinite(belief.at(grid(5, 5).candidates).mean).all()
