"""The decoder's part of the objective, over every class and pixel, with its gradient.

The decoder that paints from coordinates is evaluated for each image, class and pixel, which is nearly all the work of
training. Here its expected negative log likelihood and all gradients come from one sweep over chunks: a chunk is sent
forward and at once backward, so that no more than a chunk is ever held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log, pi
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from zbo_jrvae.model import Model
from zbo_jrvae.networks import Weights, class_features, dense


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """One batch as the decoder meets it, with the models' weights.

    points[k, n, p, 2] moved coordinates, features[k, n, class, hidden], posterior[k, n, class], targets[k, n, p],
    layers: (weight[k, output, input], bias[k, output]) of the tanh layers after the first, and of the output.
    coordinates[k, hidden, 2]: the first layer's weights of the points.
    """

    points: Tensor
    features: Tensor
    posterior: Tensor
    targets: Tensor
    coordinates: Tensor
    layers: tuple[tuple[Tensor, Tensor], ...]

    def tensors(self) -> tuple[Tensor, ...]:
        """All but the targets, in the order of the gradients."""
        return self.points, self.features, self.posterior, self.coordinates, *(t for pair in self.layers for t in pair)

    @classmethod
    def of(cls, tensors: tuple[Tensor, ...], targets: Tensor) -> Painting:
        """The reverse of `tensors`."""
        points, features, posterior, coordinates, *rest = tensors
        return cls(points, features, posterior, targets, coordinates, tuple(zip(rest[::2], rest[1::2], strict=True)))


Sweep = Callable[[Model, Painting], tuple[Tensor, tuple[Tensor, ...]]]
"""sweep(model, painting) -> (expected negative log likelihood [k], summed over images; gradients of `tensors()`)."""


class _Swept(torch.autograd.Function):
    """The sweep as a differentiable function of the painting's tensors."""

    @staticmethod
    def forward(ctx: Any, model: Model, sweep: Sweep, targets: Tensor, *tensors: Tensor) -> Tensor:
        value, gradients = sweep(model, Painting.of(tuple(tensor.detach() for tensor in tensors), targets))
        ctx.save_for_backward(*gradients)
        return value

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        pulled = (gradient * outer.view(-1, *[1] * (gradient.ndim - 1)) for gradient in ctx.saved_tensors)
        return None, None, None, *pulled


def reconstruction(model: Model, sweep: Sweep, painting: Painting) -> Tensor:
    """Expected negative log likelihood [k] of the targets, summed over images, differentiable."""
    return _Swept.apply(model, sweep, painting.targets, *painting.tensors())


def features(model: Model, weights: Weights, z: Tensor) -> Tensor:
    """What the first layer of the painting decoder adds to its coordinates' part, for latents z[k, n, z]."""
    first = "decoder.coord_latent"
    seen = class_features(model, weights, f"{first}.fc_latent", z[..., model.moves :])
    return seen + weights[f"{first}.fc_coord.bias"][:, None, None]


def layers(model: Model, weights: Weights) -> tuple[tuple[Tensor, Tensor], ...]:
    """Weights and biases of the painting decoder's layers after the first."""
    names = [f"decoder.fc_layers.{2 * depth}" for depth in range(len(model.hidden))] + ["decoder.out"]
    return tuple((weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in names)


def plain_logits(model: Model, weights: Weights, z: Tensor) -> Tensor:
    """The decoder without coordinates: z[k, n, latent_dim] -> [k, n, class, pixel], before the sigmoid."""
    first = "decoder.fc_layers.0"
    hidden = (class_features(model, weights, first, z) + weights[f"{first}.bias"][:, None, None]).tanh()
    flat = hidden.flatten(1, 2)
    for depth in range(1, len(model.hidden)):
        flat = dense(weights, f"decoder.fc_layers.{2 * depth}", flat).tanh()
    return dense(weights, "decoder.out", flat).view(*hidden.shape[:3], -1)


def constant(model: Model) -> float:
    """The part of a pixel's negative log likelihood that no logit changes."""
    return 0.0 if model.sampler == "bernoulli" else log(model.sigma) + log(2 * pi) / 2


def surprise(model: Model, logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log likelihood of each pixel: Bernoulli from the logits, Gaussian about their sigmoid."""
    if model.sampler == "bernoulli":
        return softplus(logits) - targets * logits
    return ((logits.sigmoid() - targets) / model.sigma).square() / 2 + constant(model)


def slope(model: Model, logits: Tensor, targets: Tensor) -> Tensor:
    """The derivative of `surprise` by the logits."""
    painted = logits.sigmoid()
    error = painted - targets
    return error if model.sampler == "bernoulli" else error * painted * (1 - painted) / model.sigma**2


def chunks(images: int, classes: int, pixels: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Images and pixels cut so that a chunk with all classes has about `rows` rows."""
    span = min(pixels, max(1, rows // classes))
    count = max(1, rows // (classes * span))
    for image in range(0, images, count):
        for pixel in range(0, pixels, span):
            yield slice(image, image + count), slice(pixel, pixel + span)


def dense_sweep(dtype: torch.dtype, rows: int) -> Sweep:
    """The sweep in torch's own operations, on any device, `rows` image-class-pixels of each model at a time."""

    def sweep(model: Model, painting: Painting) -> tuple[Tensor, tuple[Tensor, ...]]:
        gradients = Painting.of(tuple(torch.zeros_like(tensor) for tensor in painting.tensors()), painting.targets)
        images, classes, pixels = *painting.posterior.shape[1:], painting.targets.shape[-1]
        for chunk in chunks(images, classes, pixels, rows):
            _add_chunk(model, painting, gradients, dtype, chunk)
        return (painting.posterior * gradients.posterior).sum((1, 2)), gradients.tensors()

    return sweep


def _add_chunk(
    model: Model, painting: Painting, gradients: Painting, dtype: torch.dtype, chunk: tuple[slice, slice]
) -> None:
    """Forward and backward over some images and pixels; a tanh layer's derivative is 1 - output^2."""
    images, pixels = chunk
    points, targets = painting.points[:, images, pixels], painting.targets[:, images, None, pixels]
    k, n, p, _ = points.shape
    seen = (points.flatten(1, 2) @ painting.coordinates.transpose(1, 2)).view(k, n, 1, p, -1)
    hidden = (seen + painting.features[:, images, :, None]).tanh_()
    shape, outputs = hidden.shape, [hidden.flatten(1, 3).to(dtype)]
    weights = [weight.to(dtype) for weight, _ in painting.layers]
    for weight, (_, bias) in zip(weights[:-1], painting.layers[:-1], strict=True):
        outputs.append(torch.baddbmm(bias[:, None].to(dtype), outputs[-1], weight.transpose(1, 2)).tanh_())
    logits = outputs[-1] @ weights[-1].transpose(1, 2)
    logits = (logits.float() + painting.layers[-1][1][:, None]).view(shape[:4])
    gradients.posterior[:, images] += surprise(model, logits, targets).sum(-1)
    pulled = (slope(model, logits, targets) * painting.posterior[:, images, :, None]).view(k, -1, 1)
    for depth in reversed(range(len(outputs))):
        weight_gradient, bias_gradient = gradients.layers[depth]
        bias_gradient += pulled.sum(1, dtype=torch.float32)
        weight_gradient += pulled.to(dtype).transpose(1, 2) @ outputs[depth]
        pulled = torch.ops.aten.tanh_backward(pulled.to(dtype) @ weights[depth], outputs[depth])
    _add_first_layer(painting, gradients, pulled.float().view(shape), images, pixels)


def _add_first_layer(painting: Painting, gradients: Painting, pulled: Tensor, images: slice, pixels: slice) -> None:
    """Gradients of the coordinate layer from those at its input, pulled[k, n, class, p, hidden]."""
    gradients.features[:, images] += pulled.sum(3)
    together = pulled.sum(2)
    points = painting.points[:, images, pixels].flatten(1, 2)
    gradients.coordinates.add_(together.flatten(1, 2).transpose(1, 2) @ points)
    gradients.points[:, images, pixels] += (together.flatten(1, 2) @ painting.coordinates).view(*together.shape[:3], 2)
