"""Images in a square of cells, such as a decoder's manifold, tiled into one picture for each member of an axis."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.measured import Picture

COLUMNS, MEMBERS = 5, 20
PANEL = 2.06
"""Inches across a panel."""
FINE = 400
"""Pixels across a panel at most: hardly more than it is drawn with, so that none is lost."""
CELLS = 8
"""Cells along a panel at most: more are too small to be looked at one by one."""
GREYS = colormaps["gray"].resampled(24)
"""Grey, since images are; few enough shades for a small file."""
ORDINALS = {2: "second", 3: "third"}


def stack_figure(what: Picture) -> Figure:
    """A tiled square for every member, in rows of five, on one grey scale."""
    members = what.values[:MEMBERS]
    tiles = [tiled(member, stride(member)) for member in members]
    tall, wide = tiles[0].shape
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    room = palette.Margins(left=0.1, right=0.75, top=0.3, bottom=0.08, across=0.12, down=0.34)
    width = room.left + room.right + columns * PANEL + (columns - 1) * room.across
    height = room.top + room.bottom + rows * PANEL * tall / wide + (rows - 1) * room.down
    figure, cells = palette.sheet(max(width, 3.4), height, rows, columns, room)
    scale = _scale(what.values)
    for index, cell in enumerate(cells.ravel()):
        cell.set_visible(index < len(tiles))
        if index < len(tiles):
            palette.bare(cell).imshow(tiles[index], cmap=GREYS, norm=scale, interpolation_stage="data")
            _gaps(cell, what.values.shape[2:])
            cell.set_title(f"{what.dims[0]} {index}", loc="left", fontsize=palette.TEXT, color=palette.MUTED, pad=4)
    palette.colour_bar(figure, AxesImage(cells[0, -1], cmap="gray", norm=scale), cells[0, -1], what.measured.unit)
    return figure


def stack_caption(what: Picture) -> str:
    """How the cells of a panel lie, and how many of them and of the members are shown."""
    side, step = _side(what.values[0]), stride(what.values[0])
    thinned = f"every {ORDINALS.get(step, f'{step}th')} row and column of " if step > 1 else ""
    some = f" The first {MEMBERS} of {len(what.values)} are shown." if len(what.values) > MEMBERS else ""
    return f"Each panel: {thinned}{side} × {side} {_plural(what.dims[1])}, row by row from the upper left.{some}"


def stride(member: Array) -> int:
    """Every so many cells [cell, row, column] are drawn along either side, that they can be seen."""
    side, pixels = _side(member), int(max(member.shape[1:]))
    return max(1, math.ceil(side / CELLS), math.ceil(side * pixels / FINE))


def tiled(member: Array, step: int) -> Array:
    """Cells [cell, row, column] as one image, row by row; of their square every `step`-th in either direction,
    evenly about its middle; NaN where they do not fill it."""
    side, (tall, wide) = _side(member), member.shape[1:]
    square = np.full((side * side, tall, wide), np.nan)
    square[: len(member)] = member
    first = (side - 1) % step // 2
    kept = square.reshape(side, side, tall, wide)[first::step, first::step]
    return np.asarray(np.concatenate(np.concatenate(kept, axis=1), axis=1))


def _gaps(axes: Axes, cell: tuple[int, ...]) -> None:
    """Fine lines between the cells (rows, columns)."""
    tall, wide = cell
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]
    axes.hlines(np.arange(tall - 0.5, bottom, tall), -0.5, right, color=palette.MUTED, lw=0.5)
    axes.vlines(np.arange(wide - 0.5, right, wide), -0.5, bottom, color=palette.MUTED, lw=0.5)


def _scale(values: Array) -> Normalize:
    """From the darkest to the brightest finite value."""
    finite = values[np.isfinite(values)]
    return Normalize(float(finite.min()), float(finite.max())) if len(finite) else Normalize(0.0, 1.0)


def _side(member: Array) -> int:
    return math.isqrt(len(member) - 1) + 1


def _plural(name: str) -> str:
    return name if name.endswith("s") else f"{name}s"
