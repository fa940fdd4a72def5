"""Measured images, vector fields and series of either: row by column, on one scale."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorizer import ColorizingArtist
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.measured import Picture
from zbo_orchestrator.report.wording import axis, counted, number

FRAMES = 6
ARROWS, ARROWS_SMALL = 24, 12
"""Arrows along each axis of a vector field at most; and where it is one frame of many."""
SIDE = palette.Margins(left=0.5, right=0.78, top=0.12, bottom=0.46)
"""Margins of a picture with its scale beside it."""


def image_figure(what: Picture) -> Figure:
    """An image with its scale."""
    figure, ((axes,),) = palette.sheet(3.4, 2.75, margins=SIDE)
    palette.colour_bar(figure, _image(axes, what.values, what.dims, _scale(what.values)), axes, what.measured.unit)
    return figure


def vectors_figure(what: Picture) -> Figure:
    """A vector field with the disc that is its key."""
    figure, ((axes,),) = palette.sheet(3.4, 2.75, margins=SIDE)
    strongest = _strongest(what.values)
    _vectors(axes, what.values, what.dims[1:], strongest)
    _wheel(axes, strongest, what.measured.unit)
    return figure


def _scale(values: Array) -> dict[str, Any]:
    """Viridis; where values run well to both sides of zero a diverging map centred on it."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not np.isfinite(low) or not np.isfinite(high) or low == high:
        return {"cmap": "viridis"}
    if low < 0 < high and min(-low, high) > 0.1 * max(-low, high):
        far = max(-low, high)
        return {"cmap": "PuOr_r", "norm": TwoSlopeNorm(0.0, -far, far)}
    return {"cmap": "viridis", "norm": Normalize(low, high)}


def _upright(values: Array, dims: tuple[str, ...]) -> tuple[Array, bool]:
    """The picture [row, column] and whether rows count upwards: they do where the axes are called x and y."""
    names = tuple(dim.lower() for dim in dims)
    if names == ("x", "y"):
        return np.swapaxes(values, -1, -2), True
    return values, names == ("y", "x")


def _image(
    axes: Axes, values: Array, dims: tuple[str, ...], scale: dict[str, Any], labels: bool = True
) -> ColorizingArtist:
    shown, upward = _upright(values, dims)
    palette.dress(axes)
    drawn = axes.imshow(
        shown, origin="lower" if upward else "upper", interpolation="nearest", aspect=_aspect(shown), **scale
    )
    _label_axes(axes, dims, labels)
    return drawn


def _aspect(values: Array) -> Literal["equal", "auto"]:
    tall, wide = values.shape[:2]
    return "equal" if max(tall, wide) <= 4 * min(tall, wide) else "auto"


def _label_axes(axes: Axes, dims: tuple[str, ...], labels: bool) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not labels:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    for each in (axes.xaxis, axes.yaxis):
        each.set_major_locator(MaxNLocator(6, integer=True))
    across, up = dims if tuple(dim.lower() for dim in dims) == ("x", "y") else dims[::-1]
    axes.set_xlabel(axis(across), fontsize=palette.TEXT, color=palette.MUTED)
    axes.set_ylabel(axis(up), fontsize=palette.TEXT, color=palette.MUTED)


def _strongest(values: Array) -> float:
    """The length drawn in full: all but the longest fiftieth of the vectors are shorter."""
    length = np.hypot(np.take(values, 0, axis=-3), np.take(values, 1, axis=-3))
    return float(np.nanquantile(length, 0.98)) or 1.0


def _coloured(values: Array, strongest: float) -> Array:
    """Vectors [2, a, b] as colours [a, b, 4]: hue by angle, opacity by length."""
    colours = palette.direction_colours(np.arctan2(values[1], values[0]))
    opacity = np.clip(np.hypot(values[0], values[1]) / strongest, 0.0, 1.0)
    return np.asarray(np.nan_to_num(np.concatenate([colours, opacity[..., None]], axis=-1)))


def _vectors(axes: Axes, values: Array, dims: tuple[str, ...], strongest: float, labels: bool = True) -> None:
    """A vector field: colour says direction, opacity strength, arrows both."""
    shown, upward = _upright(values, dims)
    palette.dress(axes)
    axes.imshow(
        _coloured(shown, strongest), origin="lower" if upward else "upper", interpolation="nearest", aspect="equal"
    )
    stride = max(1, -(-max(shown.shape[1:]) // (ARROWS if labels else ARROWS_SMALL)))
    down, across = np.mgrid[0 : shown.shape[1] : stride, 0 : shown.shape[2] : stride]
    u, v = shown[:, ::stride, ::stride] / strongest
    u, v = np.stack([u, v]) / np.maximum(np.hypot(u, v), 1.0)
    axes.quiver(across, down, u, v, color=palette.INK, pivot="mid", angles="uv", scale_units="xy",
                scale=1.15 / stride, width=0.0045, headwidth=3.4, headlength=3.8, headaxislength=3.6)  # fmt: skip
    _label_axes(axes, dims, labels)


def _wheel(axes: Axes, strongest: float, unit: str) -> None:
    """The key of a vector field: a disc of every direction and strength."""
    disc = axes.inset_axes((1.05, 0.74, 0.26, 0.26))
    line = np.linspace(-1, 1, 81)
    vectors = np.stack(np.meshgrid(line, line))
    vectors[:, np.hypot(*vectors) > 1] = np.nan
    palette.bare(disc).imshow(_coloured(vectors, 1.0), origin="lower", extent=(-1, 1, -1, 1))
    disc.set_xlabel(f"≥ {number(strongest, 3)} {unit}".rstrip(), fontsize=palette.SMALL, color=palette.MUTED)


def frames_figure(what: Picture) -> Figure:
    """Some frames of a series side by side on one scale, first and last among them."""
    total = what.values.shape[0]
    chosen = np.unique(np.linspace(0, total - 1, min(FRAMES, total)).round().astype(int))
    room = palette.Margins(left=0.1, right=0.8, bottom=0.08, across=0.1)
    figure, (cells,) = palette.sheet(max(1.65 * len(chosen) + 0.9, 4.3), 2.0, 1, len(chosen), room)
    scale, drawn = _scale(what.values), None
    for cell, frame in zip(cells, chosen, strict=True):
        if what.kind == "vector frames":
            _vectors(cell, what.values[frame], what.dims[2:], _strongest(what.values), labels=False)
        else:
            drawn = _image(cell, what.values[frame], what.dims[1:], scale, labels=False)
        cell.set_title(f"{what.dims[0]} {frame}", loc="left", fontsize=palette.TEXT, color=palette.MUTED)
    if drawn is not None:
        palette.colour_bar(figure, drawn, cells[-1], what.measured.unit)
    return figure


def frames_caption(what: Picture) -> str:
    """How much of a series of frames is shown."""
    total = what.values.shape[0]
    return "" if total <= FRAMES else f"{FRAMES} of {counted(total, 'frame')}"
