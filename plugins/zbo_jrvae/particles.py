"""Synthetic electron micrographs of clusters of bright discs, as of plasmonic nanoparticles; the label is their number.

They stand in for the nanoparticle images of the jrVAE paper (Biswas et al. 2023), which cannot be fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, MinLen
from scipy.ndimage import gaussian_filter

from zbo_jrvae.clusters import drawn_clusters
from zbo_jrvae.preparation import Images, Normalise, prepared
from zbo_orchestrator.model import Array, ConfigurationError

Range = tuple[Annotated[float, Ge(0)], Annotated[float, Ge(0)]]
"""Ends of a parameter's range; the draw is uniform between them."""

RANGES = ("radius", "separation", "brightness", "background", "blur")
RIM = 0.3
"""How much darker than its rim the middle of a disc is: electrons leave a particle most easily at its edge."""

ROOM = 0.8
"""Most of the side that a square of discs may take up: a cluster is about as wide, whichever way it lies."""

CHUNK = 16
"""Images drawn at once: their pixels stay in the cache."""


@dataclass(frozen=True, slots=True)
class Particles:
    """Images of 1 to 7 bright discs that touch or nearly so, unevenly lit, slightly out of focus, noisy.

    count        images in all, as equal a number of each class as goes
    classes      numbers of discs, which are the labels
    side         of an image, in pixels; other lengths are shares of it
    radius       of each disc
    separation   gap between neighbours, as a share of the sum of their radii
    offset       of the cluster's middle from the image's, at most, in each direction
    brightness   of each disc, before the light falls on it
    background   of each image
    shading      share by which the light falls off or rises from the middle to the edge, at most
    blur         standard deviation of the defocus of each image
    noise        standard deviation of the detector's noise
    dose         electrons a pixel where the brightness is 1; they bring shot noise
    """

    use: Literal["particles"] = "particles"
    count: Annotated[int, Gt(0)] = 500
    classes: Annotated[tuple[Annotated[int, Ge(1), Le(7)], ...], MinLen(1)] = (1, 2, 3, 4, 5, 6, 7)
    side: Annotated[int, Ge(8)] = 96
    radius: Range = (0.095, 0.11)
    separation: Range = (0.0, 0.1)
    offset: Annotated[float, Ge(0)] = 0.02
    brightness: Range = (0.5, 0.8)
    background: Range = (0.12, 0.25)
    shading: Annotated[float, Ge(0), Le(1)] = 0.25
    blur: Range = (0.005, 0.012)
    noise: Annotated[float, Ge(0)] = 0.02
    dose: Annotated[float, Gt(0)] = 100.0
    normalise: Normalise = "image"
    balance: bool = False

    def __post_init__(self) -> None:
        for option in RANGES:
            lower, upper = getattr(self, option)
            if not lower <= upper:
                raise ConfigurationError(f"particles: {option} runs from {lower} to {upper}; wanted lower <= upper")
        if len(set(self.classes)) < len(self.classes):
            raise ConfigurationError(f"particles: classes are {self.classes}; wanted each once")
        across = ceil(sqrt(max(self.classes))) * 2 * self.radius[1] * (1 + self.separation[1])
        if self.radius[0] <= 0 or across > ROOM:
            raise ConfigurationError(
                f"particles: {max(self.classes)} discs of radius {self.radius} reach over {across:.2f} of the side; "
                f"wanted a radius above 0 and at most {ROOM} in all"
            )

    def load(self, subset: int | None, seed: int) -> Images:
        return prepared(self, subset, seed)

    def files(self) -> tuple[Path, ...]:
        return ()

    def raw(self, seed: int) -> tuple[Array, Array]:
        rng = np.random.default_rng(seed)
        labels = np.resize(self.classes, self.count)
        centres, radii = drawn_clusters(rng, labels, self.radius, self.separation, self.offset)
        pixels = np.empty((self.count, self.side, self.side), np.float32)
        for start in range(0, self.count, CHUNK):
            part = slice(start, start + CHUNK)
            pixels[part] = self._micrographs(rng, self.side * centres[part], self.side * radii[part])
        return pixels, labels

    def _micrographs(self, rng: np.random.Generator, centres: Array, radii: Array) -> Array:
        """Images [n, side, side] in [0, 1] of discs, whose centres [n, disc, 2] and radii [n, disc] are in pixels."""
        n = len(centres)
        scene = np.ones((n, self.side, self.side), np.float32) * _column(rng.uniform(*self.background, n))
        brightness = rng.uniform(*self.brightness, radii.shape)
        for disc in range(radii.shape[1]):
            there = np.flatnonzero(radii[:, disc])
            _add_discs(scene, there, centres[there, disc], radii[there, disc], brightness[there, disc])
        scene *= self._light(rng, n)
        for image, blur in zip(scene, rng.uniform(*self.blur, n), strict=True):
            gaussian_filter(image, blur * self.side, output=image, truncate=3.0)
        # Shot noise in its normal limit: from some ten electrons on it looks the same, and is quicker to draw.
        spread = np.sqrt(scene / self.dose + self.noise**2)
        scene += spread * rng.standard_normal(scene.shape, np.float32)
        return scene.clip(0, 1)

    def _light(self, rng: np.random.Generator, n: int) -> Array:
        """Illumination [n, side, side]: a plane that rises in a random direction, 1 in the middle."""
        slope = rng.uniform(0, self.shading, n)
        angle = rng.uniform(0, 2 * np.pi, n)
        x = np.linspace(-1, 1, self.side, dtype=np.float32)
        rise = _column(slope * np.cos(angle)) * x + _column(slope * np.sin(angle)) * x[:, None]
        return np.asarray(1 + rise / np.sqrt(2))


def _add_discs(scene: Array, there: Array, centres: Array, radii: Array, brightness: Array) -> None:
    """Draw one disc into each of the images `there`; its edge is one pixel wide, and its rim the brightest."""
    pixel = np.arange(scene.shape[1], dtype=np.float32) + 0.5
    across, down = (_column(centres[:, axis]) for axis in (0, 1))
    away = np.sqrt((pixel - across) ** 2 + (pixel[:, None] - down) ** 2)
    cover = (_column(radii) - away + 0.5).clip(0, 1)
    level = _column(brightness) * (1 - RIM + RIM * (away / _column(radii)) ** 2)
    scene[there] += cover * (level - scene[there])


def _column(values: Array) -> Array:
    """values[n] to go with images [n, h, w], as float32."""
    return values.astype(np.float32)[:, None, None]
