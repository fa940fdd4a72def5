"""A user's own images: a stack in .npy or .npz, labels beside it, and every malformation named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np

from zbo_jrvae.preparation import Images, Normalise, prepared
from zbo_orchestrator.model import Array, ConfigurationError


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Images [n, h, w] of a .npy or .npz file; labels [n], whole numbers, from a second file or an array of the .npz.

    key, labels_key   the arrays' names in an .npz that holds several
    """

    path: Path
    use: Literal["file"] = "file"
    labels: Path | None = None
    key: str | None = None
    labels_key: str | None = None
    normalise: Normalise = "image"
    balance: bool = False

    def load(self, subset: int | None, seed: int) -> Images:
        return prepared(self, subset, seed)

    def files(self) -> tuple[Path, ...]:
        files = tuple(Path(file).expanduser() for file in (self.path, self.labels) if file is not None)
        for file in files:
            if not file.is_file():
                raise ConfigurationError(f"{file} is not a file; wanted one in .npy or .npz")
        return files

    def raw(self, _seed: int) -> tuple[Array, Array | None]:
        files = self.files()
        pixels = _images(files[0], _read(files[0], self.key))
        if self.labels is None and self.labels_key is None:
            return pixels, None
        return pixels, _labels(files[-1], _read(files[-1], self.labels_key), len(pixels))


def _read(path: Path, key: str | None) -> Array:
    try:
        loaded = np.load(path, allow_pickle=False)
        return _member(path, loaded, key) if isinstance(loaded, np.lib.npyio.NpzFile) else _only(path, loaded, key)
    except (ValueError, BadZipFile, EOFError) as error:
        # An array of objects is how NumPy saves images of uneven sizes, and would need a pickle to read.
        raise ConfigurationError(
            f"{path} cannot be read ({error}); wanted .npy or .npz with plain numbers, all images of one size"
        ) from error


def _member(path: Path, archive: np.lib.npyio.NpzFile, key: str | None) -> Array:
    with archive:
        names = sorted(archive.files)
        chosen = names[0] if key is None and len(names) == 1 else key
        if chosen not in names:
            raise ConfigurationError(f"{path} holds arrays {names}; wanted a key that is one of them, not {key!r}")
        return np.asarray(archive[chosen])


def _only(path: Path, array: Array, key: str | None) -> Array:
    if key is not None:
        raise ConfigurationError(f"{path} holds one array without a name; wanted no key, not {key!r}")
    return array


def _images(path: Path, pixels: Array) -> Array:
    if pixels.dtype.kind not in "fiub":
        raise ConfigurationError(f"{path} holds {pixels.dtype} values; wanted images of real numbers")
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ConfigurationError(f"{path} holds shape {pixels.shape}; wanted images [n, h, w], none of them 0")
    if not np.isfinite(pixels).all():
        image, row, column = np.argwhere(~np.isfinite(pixels))[0]
        value = pixels[image, row, column]
        raise ConfigurationError(f"{path}: image {image} is {value} at pixel [{row}, {column}]; wanted finite numbers")
    return pixels


def _labels(path: Path, labels: Array, count: int) -> Array:
    if labels.dtype.kind not in "fiub":
        raise ConfigurationError(f"{path} holds {labels.dtype} values; wanted labels, whole numbers")
    if labels.shape != (count,):
        raise ConfigurationError(f"{path} holds labels of shape {labels.shape}; wanted [{count}], one an image")
    broken = ~np.isfinite(labels) | (labels != np.round(labels))
    if broken.any():
        first = int(broken.argmax())
        raise ConfigurationError(f"{path}: label {first} is {labels[first]}; wanted whole numbers")
    return labels.astype(np.int64)
