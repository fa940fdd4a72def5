"""A cache of what decoders learned: plain arrays in one file, written whole or not at all."""

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
"""Name of the array in a cache file that seals the others."""


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, whatever the order of the names."""
    seal = sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        seal.update(f"{name}\0{array.dtype.str}\0{arrays[name].shape}\0".encode())
        seal.update(array.tobytes())
    return seal.hexdigest()


def cached(digest: str, learn: Callable[[], dict[str, Array]], folder: Path) -> dict[str, Array]:
    """What `learn` returned for this digest of everything that determines it, learned now if never before.

    A damaged file is logged and learned again; a cache that cannot be written is logged and done without.
    """
    if not digest.isalnum():
        raise ValueError(f"digest is {digest!r}; wanted letters and digits")
    path = folder / f"{digest}.npz"
    kept = _read(path) if path.exists() else None
    if kept is not None:
        return kept
    arrays = {name: np.asarray(array) for name, array in learn().items()}
    try:
        _write(path, arrays)
    except OSError as error:
        log.warning("the decoder could not be kept in %s (%s): it will be learned again next time", path, error)
    return arrays


def _read(path: Path) -> dict[str, Array] | None:
    """The arrays of a sound file, None for a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile, KeyError) as error:
        log.warning("the kept decoder %s cannot be read (%s): learning it again", path, error)
        return None
    sealed = str(arrays.pop(_SEAL, ""))
    if sealed != fingerprint(arrays):
        log.warning("the kept decoder %s is damaged (its seal does not match): learning it again", path)
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
