"""The objective against pyroVED's own under Pyro's enumerating ELBO, and its gradients against plain autograd."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyro
import pytest
import torch
from torch.nn.functional import one_hot

from zbo_jrvae.decoding import dense_sweep, surprise
from zbo_jrvae.elbo import Batch, Objective
from zbo_jrvae.model import Model
from zbo_jrvae.networks import build, dense, encode, grid, moved, tanh_layers
from zbo_orchestrator.undisturbed import undisturbed

SAMPLERS = ("bernoulli", "gaussian")
INVARIANCES = ((), ("r",), ("t", "s"), ("r", "t", "s"))


def a_model(**changes):
    return Model(**{"height": 5, "width": 4, "classes": 3, "hidden": (12, 9), "sigma": 0.4} | changes)


def images(count, model, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((1, count, model.pixels), np.float32))


def weights_of(vae, spread=1.0):
    """A leading axis of one model; spread makes the networks do something."""
    return {name: (spread * values)[None].clone() for name, values in vae.state_dict().items()}


def pyroved_losses(vae, x, betas, draws):
    """Pyro's loss per image, once per draw; rows of one long batch would be one draw each as well."""
    elbo = pyro.infer.TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
    guide = pyro.infer.config_enumerate(vae.guide, "parallel", expand=True)
    with undisturbed(), torch.no_grad():
        torch.manual_seed(3)
        losses = [elbo.loss(vae.model, guide, x, scale_factor=list(betas)) / len(x) for _ in range(draws)]
    return np.array(losses)


def our_losses(model, weights, x, betas, draws):
    objective = Objective(model, dense_sweep(torch.float32, 200), grid(model))
    torch_draws = torch.Generator().manual_seed(4)
    rows = []
    for _ in range(draws):
        noise = torch.randn(1, x.shape[1], model.encoded, generator=torch_draws)
        misfit, continuous, discrete = objective.terms(weights, Batch(x, noise))
        rows.append(float(misfit + betas[0] * continuous + betas[1] * discrete) / x.shape[1])
    return np.array(rows)


@pytest.mark.parametrize(("sampler", "invariances"), list(product(SAMPLERS, INVARIANCES)))
def test_the_loss_is_pyroveds_within_its_noise(sampler, invariances):
    model = a_model(sampler=sampler, invariances=invariances)
    x = images(150, model)
    vae = build(model, 5)
    weights = weights_of(vae, 3.0)
    vae.load_state_dict({name: values[0] for name, values in weights.items()})
    for betas in ((1.0, 1.0), (7.0, 0.3), (0.02, 4.0)):
        theirs, ours = pyroved_losses(vae, x[0].view(-1, 5, 4), betas, 24), our_losses(model, weights, x, betas, 24)
        noise = np.hypot(theirs.std(ddof=1), ours.std(ddof=1)) / np.sqrt(24)
        assert abs(theirs.mean() - ours.mean()) < 4 * noise + 1e-5 * abs(theirs.mean())
        assert noise < 0.01 * abs(theirs.mean()), "the comparison would accept anything"
