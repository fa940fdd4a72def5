"""The latent space: where the library lies, what is feasible, where the trials went and how they scored."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorizer import ColorizingArtist
from matplotlib.figure import Figure

from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.grid import grid_of
from zbo_orchestrator.report.wording import counted

SHOWN = 4
"""Latent dimensions drawn against one another; more than these are left to the table."""


def latent_figure(findings: Findings) -> Figure:
    """One dimension: score against z. Two: a map. More: every pair of the first four."""
    if findings.space.dimension == 1:
        return _line(findings)
    if findings.space.dimension == 2:
        figure, ((axes,),) = palette.sheet(5.4, 4.7, margins=palette.BAR)
        _score_bar(figure, plane(axes, findings, 0, 1), axes)
        return figure
    return _pairs(findings)


def dimension_name(index: int) -> str:
    """z₁, z₂, …"""
    return "z" + "".join(chr(0x2080 + int(digit)) for digit in str(index + 1))


def plane(axes: Axes, findings: Findings, i: int, j: int) -> ColorizingArtist | None:
    """Latent dimension j against i; returns what was coloured by score, for a colour bar."""
    palette.dress(axes, x=dimension_name(i), y=dimension_name(j))
    shade_feasible(axes, findings, i, j)
    _codes(axes, findings.codes, i, j)
    drawn = mark_trials(axes, findings, i, j)
    space = findings.space
    axes.set_xlim(space.lower[i], space.upper[i])
    axes.set_ylim(space.lower[j], space.upper[j])
    return drawn


def shade_feasible(axes: Axes, findings: Findings, i: int = 0, j: int = 1) -> None:
    """The feasible region: an area on a grid, dots where candidates are scattered."""
    space, grid = findings.space, grid_of(findings.space)
    if grid is not None:
        mask = grid.image(space.feasible.astype(float))
        axes.contourf(grid.x, grid.y, mask, levels=[0.5, 1.5], colors=[palette.REGION])
        if 0 < mask.sum() < mask.size:
            axes.contour(grid.x, grid.y, mask, levels=[0.5], colors=[palette.ACCENT], linewidths=0.8)
        return
    points = space.candidates[space.feasible]
    axes.scatter(points[:, i], points[:, j], s=4, color=palette.ACCENT, alpha=0.3, linewidths=0, rasterized=True)


def _codes(axes: Axes, codes: Array | None, i: int, j: int) -> None:
    if codes is None:
        return
    axes.scatter(codes[:, i], codes[:, j], s=2.6, color="#8a9298", alpha=0.45, linewidths=0, rasterized=True)


def mark_trials(axes: Axes, findings: Findings, i: int, j: int, edge: str = palette.MUTED) -> ColorizingArtist | None:
    """Trials as points: the scored coloured by score, the others by the shape of their status, the best ringed."""
    trials = findings.trials
    for status in trials.counts():
        if status != "scored":
            _mark_unscored(axes, trials.z[trials.having(status)], status, i, j)
    scored = np.flatnonzero(trials.scored)
    if not len(scored):
        return None
    order = scored[np.argsort(findings.goal.gain(trials.value[scored]))]
    drawn = axes.scatter(
        trials.z[order, i],
        trials.z[order, j],
        c=trials.value[order],
        cmap=palette.score_map(findings.goal),
        s=palette.dot(30, len(scored)),
        edgecolors=edge,
        linewidths=0.6,
        zorder=4,
    )
    _ring_best(axes, findings, i, j)
    return drawn


def _mark_unscored(axes: Axes, z: Array, status: str, i: int, j: int) -> None:
    hollow = status in {"proposed", "started"}
    axes.scatter(
        z[:, i],
        z[:, j],
        marker=palette.MARKERS.get(status, "X"),
        s=26,
        facecolors="none" if hollow else palette.STATUS.get(status, palette.MUTED),
        edgecolors=palette.STATUS.get(status, palette.MUTED),
        linewidths=0.9,
        zorder=3,
        label=f"{status} ({len(z)})",
    )


def _ring_best(axes: Axes, findings: Findings, i: int, j: int) -> None:
    if findings.best is None:
        return
    x, y = findings.trials.z[findings.best.row][[i, j]]
    number = findings.trials.number[findings.best.row]
    axes.scatter(
        x, y, s=120, facecolors="none", edgecolors=palette.BEST, linewidths=1.8, zorder=5, label=f"best: {number}"
    )
    palette.legend_above(axes, columns=5)


def _score_bar(figure: Figure, drawn: ColorizingArtist | None, axes: Axes) -> None:
    if drawn is not None:
        palette.colour_bar(figure, drawn, axes, "score")


def _pairs(findings: Findings) -> Figure:
    """Every pair of the first few dimensions, in a lower triangle."""
    shown = min(findings.space.dimension, SHOWN)
    side = shown - 1
    figure, cells = palette.sheet(2.9 * side + 1.5, 2.5 * side + 0.8, side, side, palette.BAR)
    drawn = None
    for i, j in combinations(range(shown), 2):
        drawn = plane(cells[j - 1, i], findings, i, j)
        if (i, j) != (0, 1) and (legend := cells[j - 1, i].get_legend()) is not None:
            legend.remove()
    for row, column in combinations(range(side), 2):
        cells[row, column].set_visible(False)
    _score_bar(figure, drawn, cells[-1, -1])
    return figure


def _line(findings: Findings) -> Figure:
    """Score against the one latent dimension; feasible stretches shaded, library codes as ticks below."""
    figure, ((axes,),) = palette.sheet(5.4, 4.4)
    palette.dress(axes, x=dimension_name(0), y="score")
    shade_stretches(axes, findings)
    if findings.truth is not None:
        order = np.argsort(findings.space.candidates[:, 0])
        axes.plot(findings.space.candidates[order, 0], findings.truth[order], color=palette.MUTED, lw=1, label="scan")
    if findings.codes is not None:
        axes.plot(findings.codes[:, 0], np.full(len(findings.codes), 0.015), "|", ms=7, color="#8a9298", alpha=0.3,
                  transform=axes.get_xaxis_transform(), rasterized=True)  # fmt: skip
    _line_trials(axes, findings)
    axes.set_xlim(findings.space.lower[0], findings.space.upper[0])
    return figure


def shade_stretches(axes: Axes, findings: Findings) -> None:
    """Shade where a one-dimensional space is feasible."""
    order = np.argsort(findings.space.candidates[:, 0])
    axes.fill_between(
        findings.space.candidates[order, 0], 0, 1, where=findings.space.feasible[order],
        color=palette.REGION, lw=0, transform=axes.get_xaxis_transform(),
    )  # fmt: skip


def _line_trials(axes: Axes, findings: Findings) -> None:
    trials = findings.trials
    scored = trials.scored
    axes.scatter(trials.z[scored, 0], trials.value[scored], s=26, color=palette.ACCENT, edgecolors=palette.PAPER,
                 linewidths=0.7, zorder=4, label=f"scored ({int(scored.sum())})")  # fmt: skip
    for status in trials.counts():
        if status != "scored":
            z = trials.z[trials.having(status), 0]
            axes.scatter(z, np.full(len(z), 0.06), s=26, marker=palette.MARKERS.get(status, "X"), zorder=3,
                         color=palette.STATUS.get(status, palette.MUTED), label=f"{status} ({len(z)})",
                         transform=axes.get_xaxis_transform())  # fmt: skip
    if findings.best is not None:
        row = findings.best.row
        axes.scatter(trials.z[row, 0], trials.value[row], s=120, facecolors="none", edgecolors=palette.BEST,
                     linewidths=1.8, zorder=5, label=f"best: {trials.number[row]}")  # fmt: skip
    palette.legend_above(axes, columns=5)


def latent_caption(findings: Findings) -> str:
    """How to read the figure."""
    region = (
        "Shaded: feasible."
        if findings.space.dimension == 1 or grid_of(findings.space)
        else "Green dots: feasible candidates."
    )
    codes = " Grey: the library's curves." if findings.codes is not None else ""
    left_out = f" Dimensions 1 to {SHOWN} of {findings.space.dimension}." if findings.space.dimension > SHOWN else ""
    return f"Every trial by its score. {region}{codes}{left_out}"


def latent_words(findings: Findings) -> str:
    """What a reader who cannot see the figure should know."""
    space, trials = findings.space, findings.trials
    words = [
        f"Latent space of {counted(space.dimension, 'dimension')} with {counted(len(trials), 'trial')}",
        f"{int(trials.scored.sum())} of them coloured by score",
        f"{np.mean(space.feasible):.0%} of {len(space.candidates)} candidates are feasible",
    ]
    if findings.codes is not None:
        words.append(f"{len(findings.codes)} library codes as grey dots")
    return "; ".join(words) + "."
