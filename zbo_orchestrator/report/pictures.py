"""Pictures of what was measured in the best trial; they know axes and units, not what the experiment was."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorizer import ColorizingArtist
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zbo_orchestrator.model import Array, Trajectory
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Best, Findings, Measured
from zbo_orchestrator.report.measured import Picture, picture
from zbo_orchestrator.report.wording import axis, counted, number

ORDER = ("vectors", "image", "series", "vector frames", "frames")
"""The kinds that are drawn, first to last."""
FRAMES = 6
ARROWS, ARROWS_SMALL = 24, 12
"""Arrows along each axis of a vector field at most; and where it is one frame of many."""
SIDE = palette.Margins(left=0.5, right=0.78, top=0.12, bottom=0.46)
"""Margins of a picture with its scale beside it."""
LINES = 6


def drawn_pictures(findings: Findings) -> list[tuple[Picture, Figure]]:
    """Every measured array of the best trial that is worth drawing, vector fields and images first."""
    best = findings.best
    if best is None:
        return []
    pictures = [each for each in map(picture, best.measured) if each.kind in ORDER and not _follows(each, best)]
    drawn = [(each, draw(each, best)) for each in pictures]
    return sorted(drawn, key=lambda pair: (ORDER.index(pair[0].kind), -pair[1].get_figwidth()))


def told_pictures(findings: Findings) -> list[tuple[str, str]]:
    """Name and text of what is told rather than drawn: numbers, text, axes, what was applied, what is too large."""
    best = findings.best
    if best is None:
        return []
    pictures = [each for each in map(picture, best.measured) if each.kind not in ORDER or _follows(each, best)]
    return [(_name(each.measured), _told(each)) for each in pictures]


def draw(what: Picture, best: Best) -> Figure:
    """The picture for its kind."""
    if what.kind == "series":
        return _series(what, best)
    if what.kind == "image":
        figure, ((axes,),) = palette.sheet(3.4, 2.75, margins=SIDE)
        palette.colour_bar(figure, _image(axes, what.values, what.dims, _scale(what.values)), axes, what.measured.unit)
        return figure
    if what.kind == "vectors":
        figure, ((axes,),) = palette.sheet(3.4, 2.75, margins=SIDE)
        strongest = _strongest(what.values)
        _vectors(axes, what.values, what.dims[1:], strongest)
        _wheel(axes, strongest, what.measured.unit)
        return figure
    return _frames(what)


def words(what: Picture) -> str:
    """The picture for a reader who cannot see it."""
    values = np.asarray(what.measured.values, dtype=np.float64)
    extent = f"{' × '.join(map(str, values.shape))} ({', '.join(what.dims)})"
    spread = (
        f"from {number(float(np.nanmin(values)))} to {number(float(np.nanmax(values)))} {what.measured.unit}".rstrip()
    )
    return f"{_name(what.measured)} measured in the best trial, {extent}, {spread}."


def _name(measured: Measured) -> str:
    return measured.name.replace("_", " ")


def _told(what: Picture) -> str:
    if what.kind == "number":
        return f"{number(float(what.values))} {what.measured.unit}".rstrip()
    if what.kind == "axis":
        first, last = (number(float(value)) for value in what.values[[0, -1]])
        return f"{first} to {last} {what.measured.unit}".rstrip() + f" in {counted(len(what.values), 'even step')}"
    if what.kind == "series":
        low, high = (number(float(end)) for end in (np.nanmin(what.values), np.nanmax(what.values)))
        return f"follows what was applied, from {low} to {high} {what.measured.unit}".rstrip()
    if what.kind == "text":
        each = np.asarray(what.values).ravel()[:20]
        return ", ".join(number(float(value)) if each.dtype.kind == "f" else str(value) for value in each)
    return f"array over {' × '.join(what.dims)}, not drawn"


# --- lines ----------------------------------------------------------------------------------------


def _series(what: Picture, best: Best) -> Figure:
    """Lines over their axis; where that is the trajectory's own, also against what was applied."""
    applied = _applied(what.values.shape[1], best)
    if applied is None:
        return _one_panel(what)
    figure, ((left, right),) = palette.sheet(7.2, 3.1, 1, 2, palette.Margins(across=0.2), sharey=True)
    _lines(palette.dress(left, x="time", y=_label(what)), applied.time, what)
    channel = applied.channels[0]
    _lines(palette.dress(right, x=axis(channel.name, channel.unit)), applied.values[:, 0], what)
    if len(what.values) > 1:
        palette.legend_above(left, columns=4)
    return figure


def _one_panel(what: Picture) -> Figure:
    figure, ((axes,),) = palette.sheet(3.4, 2.9)
    _lines(palette.dress(axes, x=axis(what.dims[1]), y=_label(what)), np.arange(what.values.shape[1]), what)
    if len(what.values) > 1:
        palette.legend_above(axes, columns=3)
    return figure


def _follows(what: Picture, best: Best) -> bool:
    """Every line is a constant, or the first channel as it was applied times a factor: nothing new to be seen."""
    applied = _applied(what.values.shape[1], best) if what.kind == "series" else None
    if applied is None:
        return False
    channel = applied.values[:, 0] - applied.values[:, 0].mean()
    moving = what.values - what.values.mean(axis=1, keepdims=True)
    factors = moving @ channel / max(float(channel @ channel), np.finfo(float).tiny)
    return bool(np.allclose(moving, factors[:, None] * channel, atol=1e-6 * float(np.abs(moving).max())))


def _label(what: Picture) -> str:
    return axis(what.measured.name, what.measured.unit)


def _applied(length: int, best: Best) -> Trajectory | None:
    """The trajectory with as many steps as a series: the executed one, else the proposed one."""
    fitting = (each for each in (best.executed, best.proposed) if each is not None and each.steps == length > 1)
    return next(fitting, None)


def _lines(axes: Axes, x: Array, what: Picture) -> None:
    for index, values in enumerate(what.values[:LINES]):
        axes.plot(x, values, color=palette.series(index), lw=1.1, label=f"{what.dims[0]} {index}")


# --- images and vector fields -----------------------------------------------------------------------


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


def _frames(what: Picture) -> Figure:
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


def frames_words(what: Picture) -> str:
    """How much of a series of frames is shown."""
    total = what.values.shape[0]
    return "" if total <= FRAMES else f"{FRAMES} of {counted(total, 'frame')}"
