"""Reading a user's curves from .npy, .npz and .csv, with every malformation named."""

from __future__ import annotations

import csv
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError


def read_curves(path: Path, key: str | None = None) -> Array:
    """Curves [curve, step, channel] as float64; finiteness is checked by the library, not here."""
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file; wanted curves in .npy, .npz or .csv")
    match path.suffix.lower():
        case ".npy" | ".npz":
            return _shaped(path, _read_numpy(path, key))
        case ".csv":
            return _shaped(path, _read_csv(path))
        case other:
            raise ConfigurationError(f"{path} ends in {other!r}; wanted .npy, .npz or .csv")


def resampled(curves: Array, steps: int) -> Array:
    """Curves [curve, step, channel] on `steps` evenly spaced instants between the same ends, by straight lines."""
    given = curves.shape[1]
    if given == steps:
        return curves
    position = np.linspace(0.0, given - 1.0, steps)
    left = np.minimum(position.astype(int), max(given - 2, 0))
    right = np.minimum(left + 1, given - 1)
    share = (position - left)[:, None]
    return np.asarray(curves[:, left] * (1 - share) + curves[:, right] * share)


def _read_numpy(path: Path, key: str | None) -> Array:
    try:
        loaded = np.load(path, allow_pickle=False)
        return np.asarray(loaded if path.suffix.lower() == ".npy" else _member(path, loaded, key))
    except (ValueError, BadZipFile, EOFError) as error:
        # An array of objects is how NumPy saves curves of uneven lengths, and would need a pickle to read.
        raise ConfigurationError(
            f"{path} cannot be read ({error}); wanted one array of numbers, every curve of the same length"
        ) from error


def _member(path: Path, archive: np.lib.npyio.NpzFile, key: str | None) -> Array:
    names = sorted(archive.files)
    chosen = names[0] if key is None and len(names) == 1 else key
    if chosen not in names:
        raise ConfigurationError(f"{path} holds arrays {names}; wanted key: one of them, not {key!r}")
    return np.asarray(archive[chosen])


def _read_csv(path: Path) -> Array:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = [(number, row) for number, row in enumerate(csv.reader(lines), start=1) if row]
    if rows and not _is_number(rows[0][1][0]):
        rows = rows[1:]  # a header
    if not rows:
        raise ConfigurationError(f"{path} holds no rows; wanted one curve a row")
    length = len(rows[0][1])
    for number, row in rows:
        if len(row) != length:
            raise ConfigurationError(f"{path} line {number} has {len(row)} values; wanted {length}, as the first curve")
    return np.array([[_number(path, number, text) for text in row] for number, row in rows])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigurationError(f"{path} line {line} holds {text!r}; wanted a number") from error


def _shaped(path: Path, curves: Array) -> Array:
    if curves.dtype.kind not in "fiu":
        raise ConfigurationError(f"{path} holds {curves.dtype} values; wanted real numbers")
    if curves.ndim == 2:
        curves = curves[..., None]
    if curves.ndim != 3 or 0 in curves.shape:
        raise ConfigurationError(f"{path} holds shape {curves.shape}; wanted [curve, step] or [curve, step, channel]")
    return curves.astype(np.float64)
