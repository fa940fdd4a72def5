"""From a source's raw pixels to the images a model trains on: picked, balanced, rotated, normalised, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Protocol

import numpy as np
from annotated_types import Ge, Le
from scipy.ndimage import rotate as rotated

from zbo_orchestrator.model import Array, ConfigurationError, frozen

Normalise = Literal["image", "stack", "none"]
"""What is stretched to fill [0, 1]: each image by itself, all of the source's images as one, or nothing."""

Degrees = Annotated[float, Ge(0), Le(180)]
"""Every image is turned by an angle drawn uniformly within plus or minus this; what comes into view is 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """pixels[n, h, w] as float32, in [0, 1] unless left as they were, and labels[n] as int64 where known."""

    pixels: Array
    labels: Array | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", frozen(self.pixels, np.float32))
        if self.pixels.ndim != 3 or 0 in self.pixels.shape:
            raise ValueError(f"images have shape {self.pixels.shape}; wanted [n, h, w], none of them 0")
        if self.labels is not None:
            object.__setattr__(self, "labels", frozen(self.labels, np.int64))
            if self.labels.shape != self.pixels.shape[:1]:
                raise ValueError(f"labels have shape {self.labels.shape}; wanted [{len(self.pixels)}], one an image")

    def __len__(self) -> int:
        return len(self.pixels)


class RawImages(Protocol):
    """Where images come from, and how they are wanted."""

    def __hash__(self) -> int: ...

    @property
    def use(self) -> str: ...

    @property
    def normalise(self) -> Normalise: ...

    @property
    def balance(self) -> bool: ...

    def files(self) -> tuple[Path, ...]:
        """The files that are read; raises `ConfigurationError` where one is missing."""
        ...

    def raw(self, seed: int, /) -> tuple[Array, Array | None]:
        """pixels[n, h, w], all finite, and labels[n] where known."""
        ...


def prepared(source: RawImages, subset: int | None, seed: int, rotate: float = 0.0) -> Images:
    """The images of a source, `subset` of them or all, in an order drawn by the seed; kept until its files change."""
    return _prepared(source, subset, seed, rotate, tuple(file.stat().st_mtime_ns for file in source.files()))


@lru_cache(maxsize=4)  # every trial of a campaign asks for the same images
def _prepared(source: RawImages, subset: int | None, seed: int, rotate: float, _written: tuple[int, ...]) -> Images:
    picking, turning = np.random.default_rng(seed).spawn(2)
    pixels, labels = source.raw(seed)
    order = picking.permutation(len(pixels))
    if subset is not None and not 1 <= subset <= len(pixels):
        raise ConfigurationError(f"subset: {subset}; {source.use} has {len(pixels)} images, wanted 1 to {len(pixels)}")
    if source.balance:
        order = _balanced(source.use, labels, order, subset)
    order = order[:subset]
    kept = pixels[order]
    if rotate:
        kept = _turned(kept, turning.uniform(-rotate, rotate, len(kept)))
    return Images(_normalised(source, kept, order, pixels), None if labels is None else labels[order])


def _balanced(use: str, labels: Array | None, order: Array, subset: int | None) -> Array:
    """As much of an order as holds equally many of every label: down to the rarest, or an equal share of the subset."""
    if labels is None:
        raise ConfigurationError(f"balance: true; {use} has no labels, wanted them or balance: false")
    kinds, counts = np.unique(labels, return_counts=True)
    rarest = counts.argmin()
    each, rest = divmod(len(kinds) * counts[rarest] if subset is None else subset, len(kinds))
    if rest:
        raise ConfigurationError(
            f"subset: {subset} with balance over {len(kinds)} labels; wanted a multiple of {len(kinds)}"
        )
    if each > counts[rarest]:
        raise ConfigurationError(
            f"subset: {subset} with balance wants {each} images of each of {len(kinds)} labels; "
            f"{use} has {counts[rarest]} of label {kinds[rarest]}"
        )
    first = [np.flatnonzero(labels[order] == kind)[:each] for kind in kinds]
    return np.asarray(order[np.sort(np.concatenate(first))])


def _turned(pixels: Array, degrees: Array) -> Array:
    turned = [rotated(image, angle, reshape=False, order=1) for image, angle in zip(pixels, degrees, strict=True)]
    return np.stack(turned)


def _normalised(source: RawImages, kept: Array, order: Array, pixels: Array) -> Array:
    """The kept images (number `order[n]` of all) stretched; exact for 8 and 16 bits, in double where wider."""
    kept = kept.astype(np.result_type(kept, np.float32))
    if source.normalise == "none":
        return kept
    of = kept if source.normalise == "image" else pixels[None]
    axes = tuple(range(of.ndim))[1:]
    low, high = (end(axis=axes).astype(kept.dtype)[:, None, None] for end in (of.min, of.max))
    if (low == high).any():
        flat = int(np.argmax(low.ravel() == high.ravel()))
        name = f"image {order[flat]} is" if source.normalise == "image" else "all images are"
        raise ConfigurationError(
            f"normalise: {source.normalise}; {name} {low.flat[flat]:g} all over in {source.use}, wanted more values"
        )
    return np.asarray((kept - low) / (high - low))
