"""What trained weights say: where images are in latent space, and what a latent point looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zbo_jrvae import networks
from zbo_jrvae.crew import crew, processors
from zbo_jrvae.model import Model
from zbo_jrvae.networks import Weights, as_pyroved, dense, grid
from zbo_orchestrator.model import Array

__all__ = ["Encoded", "as_pyroved", "decode", "encode", "manifolds"]

ROWS = 4096
"""Image-pixels that go through the network at a time."""


class Encoded(NamedTuple):
    """means[n, z], deviations[n, z], posterior[n, class]; the latents that move the image come first."""

    means: Array
    deviations: Array
    posterior: Array


def encode(model: Model, weights: Mapping[str, Array], pixels: Array) -> Encoded:
    """q(z, c | x) of images pixels[n, h, w]."""
    loaded = _loaded(weights)
    images = torch.from_numpy(np.array(pixels, np.float32).reshape(len(pixels), -1))

    def piece(rows: slice) -> tuple[Tensor, ...]:
        encoding = networks.encode(model, loaded, images[None, rows])
        return encoding.means[0], encoding.deviations[0], encoding.log_posterior[0].exp()

    pieces = _mapped(piece, len(images), max(1, ROWS * 128 // model.pixels))
    return Encoded(*(torch.cat(parts).numpy() for parts in zip(*pieces, strict=True)))


def decode(model: Model, weights: Mapping[str, Array], z: Array, classes: Array) -> Array:
    """Images [n, h, w], not moved, at latents z[n, latent_dim] of classes[n]: the means of p(x | z, c)."""
    loaded = _loaded(weights)
    inputs = torch.cat(
        [
            torch.from_numpy(np.array(z, np.float32)),
            one_hot(torch.from_numpy(np.array(classes, np.int64)), model.classes).float(),
        ],
        1,
    )
    paint = _painted if model.invariances else _drawn
    pieces = _mapped(
        lambda rows: (paint(model, loaded, inputs[rows]).sigmoid(),), len(inputs), max(1, ROWS // model.pixels)
    )
    return torch.cat([images for (images,) in pieces]).view(-1, model.height, model.width).numpy()


def manifolds(model: Model, weights: Mapping[str, Array], grid: int) -> Array:
    """Each class on a grid of normal quantiles, [class, grid*grid, h, w], in the order of pyroVED's `manifold2d`.

    The first latent falls from its 95 % quantile along the grid's rows, the second rises from its 5 %; there are two.
    """
    quantiles = torch.distributions.Normal(0.0, 1.0).icdf(torch.linspace(0.05, 0.95, grid))
    falling = torch.distributions.Normal(0.0, 1.0).icdf(torch.linspace(0.95, 0.05, grid))
    points = torch.stack(torch.meshgrid(falling, quantiles, indexing="ij"), -1).reshape(-1, 2).numpy()
    classes = np.repeat(np.arange(model.classes), len(points))
    images = decode(model, weights, np.tile(points, (model.classes, 1)), classes)
    return images.reshape(model.classes, len(points), model.height, model.width)


def _painted(model: Model, weights: Weights, inputs: Tensor) -> Tensor:
    """Logits [n, pixel] of the decoder that paints from coordinates."""
    first = "decoder.coord_latent"
    seen = dense(weights, f"{first}.fc_coord", grid(model)[None])[0]
    features = inputs @ weights[f"{first}.fc_latent.weight"][0].t()
    hidden = (seen + features[:, None]).tanh().flatten(0, 1)[None]
    return dense(weights, "decoder.out", networks.tanh_layers(model, weights, "decoder", hidden)).view(len(inputs), -1)


def _drawn(model: Model, weights: Weights, inputs: Tensor) -> Tensor:
    """Logits [n, pixel] of the decoder without coordinates."""
    return dense(weights, "decoder.out", networks.tanh_layers(model, weights, "decoder", inputs[None]))[0]


def _loaded(weights: Mapping[str, Array]) -> Weights:
    return {name: torch.from_numpy(np.array(values, np.float32))[None] for name, values in weights.items()}


def _mapped(piece: Callable[[slice], tuple[Tensor, ...]], count: int, size: int) -> list[tuple[Tensor, ...]]:
    """The pieces of `count` rows in order, each made on one core."""

    def quiet(start: int) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return piece(slice(start, start + size))

    with crew(processors(0)) as pool:
        return list(pool.map(quiet, range(0, count, size)))
