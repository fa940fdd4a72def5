"""What stands between the decoder's matrix products, each as one pass over a chunk that lies in cache.

Arrays are float32. A pass may sum in another order than written, but always in the same one; NaN passes through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from numba import float32, njit

from zbo_orchestrator.model import Array


class Chunk(NamedTuple):
    """Pairs of an image and a class, each over one span of pixels: row t * span + p is pixel start + p of pair t."""

    images: Array
    classes: Array
    start: int
    span: int


_SUMS = {"reassoc", "contract", "arcp", "nsz"}


def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, without the interpreter's lock; machine code is kept on disk where possible."""
    try:
        return njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)(kernel)
    except RuntimeError:  # "no locator available": no folder to cache in
        return njit(nogil=True, error_model="numpy", fastmath=_SUMS)(kernel)


@compiled
def tanh(x: Any) -> Any:
    """tanh within 3e-7, by the rational approximation of Eigen's `ptanh`."""
    x = float32(7.905311) if x > float32(7.905311) else x
    x = float32(-7.905311) if x < float32(-7.905311) else x
    s = x * x
    over = s * float32(-2.76076847742355e-16) + float32(2.00018790482477e-13)
    over = s * over + float32(-8.60467152213735e-11)
    over = s * over + float32(5.12229709037114e-08)
    over = s * over + float32(1.48572235717979e-05)
    over = s * over + float32(6.37261928875436e-04)
    over = s * over + float32(4.89352455891786e-03)
    under = s * float32(1.19825839466702e-06) + float32(1.18534705686654e-04)
    under = s * under + float32(2.26843463243900e-03)
    under = s * under + float32(4.89352518554385e-03)
    return x * over / under


@compiled
def enter(chunk: Chunk, points: Array, features: Array, axes: Array, out: Array) -> None:
    """The first layer: out = tanh(axes[0] x + axes[1] y + features[image, class]) at points[image, pixel]."""
    for t in range(len(chunk.images)):
        image = chunk.images[t]
        base = features[image, chunk.classes[t]]
        for p in range(chunk.span):
            x, y = points[image, chunk.start + p, 0], points[image, chunk.start + p, 1]
            row = out[t * chunk.span + p]
            for h in range(len(row)):
                row[h] = tanh(x * axes[0, h] + y * axes[1, h] + base[h])


@compiled
def bend(out: Array, bias: Array) -> None:
    """A layer's activation, in place: tanh(out + bias)."""
    for r in range(len(out)):
        row = out[r]
        for h in range(len(row)):
            row[h] = tanh(row[h] + bias[h])


@compiled
def bend_last(out: Array, bias: Array, weight: Array, logits: Array) -> None:
    """The last activation, in place, and the output but for its bias: logits = weight . tanh(out + bias)."""
    for r in range(len(out)):
        row, total = out[r], float32(0)
        for h in range(len(row)):
            bent = tanh(row[h] + bias[h])
            row[h] = bent
            total += bent * weight[h]
        logits[r] = total


@compiled
def judge(  # noqa: PLR0917  a kernel's arguments are its memory
    chunk: Chunk, logits: Array, offset: float, sigma: float, targets: Array, posterior: Array, losses: Array
) -> Any:
    """Set losses against targets, and turn logits, in place, into the gradient of their mean over the classes by them.

    losses[image, class] gain the negative log likelihood under a Bernoulli (sigma 0) or about a Gaussian's mean, but
    for its constant. Returns the sum of the gradient, which is the output bias's.
    """
    pulled = float32(0)
    for t in range(len(chunk.images)):
        image, kind = chunk.images[t], chunk.classes[t]
        share, total = posterior[image, kind], float32(0)
        for p in range(chunk.span):
            row = t * chunk.span + p
            logit, target = logits[row] + offset, targets[image, chunk.start + p]
            shrunk = math.exp(-abs(logit))
            painted = (float32(1) if logit >= 0 else shrunk) / (float32(1) + shrunk)
            error = painted - target
            if sigma == 0:
                total += max(logit, float32(0)) - logit * target + math.log1p(shrunk)
                logits[row] = share * error
            else:
                total += error * error / (2 * sigma * sigma)
                logits[row] = share * error * painted * (float32(1) - painted) / (sigma * sigma)
            pulled += logits[row]
        losses[image, kind] += total
    return pulled


@compiled
def unbend_last(out: Array, slopes: Array, weight: Array, weight_gradient: Array, bias_gradient: Array) -> None:
    """Back through the output and the last activation: `out` becomes the gradient at the layer."""
    for r in range(len(out)):
        row, pulled = out[r], slopes[r]
        for h in range(len(row)):
            bent = row[h]
            weight_gradient[h] += pulled * bent
            gradient = pulled * weight[h] * (float32(1) - bent * bent)
            bias_gradient[h] += gradient
            row[h] = gradient


@compiled
def unbend(gradient: Array, out: Array, bias_gradient: Array) -> None:
    """Back through an activation, in place."""
    for r in range(len(out)):
        row, bent = gradient[r], out[r]
        for h in range(len(row)):
            row[h] *= float32(1) - bent[h] * bent[h]
            bias_gradient[h] += row[h]


@compiled
def unenter(
    chunk: Chunk, gradient: Array, out: Array, inputs: tuple[Array, Array], gradients: tuple[Array, Array, Array]
) -> None:
    """Back through the first layer, to (points, axes) from inputs, into gradients of (points, features, axes)."""
    points, axes = inputs
    points_gradient, features_gradient, axes_gradient = gradients
    for t in range(len(chunk.images)):
        image = chunk.images[t]
        base = features_gradient[image, chunk.classes[t]]
        for p in range(chunk.span):
            x, y = points[image, chunk.start + p, 0], points[image, chunk.start + p, 1]
            row, bent = gradient[t * chunk.span + p], out[t * chunk.span + p]
            right, up = float32(0), float32(0)
            for h in range(len(row)):
                pulled = row[h] * (float32(1) - bent[h] * bent[h])
                base[h] += pulled
                axes_gradient[0, h] += pulled * x
                axes_gradient[1, h] += pulled * y
                right += pulled * axes[0, h]
                up += pulled * axes[1, h]
            points_gradient[image, chunk.start + p, 0] += right
            points_gradient[image, chunk.start + p, 1] += up
