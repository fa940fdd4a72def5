"""Trajectories: the library by family, the best trial's as proposed and as executed, single-step ones as parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zbo_orchestrator.model import Trajectory
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.wording import axis, counted

FAINT, BOLD = 40, 3
"""Library curves of a family drawn faintly, and those among them drawn in full."""
COLUMNS = 4
FAMILIES = 8
POINTS = 600
"""Points a curve is drawn with: more than the pixels it covers."""


def library_figure(findings: Findings) -> Figure | None:
    """A panel a family, a row a channel; None where the history keeps no library."""
    library = findings.library
    if library is None or library.steps < 2 or not len(library.values):
        return None
    labels = findings.families or ("library",) * len(library.values)
    names = tuple(dict.fromkeys(labels))[:FAMILIES]
    channels = range(len(library.channels))
    panels = [(name, channel) for name in names for channel in channels]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure, cells = palette.sheet(min(11.0, 7.2 if columns == 1 else 5.4 * columns), 2.4 * rows, rows, columns)
    cells = cells.ravel()
    for cell, (name, channel) in zip(cells, panels, strict=False):
        chosen = library[np.array([label == name for label in labels])]
        _family(cell, chosen, channel, name, palette.series(names.index(name)))
    for cell in cells[len(panels) :]:
        cell.set_visible(False)
    return figure


def library_words(findings: Findings) -> str:
    names = ", ".join(dict.fromkeys(findings.families)) or "one family"
    stored = 0 if findings.library is None else len(findings.library.values)
    return f"A stored sample of {counted(stored, 'library curve')}, by family: {names}."


def _family(axes: Axes, curves: Trajectory, channel: int, name: str, colour: str) -> None:
    many = len(curves.channels) > 1
    title = f"{name}: {curves.channels[channel].name}" if many else name
    palette.dress(axes, title, "time", axis(curves.channels[channel].name, curves.channels[channel].unit))
    stride = max(1, curves.steps // POINTS)
    time = curves.time[::stride]
    for index, values in enumerate(curves.values[:FAINT, ::stride, channel]):
        bold = index < BOLD
        axes.plot(time, values, color=colour, lw=1.1 if bold else 0.5, alpha=1.0 if bold else 0.22, rasterized=not bold)


def best_figure(findings: Findings) -> Figure | None:
    """Each channel of the best trial over time: as proposed and, where it is known, as executed."""
    best = findings.best
    if best is None or best.proposed.steps < 2:
        return None
    count = len(findings.channels)
    figure, cells = palette.sheet(
        7.2, 3.3 if count == 1 else 0.8 + 1.9 * count, count, 1, palette.Margins(down=0.2), sharex=True
    )
    cells = cells[:, 0]
    for index, cell in enumerate(cells):
        channel = findings.channels[index]
        palette.dress(cell, x="time" if index == count - 1 else "", y=axis(channel.name, channel.unit))
        if best.executed is not None:
            _step(cell, best.executed, index, color=palette.ACCENT, lw=2.4, alpha=0.45, label="as executed")
        _step(cell, best.proposed, index, color=palette.BEST, lw=1.0, label="as proposed")
    palette.legend_above(cells[0], columns=2)
    return figure


def _step(axes: Axes, trajectory: Trajectory, channel: int, **style: Any) -> None:
    """Values are held for one dt: steps while there are few, a line once a step is narrower than a pixel."""
    if trajectory.steps <= POINTS // 3:
        edges = np.arange(trajectory.steps + 1) * trajectory.dt
        held = np.append(trajectory.values[:, channel], trajectory.values[-1, channel])
        axes.step(edges, held, where="post", **style)
        return
    axes.plot(trajectory.time, trajectory.values[:, channel], **style)


def best_words(findings: Findings) -> str:
    if findings.best is None:
        return "No trial has a score yet."
    known = "" if findings.best.executed is None else ", and as it was executed"
    return (
        f"The trajectory of trial {findings.trials.number[findings.best.row]} as proposed{known}, channel by channel."
    )


def parameters_figure(findings: Findings) -> Figure | None:
    """For trajectories of one step: score against each parameter."""
    if findings.steps != 1 or findings.parameters is None or not findings.trials.scored.any():
        return None
    count = len(findings.channels)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure, cells = palette.sheet(
        max(3.2 * columns, 4.6), 2.9 * rows, rows, columns, palette.Margins(across=0.3), sharey=True
    )
    cells = cells.ravel()
    for cell, index in zip(cells, range(count), strict=False):
        _parameter(cell, findings, index)
    for cell in cells[count:]:
        cell.set_visible(False)
    return figure


def _parameter(axes: Axes, findings: Findings, index: int) -> None:
    channel, trials = findings.channels[index], findings.trials
    assert findings.parameters is not None
    values = findings.parameters[:, index]
    palette.dress(axes, x=axis(channel.name, channel.unit), y="score" if index % 3 == 0 else "")
    axes.scatter(values[trials.scored], trials.value[trials.scored], s=18, color=palette.ACCENT, linewidths=0)
    if findings.best is not None:
        row = findings.best.row
        axes.scatter(values[row], trials.value[row], s=110, facecolors="none", edgecolors=palette.BEST, linewidths=1.8)


def parameters_words(findings: Findings) -> str:
    """The best trial's parameters."""
    if findings.best is None:
        return "No trial has a score yet."
    values = findings.best.proposed.values[0]
    each = (
        f"{channel.name} = {value:.4g} {channel.unit}".strip()
        for channel, value in zip(findings.channels, values, strict=True)
    )
    return f"Score against each parameter; the best trial is ringed: {', '.join(each)}."
