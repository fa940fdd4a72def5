"""The training loop of the VAE: its objective differentiated by hand, in buffers that are allocated once.

The objective is pyroVED's, the negative ELBO of a Gaussian decoder, with the Kullback-Leibler term in closed form
instead of sampled, which leaves its expectation and lowers its variance. Adam runs under a one-cycle learning rate: up
over the first fifth, then down a cosine to nothing, which reaches in 30 epochs what a constant rate does not in 75.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sqrt

import torch
from torch import Tensor

from zbo_orchestrator.model import Report

_WARM_UP = 0.2
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: epochs over the data, curves a step, the learning rate's peak."""

    epochs: int
    batch: int
    peak: float

    def rate(self, share: float) -> float:
        """The learning rate when `share` of all steps is done."""
        if share < _WARM_UP:
            return self.peak * max(share / _WARM_UP, 1e-3)
        return self.peak * max((1 + cos(pi * (share - _WARM_UP) / (1 - _WARM_UP))) / 2, 1e-3)


class Stack:
    """Dense layers with tanh between, their gradients, and room for one batch; weights are [input, output]."""

    def __init__(self, sizes: Sequence[int], values: Iterator[Tensor], gradients: Iterator[Tensor], batch: int) -> None:
        shapes = list(pairwise(sizes))
        self.weights, self.biases = _paired(values, shapes)
        self.weight_gradients, self.bias_gradients = _paired(gradients, shapes)
        self.outputs = [torch.empty(batch, size) for size in sizes[1:]]
        self.input_gradients = [torch.empty(batch, size) for size in sizes[:-1]]

    def forward(self, x: Tensor) -> Tensor:
        last = len(self.weights) - 1
        for depth, out in enumerate(self.outputs):
            torch.addmm(self.biases[depth], x, self.weights[depth], out=out)
            x = out.tanh_() if depth < last else out
        return x

    def backward(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Fill the parameters' gradients for the batch last sent forward; returns the gradient at its input."""
        for depth in reversed(range(len(self.weights))):
            source = self.outputs[depth - 1] if depth else x
            torch.mm(source.t(), gradient, out=self.weight_gradients[depth])
            torch.sum(gradient, 0, out=self.bias_gradients[depth])
            torch.mm(gradient, self.weights[depth].t(), out=self.input_gradients[depth])
            gradient = self.input_gradients[depth]
            if depth:
                torch.ops.aten.tanh_backward.grad_input(gradient, source, grad_input=gradient)
        return gradient


class Autoencoder:
    """Encoder and decoder over one flat parameter vector, and the gradient of the mean negative ELBO of a batch."""

    def __init__(self, inputs: int, latent: int, hidden: Sequence[int], batch: int, deviation: float) -> None:
        self.sizes = [inputs, *hidden, 2 * latent], [latent, *hidden[::-1], inputs]
        counts = [size for sizes in self.sizes for size in _counts(sizes)]
        self.parameters = torch.zeros(sum(counts))
        self.gradients = torch.zeros(sum(counts))
        values, gradients = (iter(torch.split(flat, counts)) for flat in (self.parameters, self.gradients))
        self.encoder, self.decoder = (Stack(sizes, values, gradients, batch) for sizes in self.sizes)
        self.latent, self.batch, self.precision = latent, batch, 1 / deviation**2
        self.code_gradient = torch.empty(batch, 2 * latent)

    def loss_and_gradient(self, x: Tensor, noise: Tensor) -> Tensor:
        """Mean of |x - x'|^2 / (2 deviation^2) + KL(q(z|x) || N(0, 1)) at z = mean + spread * noise; [] tensor."""
        code = self.encoder.forward(x)
        mean, raw = code[:, : self.latent], code[:, self.latent :]
        spread = torch.nn.functional.softplus(raw)
        z = torch.addcmul(mean, spread, noise)
        error = self.decoder.forward(z).sub_(x)
        surplus = (mean.square() + spread.square()).sum() / 2 - spread.log().sum()
        flat = error.view(-1)
        loss = (torch.dot(flat, flat) * (self.precision / 2) + surplus) / self.batch - self.latent / 2
        pulled = self.decoder.backward(z, error.mul_(self.precision / self.batch))
        torch.add(pulled, mean, alpha=1 / self.batch, out=self.code_gradient[:, : self.latent])
        narrowing = (spread - spread.reciprocal()).mul_(1 / self.batch)
        torch.mul(narrowing.addcmul_(pulled, noise), raw.sigmoid(), out=self.code_gradient[:, self.latent :])
        self.encoder.backward(x, self.code_gradient)
        return loss


def descend(model: Autoencoder, data: Tensor, schedule: Schedule, seed: int, report: Report) -> list[float]:
    """Fit the model to data[n, input] in place; returns the mean loss of each epoch. Raises what `report` raises."""
    step = _adam(model.parameters, model.gradients)
    generator = torch.Generator().manual_seed(seed)
    batches = len(data) // model.batch
    losses = []
    for epoch in range(schedule.epochs):
        order = torch.randperm(len(data), generator=generator)
        shuffled, noise = data[order], torch.randn(len(data), model.latent, generator=generator)
        total = torch.zeros(())
        for number in range(batches):
            rows = slice(number * model.batch, (number + 1) * model.batch)
            total += model.loss_and_gradient(shuffled[rows], noise[rows])
            done = epoch * batches + number
            step(done + 1, schedule.rate(done / (schedule.epochs * batches)))
        losses.append(float(total) / batches)
        report(epoch + 1, schedule.epochs, loss=losses[-1])
    return losses


def _adam(parameters: Tensor, gradients: Tensor) -> Callable[[int, float], None]:
    """One Adam step (Kingma and Ba 2015) over the flat vector: step(number from 1, learning rate)."""
    first, second, scale = (torch.zeros_like(parameters) for _ in range(3))
    a, b = _BETAS

    def step(number: int, rate: float) -> None:
        first.lerp_(gradients, 1 - a)
        second.mul_(b).addcmul_(gradients, gradients, value=1 - b)
        torch.sqrt(second, out=scale).div_(sqrt(1 - b**number)).add_(_EPSILON)
        parameters.addcdiv_(first, scale, value=-rate / (1 - a**number))

    return step


def _counts(sizes: Sequence[int]) -> Iterator[int]:
    for inputs, outputs in pairwise(sizes):
        yield inputs * outputs
        yield outputs


def _paired(flat: Iterator[Tensor], shapes: Sequence[tuple[int, int]]) -> tuple[list[Tensor], list[Tensor]]:
    """Weight and bias views, taken in turn."""
    weights, biases = [], []
    for shape in shapes:
        weights.append(next(flat).view(shape))
        biases.append(next(flat))
    return weights, biases
