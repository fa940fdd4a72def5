"""The sweep on processors: lanes of images on plain threads, each with one chunk in cache at a time.

Matrix products are torch's, each on one core; what stands between them is compiled. A batch is always cut into the
same lanes, and their gradients are added in order, so the bits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zbo_jrvae import kernels
from zbo_jrvae.canvas import Canvas, Gradients
from zbo_jrvae.decoding import Painting, Sweep
from zbo_jrvae.kernels import Chunk
from zbo_jrvae.model import Model
from zbo_orchestrator.model import Array

LANES = 16
"""More processors than this stand idle."""
ROWS = 1024
"""Image-class-pixels in a chunk: with 128 units a layer, each of its buffers takes half a megabyte."""


class Room(NamedTuple):
    """Outputs of the tanh layers, gradients at the outputs of all but the last, logits: one row each of a chunk."""

    outputs: list[Tensor]
    gradients: list[Tensor]
    logits: Array


class Buffers:
    """Room for a chunk of up to `ROWS` rows, used again and again."""

    def __init__(self, widths: Sequence[int]) -> None:
        self._outputs = [torch.empty(ROWS, width) for width in widths]
        self._logits = np.empty(ROWS, np.float32)
        self._gradients = [torch.empty_like(output) for output in self._outputs[:-1]]
        self._rooms: dict[int, Room] = {}

    def room(self, rows: int) -> Room:
        """The first rows; kept, since chunks come in few sizes."""
        if rows not in self._rooms:
            outputs, gradients = ([each[:rows] for each in some] for some in (self._outputs, self._gradients))
            self._rooms[rows] = Room(outputs, gradients, self._logits[:rows])
        return self._rooms[rows]


def chunks(images: range, classes: int, pixels: int) -> Iterator[Chunk]:
    """Every image, class and pixel once, in chunks of at most `ROWS`; an image's pixels stay together if they can."""
    span = -(-pixels // -(-pixels // ROWS))
    pairs = np.repeat(images, classes), np.tile(np.arange(classes), len(images))
    for first in range(0, len(pairs[0]), ROWS // span):
        some = slice(first, first + ROWS // span)
        for start in range(0, pixels, span):
            yield Chunk(pairs[0][some], pairs[1][some], start, min(span, pixels - start))


def forward(canvas: Canvas, into: Gradients, chunk: Chunk, room: Room) -> None:
    """Leave each layer's output, the losses, and the gradient by the logits in the logits' place."""
    *inner, last = canvas.layers
    outputs = room.outputs
    kernels.enter(chunk, canvas.points, canvas.features, canvas.axes, outputs[0].numpy())
    for depth, layer in enumerate(inner):
        torch.mm(outputs[depth], layer.transposed, out=outputs[depth + 1])
        kernels.bend(outputs[depth + 1].numpy(), layer.bias)
    torch.mm(outputs[-2], last.transposed, out=outputs[-1])
    kernels.bend_last(outputs[-1].numpy(), last.bias, canvas.output, room.logits)
    seen = canvas.targets, canvas.posterior, canvas.losses
    into.output_bias[0] += kernels.judge(chunk, room.logits, canvas.output_bias, canvas.sigma, *seen)


def backward(canvas: Canvas, into: Gradients, chunk: Chunk, room: Room) -> None:
    """Add a chunk's gradients; the last output makes room for the gradient at its layer."""
    outputs = room.outputs
    kernels.unbend_last(outputs[-1].numpy(), room.logits, canvas.output, into.output, into.biases[-1])
    pulled = outputs[-1]
    for depth in reversed(range(len(canvas.layers))):
        into.weights[depth].addmm_(pulled.t(), outputs[depth])
        pulled = torch.mm(pulled, canvas.layers[depth].weight, out=room.gradients[depth])
        if depth:
            kernels.unbend(pulled.numpy(), outputs[depth].numpy(), into.biases[depth - 1])
    first = canvas.points_gradient, canvas.features_gradient, into.axes
    kernels.unenter(chunk, pulled.numpy(), outputs[0].numpy(), (canvas.points, canvas.axes), first)


def lane_sweep(pool: Executor, threads: int) -> Sweep:
    """The sweep of one model (k = 1) on so many threads of a pool."""
    rooms: SimpleQueue[Buffers] = SimpleQueue()

    def lane(canvas: Canvas, images: range) -> Gradients:
        into, buffers = Gradients.of(canvas), rooms.get()
        try:
            for chunk in chunks(images, canvas.posterior.shape[1], canvas.targets.shape[1]):
                room = buffers.room(len(chunk.images) * chunk.span)
                forward(canvas, into, chunk, room)
                backward(canvas, into, chunk, room)
        finally:
            rooms.put(buffers)
        return into

    def sweep(model: Model, painting: Painting) -> tuple[Tensor, tuple[Tensor, ...]]:
        canvas = Canvas.of(model, painting)
        if rooms.empty():
            for _ in range(threads):
                rooms.put(Buffers([len(canvas.axes[0]), *(len(layer.bias) for layer in canvas.layers)]))
        cuts = [len(canvas.posterior) * lane // LANES for lane in range(LANES + 1)]
        parts = pool.map(lambda bounds: lane(canvas, range(*bounds)), pairwise(cuts))
        return canvas.gathered(list(parts))

    return sweep
