"""A comparison drawn: how far from the best found, seed by seed, schedule by schedule, and the ensemble's votes."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from zbo_orchestrator.comparison import Comparison
from zbo_orchestrator.comparison.ensemble import Ensemble
from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.compared_words import AT
from zbo_orchestrator.report.wording import axis

_OTHERS: Final = (0, 2, 3, 4, 5, 6, 7)
"""Series of the arms beside the best found, whose own colour is close to the one left out."""
_DASHES: Final = ("-", "-", (0, (6, 3)), (0, (2, 2)), (0, (6, 2, 1, 2)))
"""Later arms are drawn over earlier ones: where two lie on each other both show."""
_TERMS: Final = ("accuracy", "adjusted_rand")
"""Terms that are drawn beside the score, where they are known."""
LETTER = 0.085
"""Inches that a letter of a label takes."""


def colour(arm: int) -> str:
    """The same in every figure; the best found has its own."""
    return palette.series(_OTHERS[(arm - 1) % len(_OTHERS)]) if arm else palette.BEST


def difference_figure(comparison: Comparison) -> Figure | None:
    """Every arm's score minus the best found's with its 95 % interval; None where no two share seeds."""
    apart = comparison.differences
    if not np.isfinite([each.mean for each in apart]).any():
        return None
    room = palette.Margins(left=_room(comparison.arms), top=0.36)
    figure, ((axes,),) = palette.sheet(7.2, 1.0 + 0.42 * len(apart), margins=room)
    better = "right" if comparison.goal.maximize else "left"
    palette.dress(axes, x=f"score minus the best found's, same seeds ({better} of the line is better)")
    axes.axvline(0, color=palette.BEST, lw=1.2)
    axes.annotate(
        "best found", (0, 1.0), xytext=(0, 4), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="center", fontsize=palette.SMALL, color=palette.BEST,
    )  # fmt: skip
    for row, each in enumerate(apart):
        if np.isfinite(each.low):
            axes.plot([each.low, each.high], [row, row], color=colour(row + 1), lw=2.2, solid_capstyle="butt")
        axes.plot(each.mean, row, "o", color=colour(row + 1), ms=6.5)
    axes.set_yticks(range(len(apart)), [each.arm for each in apart])
    axes.tick_params(axis="y", labelcolor=palette.INK, labelsize=palette.TEXT, length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(apart) - 0.4, -0.6)
    return figure


def seeds_figure(comparison: Comparison) -> Figure | None:
    """Every score, below it every drawn term: an arm a column, a seed a line, a size a column of panels; or None."""
    rounds = [each for each in comparison.rounds if np.isfinite(each.values).any()]
    if not rounds:
        return None
    tilted = max(map(len, comparison.arms)) * LETTER > 0.75
    labels = {"rotation": 35, "ha": "right"} if tilted else {}
    down = 0.2 + 0.5 * LETTER * max(map(len, comparison.arms)) if tilted else 0.35
    width = min(11.0, 0.9 + len(rounds) * max(3.3, 0.8 * len(comparison.arms)))
    terms = [name for name in _TERMS if any(np.isfinite(each.terms.get(name, np.nan)).any() for each in rounds)]
    room = palette.Margins(bottom=down, down=0.2)
    figure, cells = palette.sheet(width, 3.0 + 1.7 * len(terms) + down, 1 + len(terms), len(rounds), room, sharex="col")
    for column, each in zip(cells.T, rounds, strict=True):
        _seeds(palette.dress(column[0], AT[each.size], y="score"), each.values)
        for cell, name in zip(column[1:], terms, strict=True):
            unknown = np.full_like(each.values, np.nan)
            _seeds(palette.dress(cell, y=name.replace("_", " ")), each.terms.get(name, unknown))
        column[-1].set_xticks(range(len(comparison.arms)), comparison.arms, **labels)
        for cell in column:
            cell.tick_params(axis="x", labelcolor=palette.INK, length=0)
    return figure


def _seeds(axes: Axes, scores: Array) -> None:
    """Of scores[arm, seed]."""
    arms, seeds = scores.shape
    axes.plot(range(arms), scores, color=palette.MUTED, lw=0.6, alpha=0.45)
    for arm, values in enumerate(scores):
        axes.scatter(np.full(seeds, arm), values, s=palette.dot(20, arms * seeds), color=colour(arm), lw=0, zorder=3)
        if np.isfinite(values).any():
            axes.plot([arm - 0.26, arm + 0.26], [np.nanmean(values)] * 2, color=colour(arm), lw=2.4, zorder=4)
    axes.set_xlim(-0.5, arms - 0.5)


def schedules_figure(comparison: Comparison) -> Figure | None:
    """Every arm's schedule, a panel a channel; None where a schedule is one step."""
    schedules = comparison.schedules
    if schedules.steps < 2:
        return None
    count = len(schedules.channels)
    room = palette.Margins(right=_room(comparison.arms) + 0.4, down=0.2, top=0.12)
    figure, cells = palette.sheet(7.2, 0.6 + 2.3 * count, count, 1, room, sharex=True)
    edges = np.arange(schedules.steps + 1) * schedules.dt
    for index, cell in enumerate(cells[:, 0]):
        channel = schedules.channels[index]
        palette.dress(cell, x="time" if index == count - 1 else "", y=axis(channel.name, channel.unit))
        for arm, name in enumerate(comparison.arms):
            values = schedules.values[arm, :, index]
            cell.step(edges, np.append(values, values[-1]), where="post", color=colour(arm), label=name,
                      lw=2.4 - 0.2 * min(arm, 5), ls=_DASHES[arm % len(_DASHES)])  # fmt: skip
    palette.legend(cells[0, 0], loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=2.6)
    return figure


def agreement_figure(ensemble: Ensemble) -> Figure:
    """How many images have so many of the models behind one class."""
    figure, ((axes,),) = palette.sheet(4.6, 2.7)
    palette.dress(axes, x="share of the models that agree", y="images")
    votes = np.rint(ensemble.agreement * ensemble.models).astype(int)
    counts = np.bincount(votes, minlength=ensemble.models + 1)
    axes.bar(np.arange(len(counts)) / ensemble.models, counts, width=0.86 / ensemble.models, color=palette.ACCENT)
    axes.axvline(float(ensemble.agreement.mean()), color=palette.BEST, lw=1.2)
    axes.annotate(
        "mean", (float(ensemble.agreement.mean()), 1.0), xytext=(0, 3), xycoords=axes.get_xaxis_transform(),
        textcoords="offset points", ha="center", fontsize=palette.SMALL, color=palette.BEST,
    )  # fmt: skip
    low = int(votes.min())
    axes.set_xticks(np.arange(low, ensemble.models + 1, max(1, (ensemble.models - low) // 5)) / ensemble.models)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlim((low - 0.6) / ensemble.models, 1 + 0.6 / ensemble.models)
    return figure


def _room(names: tuple[str, ...]) -> float:
    return min(2.6, 0.35 + LETTER * max(map(len, names)))
