"""A user's own scan: loops and their bias from .npy or .npz files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np

from zbo_microscope.scan import Scan
from zbo_orchestrator.model import Array, ConfigurationError


@dataclass(frozen=True, slots=True)
class LoopFile:
    """Loops [row, column, step] and the bias [step] they were measured under, from one .npz or from two .npy files.

    bias              the second file; null: the bias stands in the .npz
    key, bias_key     the arrays' names in an .npz
    size              position of the last column along x and of the last row along y, the first lie at 0; null: pixels
                      are counted from 0
    unit              of positions
    """

    path: Path
    use: Literal["file"] = "file"
    bias: Path | None = None
    key: str = "response"
    bias_key: str = "bias"
    size: tuple[float, float] | None = None
    unit: str = "px"

    def load(self) -> Scan:
        response = _read(self.path, self.key)
        bias = _read(self.path if self.bias is None else self.bias, self.bias_key)
        size = self.size
        if size is None and response.ndim == 3:
            size = (response.shape[1] - 1.0, response.shape[0] - 1.0)
        return Scan(Path(self.path).name, bias, response, size or (1.0, 1.0), self.unit)


def _read(path: Path, key: str) -> Array:
    """The one array of an .npy, or the one called `key` of an .npz."""
    try:
        loaded = np.load(Path(path).expanduser(), allow_pickle=False)
        return _member(path, loaded, key) if isinstance(loaded, np.lib.npyio.NpzFile) else np.asarray(loaded)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}); wanted .npy or .npz with plain numbers") from error


def _member(path: Path, archive: np.lib.npyio.NpzFile, key: str) -> Array:
    with archive:
        if key not in archive.files:
            raise ConfigurationError(f"{path} holds arrays {', '.join(archive.files)}; wanted one called {key}")
        return np.asarray(archive[key])
