"""The sweep on processors: lanes of images on plain threads, each with one chunk in cache at a time.

Matrix products are torch's, each on one core; what stands between them is compiled. A batch is cut into lanes by what
is in it alone, and their gradients are added in order, so the bits do not depend on the number of threads.

A pair of an image and a class to which it hardly belongs adds nothing: where its posterior is less than `NEGLIGIBLE`
of the class's largest in the batch, it is below rounding in every sum that it enters, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from queue import SimpleQueue

import numpy as np
import torch
from torch import Tensor

from zbo_jrvae import kernels
from zbo_jrvae.decoding import Painting, Sweep, constant
from zbo_jrvae.kernels import Chunk
from zbo_jrvae.model import Model
from zbo_orchestrator.model import Array

LANES = 16
ROWS = 1024
"""Image-class-pixels in a chunk: with 128 units a layer, each of its buffers is half a megabyte."""
NEGLIGIBLE = 1e-9


class Buffers:
    """Room for one chunk: outputs of the tanh layers, gradients at the outputs of all but the last, logits."""

    def __init__(self, widths: Sequence[int]) -> None:
        self._outputs = [torch.empty(ROWS, width) for width in widths]
        self._gradients = [torch.empty(ROWS, width) for width in widths[:-1]]
        self._logits = np.empty(ROWS, np.float32)

    def first(self, rows: int) -> tuple[list[Tensor], list[Tensor], Array]:
        """Outputs, gradients and logits for a chunk of so many rows."""
        return [each[:rows] for each in self._outputs], [each[:rows] for each in self._gradients], self._logits[:rows]


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """One model's painting and its gradients; lanes write the rows of `by_image` that belong to their images.

    axes[2, hidden]: the first layer's weights of the points
    """

    model: Model
    painting: Painting
    axes: Array
    by_image: Painting

    @classmethod
    def of(cls, model: Model, painting: Painting) -> Canvas:
        """A canvas with its gradients at zero."""
        alone = Painting.of(
            tuple(tensor[0].contiguous() for tensor in painting.tensors()), painting.targets[0].contiguous()
        )
        blank = Painting.of(tuple(torch.zeros_like(tensor) for tensor in alone.tensors()), alone.targets)
        return cls(model, alone, alone.coordinates.t().contiguous().numpy(), blank)


class Lane:
    """Some images of a canvas with their classes, and the gradients of the weights from them."""

    def __init__(self, canvas: Canvas, images: Array, classes: Array) -> None:
        self._canvas, self._images, self._classes = canvas, images, classes
        self.axes = np.zeros_like(canvas.axes)
        self.layers = [(torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in canvas.painting.layers]

    def run(self, rooms: SimpleQueue[Buffers]) -> None:
        """Sweep over all chunks in buffers that nobody else has."""
        buffers = rooms.get()
        try:
            for chunk in self._chunks():
                outputs, gradients, logits = buffers.first(len(chunk.images) * chunk.span)
                self._forward(chunk, outputs, logits)
                self._backward(chunk, outputs, gradients, logits)
        finally:
            rooms.put(buffers)

    def _chunks(self) -> Iterator[Chunk]:
        pixels = self._canvas.painting.targets.shape[-1]
        span = -(-pixels // -(-pixels // ROWS))
        for first in range(0, len(self._images), ROWS // span):
            pairs = slice(first, first + ROWS // span)
            for start in range(0, pixels, span):
                yield Chunk(self._images[pairs], self._classes[pairs], start, min(span, pixels - start))

    def _forward(self, chunk: Chunk, outputs: list[Tensor], logits: Array) -> None:
        """Leave each layer's output, and the gradient by the logits in their place."""
        painting = self._canvas.painting
        *inner, (weight, bias), (last_weight, last_bias) = painting.layers
        kernels.enter(chunk, painting.points.numpy(), painting.features.numpy(), self._canvas.axes, outputs[0].numpy())
        for depth, (inner_weight, inner_bias) in enumerate(inner):
            torch.mm(outputs[depth], inner_weight.t(), out=outputs[depth + 1])
            kernels.bend(outputs[depth + 1].numpy(), inner_bias.numpy())
        torch.mm(outputs[-2], weight.t(), out=outputs[-1])
        kernels.bend_last(outputs[-1].numpy(), bias.numpy(), last_weight[0].numpy(), logits)
        sigma = np.float32(self._canvas.model.sigma if self._canvas.model.sampler == "gaussian" else 0)
        targets, posterior = painting.targets.numpy(), painting.posterior.numpy()
        losses = self._canvas.by_image.posterior.numpy()
        self.layers[-1][1].numpy()[0] += kernels.judge(
            chunk, logits, last_bias.numpy()[0], sigma, targets, posterior, losses
        )

    def _backward(self, chunk: Chunk, outputs: list[Tensor], gradients: list[Tensor], slopes: Array) -> None:
        """Add this chunk's gradients; the last output makes room for the gradient at its layer."""
        painting, by_image = self._canvas.painting, self._canvas.by_image
        last_weight, bias_gradient = painting.layers[-1][0][0].numpy(), self.layers[-2][1].numpy()
        kernels.unbend_last(outputs[-1].numpy(), slopes, last_weight, self.layers[-1][0][0].numpy(), bias_gradient)
        pulled = outputs[-1]
        for depth in reversed(range(len(gradients))):
            self.layers[depth][0].addmm_(pulled.t(), outputs[depth])
            pulled = torch.mm(pulled, painting.layers[depth][0], out=gradients[depth])
            if depth:
                kernels.unbend(pulled.numpy(), outputs[depth].numpy(), self.layers[depth - 1][1].numpy())
        inputs = painting.points.numpy(), self._canvas.axes
        into = by_image.points.numpy(), by_image.features.numpy(), self.axes
        kernels.unenter(chunk, pulled.numpy(), outputs[0].numpy(), inputs, into)


def lane_sweep(pool: Executor, threads: int) -> Sweep:
    """The sweep of one model (k = 1) on so many threads of a pool."""
    rooms: SimpleQueue[Buffers] = SimpleQueue()

    def sweep(model: Model, painting: Painting) -> tuple[Tensor, tuple[Tensor, ...]]:
        if rooms.empty():
            for _ in range(threads):
                rooms.put(Buffers([weight.shape[2] for weight, _ in painting.layers]))
        canvas = Canvas.of(model, painting)
        lanes = [Lane(canvas, *pairs) for pairs in cut(canvas.painting.posterior.numpy())]
        list(pool.map(lambda lane: lane.run(rooms), lanes))
        return _gathered(canvas, lanes)

    return sweep


def cut(posterior: Array) -> list[tuple[Array, Array]]:
    """The pairs (images, classes) worth sweeping under posterior[image, class], in lanes of about as many each.

    An image's pairs stay together.
    """
    images, classes = np.nonzero(~(posterior < NEGLIGIBLE * posterior.max(0)))  # a NaN stays in
    starts = np.unique(np.searchsorted(images, images[np.arange(LANES) * len(images) // LANES]))
    return [(images[a:b], classes[a:b]) for a, b in pairwise([*starts, len(images)])]


def _gathered(canvas: Canvas, lanes: Sequence[Lane]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The value and the gradients, with their axis of one model."""
    by_image = canvas.by_image
    losses = by_image.posterior.add_(constant(canvas.model) * canvas.painting.targets.shape[-1])
    axes = torch.from_numpy(np.sum([lane.axes for lane in lanes], 0)).t()
    layers = [
        torch.stack(parts).sum(0)
        for layer in zip(*(lane.layers for lane in lanes), strict=True)
        for parts in zip(*layer, strict=True)
    ]
    gradients = by_image.points, by_image.features, losses, axes, *layers
    value = (canvas.painting.posterior * losses).sum()
    return value[None], tuple(gradient[None] for gradient in gradients)
