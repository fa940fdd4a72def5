"""How well a VAE explains curves: the evidence lower bound and the reconstruction error, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zbo_orchestrator.decoders.layers import Layers
from zbo_orchestrator.model import Array


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """elbo[n] in nats a curve, and the error[n, x] of the curve decoded from its code's mean."""

    elbo: Array
    error: Array


def encoded(encoder: Layers, curves: Array) -> tuple[Array, Array]:
    """Mean[n, d] and standard deviation[n, d] of q(z|x); the encoder gives means, then deviations before softplus."""
    mean, raw = np.split(encoder(curves), 2, axis=1)
    return mean, np.logaddexp(0.0, raw)


def evidence_bound(
    encoder: Layers, decoder: Layers, curves: Array, sigma: Array, *, samples: int = 16, seed: int = 0
) -> Bound:
    """E log N(x; decoder(z), sigma) - KL(q(z|x) || N(0, 1)), by `samples` draws of z, the KL exact."""
    mean, spread = encoded(encoder, curves)
    divergence = ((mean**2 + spread**2 - 1) / 2 - np.log(spread)).sum(axis=1)
    rng = np.random.default_rng(seed)
    misfit = np.zeros(len(curves))
    for _ in range(samples):
        z = mean + spread * rng.standard_normal(mean.shape)
        misfit += (((curves - decoder(z)) / sigma) ** 2).sum(axis=1) / samples
    likelihood = -misfit / 2 - log_normaliser(sigma)
    return Bound(likelihood - divergence, curves - decoder(mean))


def log_normaliser(sigma: Array) -> float:
    """Sum over sigma[x] of log(sigma sqrt(2 pi))."""
    return float(np.log(sigma * np.sqrt(2 * np.pi)).sum())
