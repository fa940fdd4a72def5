"""What took long to make, kept: plain arrays in one sealed file, written whole or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np

from zbo_orchestrator.model import Array

log = logging.getLogger(__name__)

_SEAL = "sha256"
"""Name of the array in a file that seals the others."""


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, whatever the order of the names."""
    seal = sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        seal.update(f"{name}\0{array.dtype.str}\0{arrays[name].shape}\0".encode())
        seal.update(array.tobytes())
    return seal.hexdigest()


def cached(digest: str, make: Callable[[], dict[str, Array]], folder: Path) -> dict[str, Array]:
    """What `make` returned for this digest of everything that determines it, made now if never before.

    A damaged file is logged and made again; a folder that cannot be written is logged and done without.
    """
    held = kept(digest, folder)
    if held is not None:
        return held
    arrays = {name: np.asarray(array) for name, array in make().items()}
    keep(digest, arrays, folder)
    return arrays


def kept(digest: str, folder: Path) -> dict[str, Array] | None:
    """The arrays kept under a digest; None where there are none, or (logged) where the file is damaged."""
    path = _path(digest, folder)
    return _read(path) if path.exists() else None


def keep(digest: str, arrays: Mapping[str, Array], folder: Path) -> None:
    """Write arrays under a digest, whole or not at all; a folder that cannot be written is logged."""
    path = _path(digest, folder)
    try:
        _write(path, arrays)
    except OSError as error:
        log.warning("the arrays could not be kept in %s (%s): they will be made again next time", path, error)


def _path(digest: str, folder: Path) -> Path:
    if not digest.isalnum():
        raise ValueError(f"digest is {digest!r}; wanted letters and digits")
    return folder / f"{digest}.npz"


def _read(path: Path) -> dict[str, Array] | None:
    """The arrays of a sound file, None for a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile, KeyError) as error:
        log.warning("the kept arrays in %s cannot be read (%s): making them again", path, error)
        return None
    sealed = str(arrays.pop(_SEAL, ""))
    if sealed != fingerprint(arrays):
        log.warning("the kept arrays in %s are damaged (their seal does not match): making them again", path)
        return None
    return arrays


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    """Into a file of another name first; a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sealed = {**arrays, _SEAL: np.array(fingerprint(arrays))}
    with NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as part:
        try:
            np.savez(part, allow_pickle=False, **sealed)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        finally:
            Path(part.name).unlink(missing_ok=True)
