"""One model's painting as the compiled kernels want it, and its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zbo_jrvae.decoding import Painting, constant
from zbo_jrvae.model import Model
from zbo_orchestrator.model import Array


class Layer(NamedTuple):
    """weight[output, input], the same [input, output], bias[output]."""

    weight: Tensor
    transposed: Tensor
    bias: Array


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A painting of one model, and what belongs to an image: rows that the lane of the image alone writes.

    axes[2, hidden]: the first layer's weights of the points; output[hidden]: the output layer's
    sigma           the gaussian sampler's deviation, 0 for the Bernoulli one
    losses[n, class], points_gradient[n, p, 2], features_gradient[n, class, hidden]
    """

    points: Array
    features: Array
    posterior: Array
    targets: Array
    axes: Array
    layers: tuple[Layer, ...]
    output: Array
    output_bias: np.float32
    sigma: np.float32
    offset: float
    losses: Array
    points_gradient: Array
    features_gradient: Array

    @classmethod
    def of(cls, model: Model, painting: Painting) -> Canvas:
        """The first model's, with gradients of zero."""
        points, features, posterior, targets = (
            tensor[0].contiguous().numpy()
            for tensor in (painting.points, painting.features, painting.posterior, painting.targets)
        )
        *inner, (output, output_bias) = [(weight[0], bias[0]) for weight, bias in painting.layers]
        return cls(
            points,
            features,
            posterior,
            targets,
            axes=painting.coordinates[0].t().contiguous().numpy(),
            layers=tuple(Layer(weight, weight.t().contiguous(), bias.numpy()) for weight, bias in inner),
            output=output[0].numpy(),
            output_bias=output_bias.numpy()[0],
            sigma=np.float32(model.sigma if model.sampler == "gaussian" else 0),
            offset=constant(model) * targets.shape[1],
            losses=np.zeros_like(posterior),
            points_gradient=np.zeros_like(points),
            features_gradient=np.zeros_like(features),
        )

    def gathered(self, parts: Sequence[Gradients]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The sweep's value and gradients, with their axis of one model."""
        losses = self.losses + np.float32(self.offset)
        weights = [torch.stack(same).sum(0) for same in zip(*(part.weights for part in parts), strict=True)]
        biases = [np.sum(same, 0) for same in zip(*(part.biases for part in parts), strict=True)]
        single = ((part.axes, part.output, part.output_bias) for part in parts)
        axes, output, output_bias = (np.sum(same, 0) for same in zip(*single, strict=True))
        layers = [gradient for pair in zip(weights, biases, strict=True) for gradient in pair]
        gradients = self.points_gradient, self.features_gradient, losses, axes.T, *layers, output[None], output_bias
        value = torch.tensor([np.sum(self.posterior * losses, dtype=np.float32)])
        return value, tuple(torch.as_tensor(gradient)[None] for gradient in gradients)


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """One lane's gradients of the weights, shaped as the canvas's."""

    axes: Array
    weights: list[Tensor]
    biases: list[Array]
    output: Array
    output_bias: Array

    @classmethod
    def of(cls, canvas: Canvas) -> Gradients:
        """All zero."""
        return cls(
            np.zeros_like(canvas.axes),
            [torch.zeros_like(layer.weight) for layer in canvas.layers],
            [np.zeros_like(layer.bias) for layer in canvas.layers],
            np.zeros_like(canvas.output),
            np.zeros(1, np.float32),
        )
