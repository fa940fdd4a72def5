"""What a jrVAE is trained on: the sources of images that a campaign file can name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.datasets import load_digits

from zbo_jrvae.idx import read_idx
from zbo_jrvae.image_file import ImageFile
from zbo_jrvae.particles import Particles
from zbo_jrvae.preparation import Degrees, Images, Normalise, prepared
from zbo_orchestrator.model import Array, ConfigurationError

__all__ = ["Digits", "ImageFile", "Images", "Mnist", "Particles", "Source"]


@dataclass(frozen=True, slots=True)
class Digits:
    """The 1,797 scanned digits of 8 x 8 pixels that come with scikit-learn, in [0, 1]."""

    use: Literal["digits"] = "digits"
    rotate: Degrees = 0.0
    normalise: Normalise = "none"
    balance: bool = False

    def load(self, subset: int | None, seed: int) -> Images:
        return prepared(self, subset, seed, self.rotate)

    def files(self) -> tuple[Path, ...]:
        return ()

    def raw(self, _seed: int) -> tuple[Array, Array]:
        digits = load_digits()
        return digits.images / 16, digits.target


@dataclass(frozen=True, slots=True)
class Mnist:
    """MNIST's digits of 28 x 28 pixels, in [0, 1], from a folder with its IDX files, gzipped or not."""

    folder: Path
    use: Literal["mnist"] = "mnist"
    part: Literal["train", "test"] = "train"
    rotate: Degrees = 0.0
    normalise: Normalise = "none"
    balance: bool = False

    def load(self, subset: int | None, seed: int) -> Images:
        return prepared(self, subset, seed, self.rotate)

    def files(self) -> tuple[Path, ...]:
        return self._file("images", 3), self._file("labels", 1)

    def raw(self, _seed: int) -> tuple[Array, Array]:
        images, answers = self.files()
        pixels, labels = read_idx(images, axes=3), read_idx(answers, axes=1)
        if len(pixels) != len(labels):
            raise ConfigurationError(
                f"{self.folder} has {len(pixels)} images and {len(labels)} labels of the {self.part} part; "
                "wanted one label an image"
            )
        return pixels.astype(np.float32) / 255, labels

    def _file(self, what: str, axes: int) -> Path:
        folder = Path(self.folder).expanduser()
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is not a folder; wanted one with MNIST's IDX files")
        start = f"{'t10k' if self.part == 'test' else 'train'}-{what}"
        names = [f"{start}{joint}idx{axes}-ubyte{end}" for joint in "-." for end in ("", ".gz")]
        for name in names:
            if (folder / name).is_file():
                return folder / name
        raise ConfigurationError(f"{folder} has no {start} file; wanted one of {', '.join(names)}")


Source = Digits | Mnist | Particles | ImageFile
"""Each loads with `load(subset, seed)`: the same images, in the same order, for the same seed."""
