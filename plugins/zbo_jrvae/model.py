"""What is trained and how: the model, the recipe, and the device they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from zbo_orchestrator.model import ConfigurationError

Invariance = Literal["r", "t", "s"]
Sampler = Literal["bernoulli", "gaussian"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Model:
    """A joint VAE as pyroVED builds it: continuous latents, classes, and which movements of an image it disregards.

    invariances   of rotation, translation, scale; with any of them the decoder paints pixel by pixel from coordinates
    sigma         the gaussian sampler's deviation
    """

    height: int
    width: int
    classes: int
    latent_dim: int = 2
    hidden: tuple[int, ...] = (128, 128)
    invariances: tuple[Invariance, ...] = ("r",)
    sampler: Sampler = "bernoulli"
    sigma: float = 0.5

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def moves(self) -> int:
        """How many latents move the image: an angle, two shifts, a scale."""
        return len(self.invariances) + ("t" in self.invariances)

    @property
    def encoded(self) -> int:
        """Continuous latents in all; those that move the image come first."""
        return self.moves + self.latent_dim


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    pixel_share   the random share of an image's pixels that a step looks at; for models with invariances only
    threads       0: the processors this process may use
    """

    learning_rate: float = 1e-3
    batch: int = 100
    pixel_share: float = 1.0
    device: Device = "auto"
    precision: Precision = "float32"
    threads: int = 0


def resolved(device: Device) -> torch.device:
    """The device meant; raises `ConfigurationError` where a GPU is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device is 'cuda', but torch sees no GPU here; wanted 'auto' or 'cpu'")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
