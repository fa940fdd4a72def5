"""What the model thought at its last mapped plan, as a still figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorizer import ColorizingArtist
from matplotlib.figure import Figure

from zbo_orchestrator.model import Array, Space
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.grid import grid_of
from zbo_orchestrator.report.latent import dimension_name, shade_stretches

TITLES = {"mean": "posterior mean", "deviation": "posterior deviation", "acquisition": "acquisition"}
COLOURS = {"mean": "viridis", "deviation": "cividis", "acquisition": "magma"}
FLOOR = 5.0
"""Percentile of an acquisition below which all is drawn alike at least: a logarithm's far tail would drown the rest."""


def colours_of(layer: str, findings: Findings) -> str:
    """The colour map of a layer; where less is better the mean's bright end is its low one."""
    return "viridis_r" if layer == "mean" and not findings.goal.maximize else COLOURS[layer]


def bounds_of(layer: str, values: Array) -> tuple[float, float]:
    """The range a layer is drawn over, NaN where it is empty; an acquisition's puts its median half-way or below."""
    known = values[np.isfinite(values)]
    if not len(known):
        return (float("nan"), float("nan"))
    high = float(known.max())
    if layer != "acquisition":
        return float(known.min()), high
    low, middle = np.percentile(known, [FLOOR, 50.0])
    return float(max(low, high - 2 * (high - middle))), high


def posterior_figure(findings: Findings) -> Figure | None:
    """The layers of the last mapped plan side by side; None before the first."""
    if not len(findings.maps):
        return None
    last = {name: values[-1] for name, values in findings.maps.layers.items()}
    if findings.space.dimension == 1:
        return _line(findings, last)
    figure, cells = palette.sheet(3.6 * len(last), 3.0, 1, len(last), palette.Margins(right=0.7, across=1.2))
    for axes, (name, values) in zip(cells[0], last.items(), strict=True):
        paint(figure, axes, findings, Layer(values, colours_of(name, findings), bounds_of(name, values)))
        axes.set_title(TITLES[name], loc="left", fontsize=palette.TITLE, color=palette.INK)
        _dots(axes, findings)
    return figure


def posterior_words(findings: Findings) -> str:
    layers = ", ".join(TITLES[name] for name in findings.maps.layers)
    return f"{layers} over the latent space at plan {findings.maps.plan[-1]}, with the trials known by then."


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Values [candidate], the colour map they are drawn in, the range it spans, and what it says."""

    values: Array
    colours: str
    bounds: tuple[float, float]
    label: str = ""


def paint(figure: Figure, axes: Axes, findings: Findings, layer: Layer) -> None:
    """A layer over the first two latent dimensions; of scattered candidates the highest lie on top."""
    space = findings.space
    palette.dress(axes, x=dimension_name(0), y=dimension_name(1))
    palette.colour_bar(figure, _painted(axes, space, layer), axes, layer.label)
    axes.set_xlim(space.lower[0], space.upper[0])
    axes.set_ylim(space.lower[1], space.upper[1])


def _painted(axes: Axes, space: Space, layer: Layer) -> ColorizingArtist:
    grid = grid_of(space)
    low, high = layer.bounds
    if grid is not None:
        return axes.imshow(
            grid.image(layer.values), origin="lower", extent=grid.extent, aspect="auto", interpolation="nearest",
            cmap=layer.colours, vmin=low, vmax=high,
        )  # fmt: skip
    order = np.argsort(layer.values)
    order = order[np.isfinite(layer.values[order])]
    x, y = space.candidates[order][:, :2].T
    return axes.scatter(
        x, y, c=layer.values[order], s=5, linewidths=0, rasterized=True, cmap=layer.colours, vmin=low, vmax=high
    )


def _dots(axes: Axes, findings: Findings) -> None:
    """Trials as plain dots, the best ringed: the colours here are the map's."""
    trials = findings.trials
    seen = trials.recorded & (trials.plan < findings.maps.plan[-1])
    axes.scatter(
        trials.z[seen, 0], trials.z[seen, 1], s=9, color="#ffffff", edgecolors="#000000", linewidths=0.6, zorder=3
    )
    asked = trials.plan == findings.maps.plan[-1]
    axes.scatter(
        trials.z[asked, 0],
        trials.z[asked, 1],
        s=80,
        facecolors="none",
        edgecolors=palette.BEST,
        linewidths=1.8,
        zorder=4,
    )


def _line(findings: Findings, last: dict[str, Array]) -> Figure:
    """Mean with two deviations around it above, acquisition below."""
    figure, ((upper,), (lower,)) = palette.sheet(
        8.0, 4.6, 2, 1, palette.Margins(down=0.2), sharex=True, height_ratios=[2, 1]
    )
    z = findings.space.candidates[:, 0]
    order = np.argsort(z)
    palette.dress(upper, y="score")
    shade_stretches(upper, findings)
    mean = last.get("mean", np.full(len(z), np.nan))[order]
    spread = 2 * last.get("deviation", np.zeros(len(z)))[order]
    upper.fill_between(z[order], mean - spread, mean + spread, color=palette.ACCENT, alpha=0.18, lw=0)
    upper.plot(z[order], mean, color=palette.ACCENT, lw=1.5)
    scored = findings.trials.scored
    upper.scatter(
        findings.trials.z[scored, 0], findings.trials.value[scored], s=14, color=palette.INK, linewidths=0, zorder=3
    )
    palette.dress(lower, x=dimension_name(0), y="acquisition")
    acquisition = last.get("acquisition", np.full(len(z), np.nan))[order]
    lower.plot(z[order], acquisition, color=palette.BEST, lw=1.3)
    lower.set_ylim(bottom=bounds_of("acquisition", acquisition)[0] if np.isfinite(acquisition).any() else None)
    return figure
