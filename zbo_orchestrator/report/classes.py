"""Things and their classes: the share of every class in each thing, and points coloured by label or class."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.arranged import is_shares
from zbo_orchestrator.report.findings import Measured
from zbo_orchestrator.report.measured import Picture
from zbo_orchestrator.report.wording import axis, counted, share

MANY = 1500
"""Dots beyond which they are drawn as pixels, for the size of the file."""
KEYS = 15
"""Classes that the key of a panel has room for."""


def shares_figure(what: Picture) -> Figure:
    """A column a thing, a row a class; things in the order of their labels, then of their largest class."""
    order, labels = ordered(what)
    shares = np.asarray(what.values, dtype=np.float64)[order].T
    height = 0.16 * min(len(shares), 20) + 1.3
    room = palette.Margins(left=0.6, right=0.86, top=0.32, bottom=0.3)
    figure, ((axes,),) = palette.sheet(9.6, height, margins=room)
    thing, name = what.dims
    by = axis(what.beside[0].name if what.beside else name)
    palette.dress(axes, x=f"{axis(thing)}, ordered by {by}", y=axis(name))
    drawn = axes.imshow(shares, aspect="auto", cmap="viridis", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_yticks(np.arange(len(shares))[:: -(-len(shares) // 12)])
    axes.set_xticks([])
    _boundaries(axes, labels)
    palette.colour_bar(figure, drawn, axes, "share")
    return figure


def shares_caption(what: Picture) -> str:
    thing, name = what.dims
    labelled = f"their {axis(what.beside[0].name)} (above), then by " if what.beside else ""
    return f"A column for each {axis(thing)}, ordered by {labelled}the {axis(name)} with the largest share."


def shares_words(what: Picture) -> str:
    """How sure the classes are, and how many things each has."""
    values = np.asarray(what.values)
    thing, name = what.dims
    counts = np.bincount(values.argmax(axis=1), minlength=values.shape[1])
    held = ", ".join(f"{axis(name)} {index}: {count}" for index, count in enumerate(counts))
    return (
        f"{axis(what.measured.name)} measured in the best trial: the share of every {axis(name)} in each of "
        f"{counted(len(values), axis(thing))}. The largest is {share(float(values.max(axis=1).mean()))} on average; "
        f"it belongs to {held}."
    )


def points_figure(what: Picture) -> Figure:
    """The last two coordinates of every thing, a panel for each array that says its class."""
    columns = len(what.beside)
    figure, (cells,) = palette.sheet(
        0.6 + 4.3 * columns, 3.7, 1, columns, palette.Margins(right=1.0, across=1.15), sharex=True, sharey=True
    )
    width, name = what.values.shape[1], axis(what.dims[1])
    for cell, classes in zip(cells, what.beside, strict=True):
        palette.dress(cell, f"by {_told_by(classes)}", f"{name} {width - 2}", f"{name} {width - 1}")
        _dots(cell, np.asarray(what.values)[:, -2:], _classes(classes))
    return figure


def points_words(what: Picture) -> str:
    width, name = what.values.shape[1], axis(what.dims[1])
    by = " and by ".join(_told_by(each) for each in what.beside)
    return (
        f"{axis(what.measured.name)} measured in the best trial: {name} {width - 1} against {name} {width - 2} "
        f"of {counted(len(what.values), axis(what.dims[0]))}, coloured by {by}."
    )


def ordered(what: Picture) -> tuple[Array, Array | None]:
    """The order [thing] of the rows by label, largest class and its share, and the labels in that order if any."""
    values = np.asarray(what.values)
    keys = (-values.max(axis=1), values.argmax(axis=1))
    if not what.beside:
        return np.lexsort(keys), None
    labels = np.asarray(what.beside[0].values)
    order = np.lexsort((*keys, labels))
    return order, labels[order]


def _boundaries(axes: Axes, labels: Array | None) -> None:
    """A white line where the next label begins, and each label above its things."""
    if labels is None:
        return
    names, first, count = np.unique(labels, return_index=True, return_counts=True)
    for edge in first[1:]:
        axes.axvline(edge - 0.5, color="white", lw=1.2)
    for name, middle in zip(names, first + (count - 1) / 2, strict=True):
        axes.annotate(f"{name}", (middle, 1.0), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                      ha="center", fontsize=palette.SMALL, color=palette.MUTED)  # fmt: skip


def _told_by(classes: Measured) -> str:
    return f"{axis(classes.dims[1])} of largest {axis(classes.name)}" if is_shares(classes) else axis(classes.name)


def _classes(classes: Measured) -> Array:
    """The class [thing] as an integer: the label, or that of the largest share."""
    values = np.asarray(classes.values)
    return values.argmax(axis=1) if is_shares(classes) else values


def _dots(axes: Axes, points: Array, classes: Array) -> None:
    """A dot a thing in the colour of its class; triangles once the colours have all been used."""
    for index, name in enumerate(np.unique(classes)[:KEYS]):
        x, y = points[classes == name].T
        axes.scatter(
            x, y, s=palette.dot(14, len(points) // 4), color=palette.series(index), linewidths=0,
            marker="o" if index < len(palette.SERIES) else "^", label=f"{name}", rasterized=len(points) > MANY,
        )  # fmt: skip
    palette.legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.02), handletextpad=0.1, markerscale=1.6)
