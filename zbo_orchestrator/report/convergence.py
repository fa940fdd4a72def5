"""How the campaign got there: every score, the best so far, and the regret where the truth is known."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.wording import number

TALL_LEGEND = palette.Margins(top=0.48, down=0.22)


def convergence_figure(findings: Findings) -> Figure:
    """Scores and best so far by trial; beside it simple regret where a scan exists."""
    regret = simple_regret(findings)
    if regret is None:
        figure, ((axes,),) = palette.sheet(5.4, 4.7, margins=TALL_LEGEND)
        _scores(axes, findings)
        return figure
    figure, ((upper,), (lower,)) = palette.sheet(5.4, 4.7, 2, 1, TALL_LEGEND, sharex=True, height_ratios=[1.8, 1])
    _scores(upper, findings)
    upper.set_xlabel("")
    _regret(lower, findings, regret)
    return figure


def simple_regret(findings: Findings) -> Array | None:
    """How far the best so far [n] stays behind the scan's best, never below zero; None without a scan."""
    if not np.isfinite(findings.optimum) or not findings.trials.scored.any():
        return None
    goal = findings.goal
    return np.asarray(np.maximum(goal.gain(findings.optimum) - goal.gain(findings.running_best), 0.0))


def _scores(axes: Axes, findings: Findings) -> None:
    palette.dress(axes, x="trial", y="score")
    axes.margins(y=0.12)
    trials = findings.trials
    axes.set_xlim(-0.04 * max(len(trials), 10), 1.04 * max(len(trials), 10))
    if not trials.scored.any():
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no score yet", transform=axes.transAxes, ha="center", fontsize=palette.TITLE, color=palette.MUTED
        )
    _points(axes, findings, trials.scored & ~findings.modelled, palette.MUTED, "initial design")
    _points(axes, findings, trials.scored & findings.modelled, palette.ACCENT, "planner")
    best = findings.running_best
    if np.isfinite(best).any():
        axes.step(trials.number, best, where="post", color=palette.BEST, lw=1.6, label="best so far")
    _failures(axes, findings)
    _levels(axes, findings)
    if axes.get_legend_handles_labels()[0]:
        palette.legend_above(axes, columns=4)


def _points(axes: Axes, findings: Findings, rows: Array, colour: str, label: str) -> None:
    if not rows.any():
        return
    trials = findings.trials
    noise = np.nan_to_num(trials.noise[rows])
    if noise.any():
        axes.errorbar(trials.number[rows], trials.value[rows], noise, fmt="none", ecolor=colour, alpha=0.5, lw=0.8)
    size = palette.dot(16, len(trials))
    axes.scatter(trials.number[rows], trials.value[rows], s=size, color=colour, linewidths=0, label=label, zorder=3)


def _failures(axes: Axes, findings: Findings) -> None:
    """Trials without a score, on the lower edge, in the shape of their status."""
    trials = findings.trials
    for status in trials.counts():
        if status in {"scored", "proposed", "started"}:
            continue
        numbers = trials.number[trials.having(status)]
        axes.scatter(
            numbers, np.full(len(numbers), 0.03), s=22, marker=palette.MARKERS.get(status, "X"), label=status, zorder=4,
            color=palette.STATUS.get(status, palette.MUTED), transform=axes.get_xaxis_transform(), linewidths=0,
        )  # fmt: skip


def _levels(axes: Axes, findings: Findings) -> None:
    """The target and the scan's best as horizontal lines with a word beside each."""
    levels = [(findings.goal.target, "target"), (findings.optimum, "best of the scan")]
    beyond = "bottom" if findings.goal.maximize else "top"
    for value, label in levels:
        if value is None or not np.isfinite(value):
            continue
        axes.axhline(value, color=palette.MUTED, lw=0.9, ls=(0, (4, 3)))
        low, high = axes.get_ylim()
        room = 0.1 * (high - low) * (1 if findings.goal.maximize else -1)  # for the word, below the legend
        axes.set_ylim(min(low, value + room), max(high, value + room))
        axes.annotate(
            f"{label} {number(value)}", (0.01, value), xycoords=axes.get_yaxis_transform(), ha="left", va=beyond,
            fontsize=palette.SMALL, color=palette.MUTED,
        )  # fmt: skip


def _regret(axes: Axes, findings: Findings, regret: Array) -> None:
    """Simple regret as a share of the scan's range, on a logarithmic axis; zero sits on the lower edge."""
    palette.dress(axes, x="trial", y="regret, % of range")
    assert findings.truth is not None
    span = float(np.nanmax(findings.truth) - np.nanmin(findings.truth)) or 1.0
    percent = 100 * regret / span
    positive = percent[np.isfinite(percent) & (percent > 0)]
    floor = float(positive.min()) / 3 if len(positive) else 0.1
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.step(findings.trials.number, np.maximum(percent, floor), where="post", color=palette.BEST, lw=1.6)
    axes.set_ylim(bottom=min(floor / 1.5, 1.5))
    axes.axhline(5, color=palette.MUTED, lw=0.9, ls=(0, (4, 3)))
    axes.annotate(
        "95 % of the range reached", (0.01, 4.7), xycoords=axes.get_yaxis_transform(), ha="left", va="top",
        fontsize=palette.SMALL, color=palette.MUTED,
    )  # fmt: skip


def convergence_words(findings: Findings) -> str:
    """The figure in a sentence."""
    best = findings.running_best
    seen = best[np.isfinite(best)]
    if not len(seen):
        return "No trial has a score yet."
    words = f"Best score so far rises from {number(seen[0])} to {number(seen[-1])}" if findings.goal.maximize else (
        f"Best score so far falls from {number(seen[0])} to {number(seen[-1])}"
    )  # fmt: skip
    regret = simple_regret(findings)
    return f"{words}." if regret is None else f"{words}; the scan's best is {number(findings.optimum)}."
