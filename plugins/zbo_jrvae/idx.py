"""IDX, the format of MNIST: two zero bytes, a type, the number of axes, their lengths (big-endian), the values."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError

UNSIGNED_BYTES = 0x08


def read_idx(path: Path, axes: int) -> Array:
    """The bytes of an IDX file, gzipped or not, as uint8 with so many axes; refuses all that is not exactly that."""
    content = _unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ConfigurationError(f"{path} starts with {content[:4].hex() or 'nothing'}; wanted IDX, 0000080{axes}")
    if content[2] != UNSIGNED_BYTES or content[3] != axes:
        raise ConfigurationError(
            f"{path} holds type 0x{content[2]:02x} with {content[3]} axes; wanted unsigned bytes (0x08) with {axes}"
        )
    start = 4 + 4 * axes
    if len(content) < start:
        raise ConfigurationError(f"{path} ends after {len(content)} bytes; wanted a header of {start}")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if 0 in shape:
        raise ConfigurationError(f"{path} holds shape {shape}; wanted something in it")
    if len(content) - start != prod(shape):
        raise ConfigurationError(f"{path} has {len(content) - start} values; wanted {prod(shape)} for shape {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _unpacked(path: Path) -> bytes:
    packed = path.read_bytes()
    if packed[:2] != b"\x1f\x8b":
        return packed
    try:
        return gzip.decompress(packed)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigurationError(f"{path} cannot be unpacked ({error}); wanted whole gzip data") from error
