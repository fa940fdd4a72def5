"""pyroVED's networks as functions of their weights, for several models side by side.

Weights carry pyroVED's names and a leading axis [k] of models. Building a model seeds torch and clears Pyro's store,
so it is done in one place, one at a time, and both are put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from zbo_jrvae.model import Model
from zbo_orchestrator.model import Array
from zbo_orchestrator.pyroved_import import load_pyroved
from zbo_orchestrator.undisturbed import undisturbed

if TYPE_CHECKING:
    from pyroved.models import jiVAE

Weights = Mapping[str, Tensor]

SHIFT_PRIOR = SCALE_PRIOR = 0.1
"""pyroVED's prior deviations of the shifts and of the scale."""

_building = Lock()


class Encoding(NamedTuple):
    """means[k, n, z], deviations[k, n, z], log posterior of the classes[k, n, class]."""

    means: Tensor
    deviations: Tensor
    log_posterior: Tensor


def build(model: Model, seed: int) -> jiVAE:
    """pyroVED's model on the CPU with its own initial weights for that seed."""
    with _building, undisturbed():
        return load_pyroved().models.jiVAE(
            (model.height, model.width),
            model.latent_dim,
            model.classes,
            list(model.invariances) or None,
            hidden_dim_e=list(model.hidden),
            hidden_dim_d=list(model.hidden),
            sampler_d=model.sampler,
            decoder_sig=model.sigma,
            seed=seed,
            device="cpu",
        )


def as_pyroved(model: Model, weights: Mapping[str, Array]) -> jiVAE:
    """pyroVED's model on the CPU with these weights."""
    vae = build(model, 0)
    vae.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in weights.items()})
    return vae


def dense(weights: Weights, layer: str, x: Tensor) -> Tensor:
    """One affine layer: x[k, n, input] -> [k, n, output]."""
    return torch.baddbmm(weights[f"{layer}.bias"][:, None], x, weights[f"{layer}.weight"].transpose(1, 2))


def tanh_layers(model: Model, weights: Weights, network: str, x: Tensor) -> Tensor:
    """The hidden layers of a network, which alternate with their activations in pyroVED's numbering."""
    for depth in range(len(model.hidden)):
        x = dense(weights, f"{network}.fc_layers.{2 * depth}", x).tanh()
    return x


def encode(model: Model, weights: Weights, x: Tensor) -> Encoding:
    """q(z, c | x) of images x[k, n, pixel]."""
    features = tanh_layers(model, weights, "encoder_z", x)
    means, spreads, classes = (dense(weights, f"encoder_z.fc1{head}", features) for head in (1, 2, 3))
    return Encoding(means, softplus(spreads), log_softmax(classes, -1))


def grid(model: Model) -> Tensor:
    """Coordinates [pixel, 2] as pyroVED lays them: the first falls along rows from -1 to 1, the second from 1 to -1."""
    rows, columns = torch.linspace(-1, 1, model.height), torch.linspace(1, -1, model.width)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)


def moved(model: Model, points: Tensor, z: Tensor) -> Tensor:
    """Points [..., p, 2] rotated, scaled, shifted by the first latents of z[..., z], in pyroVED's order."""
    moves = iter(z[..., : model.moves].unbind(-1))
    if "r" in model.invariances:
        angle = next(moves)[..., None]
        x, y = points.unbind(-1)
        cosine, sine = angle.cos(), angle.sin()
        points = torch.stack([x * cosine - y * sine, x * sine + y * cosine], -1)
    shift = torch.stack([next(moves), next(moves)], -1) * SHIFT_PRIOR if "t" in model.invariances else None
    if "s" in model.invariances:
        points = points * (1 + SCALE_PRIOR * next(moves))[..., None, None]
    return points if shift is None else points + shift[..., None, :]


def class_features(model: Model, weights: Weights, layer: str, z: Tensor) -> Tensor:
    """A layer's weights applied to z[k, n, latent_dim] beside each class in turn: [k, n, class, output], no bias."""
    weight = weights[f"{layer}.weight"].transpose(1, 2)
    continuous, classes = weight[:, : model.latent_dim], weight[:, model.latent_dim :]
    return (z @ continuous)[:, :, None] + classes[:, None]
