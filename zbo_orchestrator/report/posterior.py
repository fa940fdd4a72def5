"""What the model thought at its last mapped plan, and the scanned truth, as still figures."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from matplotlib import colormaps
from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.grid import grid_of
from zbo_orchestrator.report.latent import dimension_name, mark_trials, shade_stretches

TITLES = {"mean": "posterior mean", "deviation": "posterior deviation", "acquisition": "acquisition"}
COLOURS = {"mean": "viridis", "deviation": "cividis", "acquisition": "magma"}
FLOOR = 5.0
"""Percentile of an acquisition below which all is drawn alike: a logarithm's far tail would drown the rest."""


def colours_of(layer: str, findings: Findings) -> str:
    """The colour map of a layer; where less is better the mean's bright end is its low one."""
    return "viridis_r" if layer == "mean" and not findings.goal.maximize else COLOURS[layer]


def bounds_of(layer: str, values: Array) -> tuple[float, float]:
    """The range a layer is drawn over; its ends differ only if its values do. NaN where it is empty."""
    known = values[np.isfinite(values)]
    if not len(known):
        return (float("nan"), float("nan"))
    low = np.percentile(known, FLOOR) if layer == "acquisition" else known.min()
    return float(low), float(known.max())


def posterior_figure(findings: Findings) -> Figure | None:
    """The layers of the last mapped plan side by side; None before the first."""
    if not len(findings.maps):
        return None
    last = {name: values[-1] for name, values in findings.maps.layers.items()}
    if findings.space.dimension == 1:
        return _line(findings, last)
    figure = palette.sheet(3.5 * len(last), 3.1)
    for axes, (name, values) in zip(np.atleast_1d(figure.subplots(1, len(last))), last.items(), strict=True):
        paint(figure, axes, findings, values, colours_of(name, findings), bounds_of(name, values))
        axes.set_title(TITLES[name], loc="left", fontsize=palette.TITLE, color=palette.INK)
        _dots(axes, findings)
    return figure


def truth_figure(findings: Findings) -> Figure | None:
    """The scan of every feasible candidate with the trials on it; None without one, or in one dimension."""
    if findings.truth is None or not np.isfinite(findings.truth).any() or findings.space.dimension == 1:
        return None
    figure = palette.sheet(6.0, 5.1)
    axes = figure.add_subplot()
    colours = palette.score_map(findings.goal).name
    paint(figure, axes, findings, findings.truth, colours, bounds_of("mean", findings.truth), "score")
    mark_trials(axes, findings, 0, 1)
    return figure


def truth_words(findings: Findings) -> str:
    known = 0 if findings.truth is None else int(np.isfinite(findings.truth).sum())
    return f"The scanned score of {known} candidates of the latent space, with the campaign's trials on it."


def posterior_words(findings: Findings) -> str:
    layers = ", ".join(TITLES[name] for name in findings.maps.layers)
    return f"{layers} over the latent space at plan {findings.maps.plan[-1]}, with the trials known by then."


def paint(
    figure: Figure, axes: Axes, findings: Findings, values: Array, colours: str, bounds: tuple[float, float], label: str = ""
) -> None:
    """values[candidate] over the first two latent dimensions; of scattered candidates the highest lie on top."""
    space, grid = findings.space, grid_of(findings.space)
    palette.dress(axes, x=dimension_name(0), y=dimension_name(1))
    style = {"cmap": colormaps[colours], "vmin": bounds[0], "vmax": bounds[1]}
    if grid is not None:
        drawn: object = axes.imshow(
            grid.image(values), origin="lower", extent=grid.extent, aspect="auto", interpolation="nearest", **style
        )
    else:
        order = np.argsort(values)
        order = order[np.isfinite(values[order])]
        drawn = axes.scatter(*space.candidates[order][:, :2].T, c=values[order], s=5, linewidths=0, rasterized=True, **style)
    axes.set_xlim(space.lower[0], space.upper[0])
    axes.set_ylim(space.lower[1], space.upper[1])
    palette.colour_bar(figure, drawn, axes, label)


def _dots(axes: Axes, findings: Findings) -> None:
    """Trials as plain dots, the best ringed: the colours here are the map's."""
    trials = findings.trials
    seen = trials.recorded & (trials.plan < findings.maps.plan[-1])
    axes.scatter(*trials.z[seen][:, :2].T, s=9, color="#ffffff", edgecolors="#000000", linewidths=0.6, zorder=3)
    asked = trials.plan == findings.maps.plan[-1]
    axes.scatter(*trials.z[asked][:, :2].T, s=80, facecolors="none", edgecolors=palette.BEST, linewidths=1.8, zorder=4)


def _line(findings: Findings, last: dict[str, Array]) -> Figure:
    """Mean with two deviations around it above, acquisition below."""
    figure = palette.sheet(8.0, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    z = findings.space.candidates[:, 0]
    order = np.argsort(z)
    palette.dress(upper, y="score")
    shade_stretches(upper, findings)
    mean = last.get("mean", np.full(len(z), np.nan))[order]
    spread = 2 * last.get("deviation", np.zeros(len(z)))[order]
    upper.fill_between(z[order], mean - spread, mean + spread, color=palette.ACCENT, alpha=0.18, lw=0)
    upper.plot(z[order], mean, color=palette.ACCENT, lw=1.5)
    scored = findings.trials.scored
    upper.scatter(findings.trials.z[scored, 0], findings.trials.value[scored], s=14, color=palette.INK, linewidths=0, zorder=3)
    palette.dress(lower, x=dimension_name(0), y="acquisition")
    acquisition = last.get("acquisition", np.full(len(z), np.nan))[order]
    lower.plot(z[order], acquisition, color=palette.BEST, lw=1.3)
    lower.set_ylim(bottom=bounds_of("acquisition", acquisition)[0] if np.isfinite(acquisition).any() else None)
    return figure
