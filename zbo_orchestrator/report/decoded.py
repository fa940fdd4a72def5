"""What the decoder makes of the latent space, drawn along it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.latent import dimension_name
from zbo_orchestrator.report.wording import axis, number

ACROSS = 11
"""Decoded curves along each axis of a two-dimensional latent space."""
ALONG = 13
"""Decoded curves along one dimension."""
DIMENSIONS = 4
"""Dimensions traversed; more than these are left out."""
CELL_POINTS = 120
_GREY = "Grey: outside the envelope, never executed."


def decoded_figure(findings: Findings) -> Figure | None:
    """What the decoder makes of the latent space; None without a decoder, or where a trajectory is one step."""
    if findings.decoder is None or findings.steps < 2:
        return None
    if findings.space.dimension == 2:
        return _lattice(findings)
    return _traverses(findings)


def decoded_words(findings: Findings) -> str:
    if findings.space.dimension == 2:
        return (
            "Small curves on the latent plane, each decoded at its place; those outside the feasible region are grey."
        )
    through = "the best trial" if findings.best is not None else "the centre of the box"
    return f"Curves decoded along each latent dimension through {through}; infeasible ones are grey and dashed."


def decoded_caption(findings: Findings) -> str:
    """How to read the figure."""
    if findings.space.dimension == 2:
        return f"What the decoder makes of each place, on one scale. {_GREY} Ring: the best trial."
    through = "the best trial" if findings.best is not None else "the centre of the space"
    return f"What the decoder makes of each dimension, with the others held at {through}. {_GREY}"


def feasible_nearby(findings: Findings, z: Array) -> Array:
    """Mask [n]: the candidate nearest to each z[n, d] (in units of the box) is feasible."""
    space = findings.space
    size = space.upper - space.lower
    apart = [np.sum(((space.candidates - one) / size) ** 2, axis=1) for one in z]
    return np.array([space.feasible[np.argmin(each)] for each in apart], dtype=bool)


def _lattice(findings: Findings) -> Figure:
    """A curve in each of 11 × 11 cells of the latent plane, all on one scale a channel."""
    space = findings.space
    size = (space.upper - space.lower) / ACROSS
    first, second = (space.lower[k] + (np.arange(ACROSS) + 0.5) * size[k] for k in (0, 1))
    z = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    figure, ((axes,),) = palette.sheet(11.0, 7.2)
    palette.dress(axes, x=dimension_name(0), y=dimension_name(1))
    feasible = feasible_nearby(findings, z)
    _cells(axes, z, size, feasible)
    _curves_in_cells(axes, findings, z, size, feasible)
    if findings.best is not None:
        axes.scatter(
            *findings.trials.z[findings.best.row], s=150, facecolors="none", edgecolors=palette.BEST, lw=1.8, zorder=5
        )
    axes.set_xlim(space.lower[0], space.upper[0])
    axes.set_ylim(space.lower[1], space.upper[1])
    return figure


def _cells(axes: Axes, z: Array, size: Array, feasible: Array) -> None:
    corners = z[feasible] - 0.47 * size
    for corner in corners:
        axes.add_patch(Rectangle(corner, *(0.94 * size), facecolor=palette.REGION, edgecolor="none", zorder=0))


def _curves_in_cells(axes: Axes, findings: Findings, z: Array, size: Array, feasible: Array) -> None:
    assert findings.decoder is not None
    decoded = findings.decoder.decode(z)
    values = decoded.values[:, :: max(1, decoded.steps // CELL_POINTS)]
    known = values[feasible] if feasible.any() else values
    low, high = np.nanquantile(known.min(axis=1), 0.1, axis=0), np.nanquantile(known.max(axis=1), 0.9, axis=0)
    unit = (values - low) / np.where(high > low, high - low, 1.0) - 0.5
    unit[np.abs(unit) > 0.64] = np.nan  # a curve that leaves its cell is cut there
    along = np.linspace(-0.42, 0.42, values.shape[1])
    for channel in range(values.shape[2]):
        x = z[:, :1] + along * size[0]
        y = z[:, 1:] + 0.76 * unit[:, :, channel] * size[1]
        colours = [palette.series(channel) if inside else palette.LINE for inside in feasible]
        axes.add_collection(LineCollection(list(np.stack([x, y], axis=-1)), colors=colours, linewidths=1.0))


def _traverses(findings: Findings) -> Figure:
    """Curves along each dimension (columns) and channel (rows) with the others held at the best point."""
    space = findings.space
    shown = min(space.dimension, DIMENSIONS)
    count = len(findings.channels)
    margins = palette.Margins(top=0.5, across=0.25, down=0.25)
    figure, cells = palette.sheet(
        max(11.0 * shown / DIMENSIONS, 6.0), 2.0 * count + 1.0, count, shown, margins, sharey="row"
    )
    through = (space.lower + space.upper) / 2 if findings.best is None else findings.trials.z[findings.best.row]
    for dimension in range(shown):
        z = np.repeat(through[None], ALONG, axis=0)
        z[:, dimension] = np.linspace(space.lower[dimension], space.upper[dimension], ALONG)
        _traverse(cells[:, dimension], findings, z, dimension)
    return figure


def _traverse(cells: Array, findings: Findings, z: Array, dimension: int) -> None:
    assert findings.decoder is not None
    decoded = findings.decoder.decode(z)
    feasible = feasible_nearby(findings, z)
    colours = colormaps["viridis"](np.linspace(0, 0.95, ALONG))
    for index, cell in enumerate(cells):
        channel = findings.channels[index]
        label = axis(channel.name, channel.unit) if dimension == 0 else ""
        title = _along(findings, dimension) if index == 0 else ""
        palette.dress(cell, title, "time" if index == len(cells) - 1 else "", label)
        for values, inside, colour in zip(decoded.values[:, :, index], feasible, colours, strict=True):
            style: dict[str, Any] = (
                {"color": colour, "lw": 1.2} if inside else {"color": palette.LINE, "lw": 0.8, "ls": "--", "zorder": 1}
            )
            cell.plot(decoded.time, values, **style)


def _along(findings: Findings, dimension: int) -> str:
    """Which way the colours run."""
    ends = (float(bound[dimension]) for bound in (findings.space.lower, findings.space.upper))
    low, high = (number(end, 3) for end in ends)
    return f"{dimension_name(dimension)} from {low} (dark)\nto {high} (bright)"
