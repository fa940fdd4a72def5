"""A measured array as a picture, chosen by its axes alone: lines, image, vector field, series or stack of images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from zbo_orchestrator.model import Array
from zbo_orchestrator.report.findings import Measured

Kind = Literal[
    "number", "text", "axis", "series", "panels", "image", "vectors", "frames", "vector frames", "stack", "shares",
    "points", "described",
]  # fmt: skip

LARGE = 2**24
"""Values beyond which an array is described, not drawn."""
FEW = 4
"""An axis this short beside a long one holds components, not positions."""
COMPONENT = {"component", "components", "vector", "direction"}
ORDERED = {"frame", "frames", "step", "time", "image"}
TILED = {"cell", "cells", "tile", "tiles"}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A measured array laid out for its kind: series [line, step], image [a, b], vectors [2, a, b], frames first,
    stack [member, cell, row, column]; and the arrays that share its first or only axis and are drawn with it."""

    kind: Kind
    measured: Measured
    beside: tuple[Measured, ...] = ()

    @property
    def values(self) -> Array:
        return self.measured.values

    @property
    def dims(self) -> tuple[str, ...]:
        return self.measured.dims


def picture(measured: Measured) -> Picture:
    """Decide how an array is drawn and bring its axes into the order of that kind."""
    values = np.asarray(measured.values)
    if values.dtype.kind not in "biufc":
        return Picture("text", measured)
    plain = _squeezed(
        replace(measured, values=np.abs(values) if values.dtype.kind == "c" else values.astype(np.float64))
    )
    if plain.values.size == 0 or plain.values.ndim > 4 or plain.values.size > LARGE:
        return Picture("described", measured)
    if 1 < plain.values.size <= FEW:
        return Picture("text", plain)
    return _BY_RANK[plain.values.ndim](plain)


def component_axis(measured: Measured) -> int | None:
    """The axis that holds the two components of a vector field, None where there is none.

    By name first; else a first or last axis of length two where every other axis is longer.
    """
    shape = measured.values.shape
    named = [axis for axis, dim in enumerate(measured.dims) if dim.lower() in COMPONENT and shape[axis] == 2]
    if named:
        return named[0]
    two = [axis for axis, length in enumerate(shape) if length == 2 and measured.dims[axis].lower() not in ORDERED]
    return two[0] if len(two) == 1 and two[0] in {0, len(shape) - 1, len(shape) - 3} else None


def _squeezed(measured: Measured) -> Measured:
    """The array without its axes of length one."""
    kept = [axis for axis, length in enumerate(measured.values.shape) if length != 1]
    return replace(measured, values=np.squeeze(measured.values), dims=tuple(measured.dims[axis] for axis in kept))


def _rank_0(measured: Measured) -> Picture:
    return Picture("number", measured)


def _rank_1(measured: Measured) -> Picture:
    """A line; evenly spaced values are an axis and need no drawing."""
    steps = np.diff(measured.values)
    if len(steps) > 1 and steps.mean() != 0 and np.allclose(steps, steps.mean(), rtol=0.1):
        return Picture("axis", measured)
    return Picture("series", _moved(measured, values=measured.values[None], dims=("line", *measured.dims)))


def _rank_2(measured: Measured) -> Picture:
    """Components over a long axis are lines; anything else is an image."""
    short = int(np.argmin(measured.values.shape))
    length, beside = measured.values.shape[short], measured.values.shape[1 - short]
    if measured.dims[short].lower() in COMPONENT or (length <= FEW and beside >= 8 * length):
        return Picture("series", _front(measured, short))
    return Picture("image", measured)


def _rank_3(measured: Measured) -> Picture:
    axis = component_axis(measured)
    return Picture("frames", measured) if axis is None else Picture("vectors", _front(measured, axis))


def _rank_4(measured: Measured) -> Picture:
    """Frames of a vector field; or images in a square of cells for every member of the first axis."""
    axis, cells = component_axis(measured), measured.values.shape[1]
    if measured.dims[1].lower() in TILED or (axis is None and math.isqrt(cells) ** 2 == cells):
        return Picture("stack", measured)
    if axis is None:
        return Picture("described", measured)
    return Picture("vector frames", _front(_front(measured, axis), 0, to=1))


def _moved(measured: Measured, values: Array, dims: tuple[str, ...]) -> Measured:
    return replace(measured, values=values, dims=dims)


def _front(measured: Measured, axis: int, to: int = 0) -> Measured:
    """The array with one axis moved to the front."""
    dims = [dim for index, dim in enumerate(measured.dims) if index != axis]
    dims.insert(to, measured.dims[axis])
    return _moved(measured, np.moveaxis(measured.values, axis, to), tuple(dims))


_BY_RANK = (_rank_0, _rank_1, _rank_2, _rank_3, _rank_4)
