"""The report's colours, and how a figure wears them.

A figure is drawn in the light theme's colours. Inside the page each of them becomes a CSS variable, so that the
same SVG follows the reader's light or dark mode; as a PNG it keeps the light theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colorizer import ColorizingArtist
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from zbo_orchestrator.model import Array, Goal

INK: Final = "#20262c"
MUTED: Final = "#6a737d"
LINE: Final = "#d8d6cf"
PAPER: Final = "#fffefb"
REGION: Final = "#e4ece9"
ACCENT: Final = "#1c6e73"
BEST: Final = "#d6480d"

SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""

STATUS: Final = {
    "scored": ACCENT,
    "failed": "#b3261e",
    "refused": "#b8860b",
    "stopped": "#7d5ba6",
    "interrupted": "#8a5a44",
    "transient": "#c77c3a",
    "vetoed": "#4f5d95",
    "proposed": MUTED,
    "started": "#3b6fb6",
}

VARIABLES: Final = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "paper",
    REGION: "region",
    BEST: "best",
    **{colour: f"series-{index}" for index, colour in enumerate(SERIES)},
    **{colour: status for status, colour in STATUS.items() if colour != MUTED},
    ACCENT: "accent",
}
"""Light colour -> the CSS variable that replaces it within the page."""

MARKERS: Final = {
    "failed": "X",
    "refused": "s",
    "stopped": "P",
    "interrupted": "d",
    "transient": "v",
    "vetoed": "D",
    "proposed": "o",
    "started": "o",
}
"""Shape says what colour alone would not."""

SMALL: Final = 8.0
TEXT: Final = 9.0
TITLE: Final = 10.0


def series(index: int) -> str:
    """The colour of the index-th family or channel."""
    return SERIES[index % len(SERIES)]


def dot(area: float, count: int) -> float:
    """The area of one of many dots: as wished for up to 150, then smaller, so that they do not merge."""
    return float(area * max(0.2, min(1.0, (150 / max(count, 1)) ** 0.5)))


def score_map(goal: Goal) -> Colormap:
    """Viridis with its bright end on the better side."""
    return colormaps["viridis" if goal.maximize else "viridis_r"]


_FROM_OKLAB = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


def direction_colours(angle: Array) -> Array:
    """A colour [..., 3] for every direction (radians).

    A circle in Oklab (Ottosson 2020): right is ochre, left blue, the axis that colour-blind readers keep; up is light
    and down dark, which tells the rest.
    """
    hue = angle + np.deg2rad(70)
    lightness = 0.67 + 0.13 * np.sin(angle)
    lab = np.stack([lightness, 0.115 * np.cos(hue), 0.115 * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _FROM_OKLAB.T) ** 3 @ _TO_LINEAR.T, 0.0, 1.0)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


@dataclass(frozen=True, slots=True)
class Margins:
    """Inches kept free around the axes of a figure, and between them.

    Fixed, since measuring every label to fit the axes around them costs more than drawing the figure.
    """

    left: float = 0.66
    right: float = 0.16
    top: float = 0.3
    bottom: float = 0.5
    across: float = 0.62
    down: float = 0.62


BAR: Final = Margins(right=0.86)
"""Room for a colour bar."""


def sheet(
    width: float, height: float, rows: int = 1, columns: int = 1, margins: Margins = Margins(), **shared: Any
) -> tuple[Figure, Array]:
    """A figure (inches) and its axes [row, column]."""
    figure = Figure(figsize=(width, height))
    figure.patch.set_alpha(0.0)
    each_wide = (width - margins.left - margins.right - (columns - 1) * margins.across) / columns
    each_tall = (height - margins.top - margins.bottom - (rows - 1) * margins.down) / rows
    placed = {
        "left": margins.left / width,
        "right": 1 - margins.right / width,
        "bottom": margins.bottom / height,
        "top": 1 - margins.top / height,
        "wspace": margins.across / each_wide,
        "hspace": margins.down / each_tall,
    }
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=placed, **shared)


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


def legend(axes: Axes, **where: Any) -> None:
    """A legend without a frame, in the page's ink."""
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, **where)


def legend_above(axes: Axes, columns: int) -> None:
    """A legend in rows above the axes, flush left."""
    legend(
        axes, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns, handletextpad=0.4, columnspacing=1.0,
        borderaxespad=0.1, handlelength=1.6,
    )  # fmt: skip


def colour_bar(figure: Figure, drawn: ColorizingArtist, axes: Axes, label: str) -> None:
    """A thin scale without a frame in the margin right of the axes."""
    wide = axes.get_position().width * figure.get_figwidth()
    bar = figure.colorbar(drawn, cax=axes.inset_axes((1 + 0.1 / wide, 0, 0.11 / wide, 1)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=MUTED, labelsize=SMALL, width=0.6, length=2.5)
    bar.set_label(label, fontsize=TEXT, color=MUTED)
