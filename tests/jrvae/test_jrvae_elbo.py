"""The objective against pyroVED's own: its value under Pyro's enumerating ELBO, its gradient by plain autograd."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pyro
import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence
from torch.nn.functional import one_hot

from zbo_jrvae.decoding import dense_sweep
from zbo_jrvae.elbo import Batch, Objective
from zbo_jrvae.lanes import lane_sweep
from zbo_jrvae.model import Model
from zbo_jrvae.networks import build, grid
from zbo_orchestrator.pyroved_import import load_pyroved
from zbo_orchestrator.undisturbed import undisturbed

INVARIANCES = ((), ("r",), ("s", "t"), ("r", "t", "s"))


def a_case(sampler, invariances, count):
    """A model, pyroVED's with weights far enough from their initial ones to matter, ours, and images."""
    model = Model(5, 4, 3, hidden=(12, 9), invariances=invariances, sampler=sampler, sigma=0.4)
    vae = build(model, 5)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.mul_(2)
    weights = {name: values[None].clone() for name, values in vae.state_dict().items()}
    x = torch.from_numpy(np.random.default_rng(0).random((count, model.pixels), np.float32))
    return model, vae, weights, x


def by_pyro(vae, x, betas, draws):
    """The loss per image, once for each draw."""
    elbo = pyro.infer.TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
    guide = pyro.infer.config_enumerate(vae.guide, "parallel", expand=True)
    with undisturbed(), pyro.get_param_store().scope(), torch.no_grad():
        torch.manual_seed(3)
        shaped = x.view(-1, *vae.data_dim)
        return np.array([elbo.loss(vae.model, guide, shaped, scale_factor=list(betas)) for _ in range(draws)]) / len(x)


def by_us(model, weights, x, betas, draws):
    objective, generator = Objective(model, dense_sweep(torch.float32, 5000), grid(model)), torch.Generator()
    losses = []
    for _ in range(draws):
        noise = torch.randn(1, len(x), model.encoded, generator=generator)
        misfit, continuous, discrete = objective.terms(weights, Batch(x[None], noise))
        losses.append(float(misfit + betas[0] * continuous + betas[1] * discrete) / len(x))
    return np.array(losses)


@pytest.mark.parametrize(("sampler", "invariances"), product(("bernoulli", "gaussian"), INVARIANCES))
def test_the_loss_is_pyroveds_within_its_noise(sampler, invariances):
    model, vae, weights, x = a_case(sampler, invariances, 300)
    for betas in ((1.0, 1.0), (5.0, 0.3), (0.02, 20.0)):
        theirs, ours = by_pyro(vae, x, betas, 8), by_us(model, weights, x, betas, 8)
        noise = np.hypot(theirs.std(ddof=1), ours.std(ddof=1)) / np.sqrt(8)
        assert abs(theirs.mean() - ours.mean()) < 5 * noise + 1e-6 * abs(theirs.mean())
        assert noise < 0.02 * abs(theirs.mean()), "so much noise would hide anything"


def plain_loss(model, vae, x, noise, betas):
    """The objective as one writes it, of pyroVED's own networks, for given draws."""
    means, deviations, posterior = vae.encoder_z(x)
    z, total = means + deviations * noise, torch.zeros(())
    for kind in range(model.classes):
        chosen = one_hot(torch.tensor(kind), model.classes).to(x).expand(len(x), -1)
        if model.invariances:
            angle, shift, scale, content = vae.split_latent(z)
            if "t" in model.invariances:
                shift = (shift * vae.t_prior).unsqueeze(1)
            points = vae.grid.to(x).expand(len(x), -1, -1)
            transform = load_pyroved().utils.transform_coordinates
            painted = vae.decoder(transform(points, angle, shift, scale), [content, chosen])
        else:
            painted = vae.decoder([z, chosen])
        misfit = -vae.sampler_d(painted.view(len(x), -1)).log_prob(x).sum(-1)
        total = total + (posterior[:, kind] * misfit).sum()
    continuous = kl_divergence(Normal(means, deviations), Normal(0.0, 1.0)).sum()
    discrete = kl_divergence(Categorical(posterior), Categorical(torch.ones_like(posterior))).sum()
    return total + betas[0] * continuous + betas[1] * discrete


@pytest.mark.parametrize(("sampler", "invariances"), product(("bernoulli", "gaussian"), INVARIANCES))
def test_loss_and_gradients_are_those_of_the_plain_formula(sampler, invariances):
    model, vae, weights, x = a_case(sampler, invariances, 7)
    noise, betas = torch.randn(7, model.encoded, generator=torch.Generator()), (2.0, 0.5)
    vae.double()
    loss = plain_loss(model, vae, x.double(), noise.double(), betas)
    wanted = dict(zip(weights, torch.autograd.grad(loss, list(vae.parameters())), strict=True))
    with ThreadPoolExecutor(2) as pool:
        for sweep in (dense_sweep(torch.float32, 50), lane_sweep(pool, 2)):
            leaves = {name: values.clone().requires_grad_() for name, values in weights.items()}
            parts = Objective(model, sweep, grid(model)).terms(leaves, Batch(x[None], noise[None]))
            ours = (parts[0] + betas[0] * parts[1] + betas[1] * parts[2]).sum()
            assert ours.item() == pytest.approx(loss.item(), rel=1e-6)
            for name, gradient in zip(leaves, torch.autograd.grad(ours, list(leaves.values())), strict=True):
                error = (gradient[0] - wanted[name]).abs().max() / wanted[name].abs().max()
                assert error < 2e-5, name
