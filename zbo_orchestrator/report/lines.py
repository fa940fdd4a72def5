"""Measured series as lines: over their axis, against what was applied, or a panel each for those of one axis."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zbo_orchestrator.model import Array, Trajectory
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Best
from zbo_orchestrator.report.measured import Picture
from zbo_orchestrator.report.wording import axis, counted, number

LINES = 6
COLUMNS = 3


def series_figure(what: Picture, best: Best) -> Figure:
    """Lines over their axis; where that is the trajectory's own, also against what was applied."""
    applied = applied_over(what.values.shape[1], best)
    if applied is None:
        return _one_panel(what)
    figure, ((left, right),) = palette.sheet(7.2, 3.1, 1, 2, palette.Margins(across=0.2), sharey=True)
    _lines(palette.dress(left, x="time", y=_label(what)), applied.time, what)
    channel = applied.channels[0]
    _lines(palette.dress(right, x=axis(channel.name, channel.unit)), applied.values[:, 0], what)
    if len(what.values) > 1:
        palette.legend_above(left, columns=4)
    return figure


def panels_figure(what: Picture, best: Best) -> Figure:
    """A panel for each series over the axis of all; before them what was applied, where it has as many steps."""
    steps = what.values.shape[1]
    applied = applied_over(steps, best)
    drawn = [(f"{axis(name, unit)}, applied", values, palette.BEST) for name, unit, values in _channels(applied)]
    drawn += [(axis(each.name, each.unit), each.values[0], palette.series(0)) for each in what.beside]
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    room = palette.Margins(left=0.5, across=0.5, down=0.5)
    figure, cells = palette.sheet(3.4 * columns, 0.4 + 1.85 * rows, rows, columns, room, sharex=True)
    for index, cell in enumerate(cells.ravel()):
        cell.set_visible(index < len(drawn))
        if index < len(drawn):
            title, values, colour = drawn[index]
            lowest = index + columns >= len(drawn)
            palette.dress(cell, title, axis(what.dims[1]) if lowest else "").tick_params(labelbottom=lowest)
            cell.plot(np.arange(steps), values, color=colour, lw=1.3)
    return figure


def panels_words(what: Picture) -> str:
    """Where each series begins and ends."""
    ends = (
        f"{axis(each.name)} from {number(float(each.values[0, 0]))} to {number(float(each.values[0, -1]))} "
        f"{each.unit}".rstrip()
        for each in what.beside
    )
    steps = counted(what.values.shape[1], "step")
    return f"Measured in the best trial over {steps} of {axis(what.dims[1])}: {'; '.join(ends)}."


def follows(what: Picture, best: Best) -> bool:
    """Every line is a constant, or the first channel as it was applied times a factor: nothing new to be seen."""
    applied = applied_over(what.values.shape[1], best) if what.kind == "series" else None
    if applied is None:
        return False
    channel = applied.values[:, 0] - applied.values[:, 0].mean()
    moving = what.values - what.values.mean(axis=1, keepdims=True)
    factors = moving @ channel / max(float(channel @ channel), np.finfo(float).tiny)
    return bool(np.allclose(moving, factors[:, None] * channel, atol=1e-6 * float(np.abs(moving).max())))


def applied_over(length: int, best: Best) -> Trajectory | None:
    """The trajectory with as many steps as a series: the executed one, else the proposed one."""
    fitting = (each for each in (best.executed, best.proposed) if each is not None and each.steps == length > 1)
    return next(fitting, None)


def _channels(applied: Trajectory | None) -> list[tuple[str, str, Array]]:
    """Name, unit and values [step] of each channel that was applied."""
    channels = () if applied is None else applied.channels
    return [(each.name, each.unit, applied.values[:, index]) for index, each in enumerate(channels) if applied]


def _one_panel(what: Picture) -> Figure:
    figure, ((axes,),) = palette.sheet(3.4, 2.9)
    _lines(palette.dress(axes, x=axis(what.dims[1]), y=_label(what)), np.arange(what.values.shape[1]), what)
    if len(what.values) > 1:
        palette.legend_above(axes, columns=3)
    return figure


def _label(what: Picture) -> str:
    return axis(what.measured.name, what.measured.unit)


def _lines(axes: Axes, x: Array, what: Picture) -> None:
    for index, values in enumerate(what.values[:LINES]):
        axes.plot(x, values, color=palette.series(index), lw=1.1, label=f"{what.dims[0]} {index}")
