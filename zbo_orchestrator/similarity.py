"""How much images differ in structure: DSSIM of many pairs at once, between classes and within them.

SSIM (Wang et al. 2004) is scikit-image's: uniform window, sample covariances, data range 1, mean over the windows that
lie wholly inside the image. It is computed in float64 and equals `skimage.metrics.structural_similarity` to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from zbo_orchestrator.model import Array, frozen

C1, C2 = 0.01**2, 0.03**2
"""What steadies SSIM where images are dark or flat, for values that span 1."""

BLOCK = 2**15
"""Pixels worked on at once: the dozen arrays of a block then stay in a core's cache."""


@cache
def _band(size: int, window: int) -> Array:
    """[pixel, position]: takes a line of pixels to the mean of every window inside it."""
    start = np.arange(size)[:, None] - np.arange(size - window + 1)
    return frozen(((start >= 0) & (start < window)) / window)


def window_means(images: Array, window: int) -> Array:
    """Means over the windows inside images [..., y, x].

    Up to a hundred pixels a side two products with narrow bands are at least as fast as running sums.
    """
    rows, columns = _band(images.shape[-2], window), _band(images.shape[-1], window)
    return np.asarray(rows.T @ (images @ columns))


@dataclass(frozen=True, slots=True)
class Moments:
    """Images [..., y, x] with the mean and sample variance of every window inside them."""

    images: Array
    means: Array
    variances: Array
    window: int

    def __getitem__(self, index: Any) -> Moments:
        return Moments(self.images[index], self.means[index], self.variances[index], self.window)


def _sample(window: int) -> float:
    """What makes a sample's (co)variance of the mean square deviation over a window."""
    return float(window**2 / (window**2 - 1))


def moments(images: Array, window: int) -> Moments:
    """What images [..., y, x] bring to each of their pairs; window is odd and fits into the image."""
    images = np.asarray(images, np.float64)
    means = window_means(images, window)
    return Moments(images, means, _sample(window) * (window_means(images**2, window) - means**2), window)


def ssim(one: Moments, other: Moments) -> Array:
    """SSIM [...] of images with others, leading axes broadcast."""
    product = one.means * other.means
    covariances = _sample(one.window) * (window_means(one.images * other.images, one.window) - product)
    alike = (2 * product + C1) * (2 * covariances + C2)
    alike /= one.means**2 + other.means**2 + C1
    alike /= one.variances + other.variances + C2
    return np.asarray(alike.mean((-2, -1)))


def dssim(one: Moments, other: Moments) -> Array:
    """Structural dissimilarity [...], clip((1 - SSIM) / 2, 0, 1): 0 for equal images."""
    return np.clip((1 - ssim(one, other)) / 2, 0, 1)


def _blocks(count: int, pixels: int) -> Iterator[slice]:
    size = max(1, BLOCK // pixels)
    return (slice(start, start + size) for start in range(0, count, size))


def between(manifolds: Moments) -> float:
    """The DSSIM of two classes, averaged over their cells and summed over the pairs of classes.

    Of manifolds [class, cell, y, x], cells at one latent grid point are compared. The published code does so too (it
    hands the cells to SSIM as a batch); one SSIM of the tiled manifolds would add windows that straddle two cells.
    """
    classes, cells, *shape = manifolds.images.shape
    total = 0.0
    for first in range(classes - 1):
        for block in _blocks(cells, (classes - first - 1) * math.prod(shape)):
            total += float(dssim(manifolds[first, block], manifolds[first + 1 :, block]).sum())
    return float(total / cells)


def within(manifolds: Moments, pairs: int, rng: np.random.Generator) -> Array:
    """The DSSIM [class] between different cells of one class, averaged over random pairs of cells.

    Of manifolds [class, cell, y, x], each pair is taken at most once, and all are where there are no more than `pairs`.
    Every class is measured on the same pairs, so that the numbering of classes does not matter.
    """
    classes, cells, *shape = manifolds.images.shape
    first, second = np.triu_indices(cells, 1)
    drawn = np.sort(rng.choice(len(first), min(pairs, len(first)), replace=False))
    total = np.zeros(classes)
    for each in range(classes):
        for block in _blocks(len(drawn), math.prod(shape)):
            chosen = drawn[block]
            total[each] += dssim(manifolds[each, first[chosen]], manifolds[each, second[chosen]]).sum()
    return total / len(drawn)
