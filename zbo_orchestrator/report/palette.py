"""The report's colours, and how a figure wears them.

A figure is drawn in the light theme's colours. Inside the page each of them becomes a CSS variable, so that the
same SVG follows the reader's light or dark mode; as a PNG it keeps the light theme.
"""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from matplotlib import colormaps
from zbo_orchestrator.model import Goal

INK: Final = "#20262c"
MUTED: Final = "#6a737d"
LINE: Final = "#d8d6cf"
PAPER: Final = "#fffefb"
REGION: Final = "#e4ece9"
ACCENT: Final = "#1c6e73"
BEST: Final = "#d6480d"

VARIABLES: Final = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "paper",
    REGION: "region",
    ACCENT: "accent",
    BEST: "best",
}
"""Light colour -> the CSS variable that replaces it within the page."""

SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")
"""Okabe and Ito's colours, told apart by colour-blind readers and legible on light and on dark paper."""

STATUS: Final = {
    "scored": "#1c6e73",
    "failed": "#b3261e",
    "refused": "#b8860b",
    "stopped": "#7d5ba6",
    "interrupted": "#8a5a44",
    "transient": "#c77c3a",
    "proposed": "#6a737d",
    "started": "#3b6fb6",
}

MARKERS: Final = {
    "failed": "X",
    "refused": "s",
    "stopped": "P",
    "interrupted": "d",
    "transient": "v",
    "proposed": "o",
    "started": "o",
}
"""Shape says what colour alone would not."""

SMALL: Final = 7.5
TEXT: Final = 8.5
TITLE: Final = 9.5


def series(index: int) -> str:
    """The colour of the index-th family or channel."""
    return SERIES[index % len(SERIES)]


def score_map(goal: Goal) -> Colormap:
    """Viridis with its bright end on the better side."""
    return colormaps["viridis" if goal.maximize else "viridis_r"]


def sheet(width: float, height: float) -> Figure:
    """An empty figure (inches) whose axes keep out of one another's way."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    return figure


def dress(axes: Axes, title: str = "", x: str = "", y: str = "") -> Axes:
    """Give axes the house style: two quiet spines, small labels, a title flush left."""
    axes.patch.set_alpha(0.0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
        axes.spines[side].set_linewidth(0.7)
    axes.tick_params(colors=MUTED, labelsize=SMALL, width=0.7, length=3)
    axes.set_title(title, loc="left", fontsize=TITLE, color=INK, pad=6)
    axes.set_xlabel(x, fontsize=TEXT, color=MUTED)
    axes.set_ylabel(y, fontsize=TEXT, color=MUTED)
    return axes


def bare(axes: Axes, title: str = "") -> Axes:
    """Axes for a picture: no spines, no ticks."""
    dress(axes, title)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def legend(axes: Axes, **where: object) -> None:
    """A legend without a frame, in the page's ink."""
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, **where)


def colour_bar(figure: Figure, drawn: object, axes: object, label: str, **options: object) -> None:
    """A thin scale without a frame beside the axes."""
    bar = figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02, **options)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=MUTED, labelsize=SMALL, width=0.6, length=2.5)
    bar.set_label(label, fontsize=TEXT, color=MUTED)
