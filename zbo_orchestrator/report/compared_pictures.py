"""Images of a comparison: what each arm's model decodes along one latent axis, and what the ensemble disputes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from zbo_orchestrator.comparison.ensemble import Ensemble
from zbo_orchestrator.model import Array
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.compared import Compared, traversal
from zbo_orchestrator.report.compared_figures import colour
from zbo_orchestrator.report.stacks import GREYS

ACROSS, DOWN = 8, 12
"""Cells along the latent axis and classes that are drawn, at most."""
COLUMNS = 3
DISPUTED = 12


def manifolds_figure(compared: Compared) -> Figure | None:
    """A panel an arm: classes down, cells of one latent axis across, all on one grey scale."""
    if not compared.manifolds:
        return None
    tiles = {arm: mosaic(traversal(each.values)) for arm, each in compared.manifolds.items()}
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    tall = max(tile.shape[0] / tile.shape[1] for tile in tiles.values())
    panel = 3.3
    room = palette.Margins(left=0.1, right=0.1, top=0.32, bottom=0.08, across=0.22, down=0.42)
    width = room.left + room.right + columns * panel + (columns - 1) * room.across
    height = room.top + room.bottom + rows * panel * tall + (rows - 1) * room.down
    figure, cells = palette.sheet(width, height, rows, columns, room)
    scale = _scale([each.values for each in compared.manifolds.values()])
    for cell in cells.ravel()[len(tiles) :]:
        cell.set_visible(False)
    for cell, (arm, tile) in zip(cells.ravel(), tiles.items(), strict=False):
        seed = f"seed {compared.seeds[arm] + 1} of {len(compared.comparison.seeds)}"
        _picture(cell, tile, f"{compared.comparison.arms[arm]}, {seed}", scale)
        cell.title.set_color(colour(arm) if arm == 0 else palette.INK)
        cell.set_anchor("N")
    return figure


def manifolds_words(compared: Compared) -> str:
    """How the panels are to be read."""
    if not compared.manifolds:
        return ""
    first = next(iter(compared.manifolds.values()))
    side = traversal(first.values).shape[1]
    some = f", {ACROSS} of its {side} cells" if side > ACROSS else ""
    return (
        f"A {first.dims[0]} a row, across it one latent axis with the other at its middle{some}. "
        "Each schedule's training with the median score."
    )


def disputed(ensemble: Ensemble) -> Array:
    """Indices of the images with the least agreement, the least first; none that all models agree on."""
    order = np.argsort(ensemble.agreement, kind="stable")[:DISPUTED]
    return np.asarray(order[ensemble.agreement[order] < 1])


def mosaic(images: Array) -> Array:
    """Images [row, column, y, x] as one, a pixel of NaN between them; evenly thinned where they are too many."""
    rows, columns = (_thinned(count, most) for count, most in zip(images.shape[:2], (DOWN, ACROSS), strict=True))
    kept = images[rows][:, columns].astype(np.float64)
    edged = np.pad(kept, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    return np.asarray(np.concatenate(np.concatenate(edged, axis=1), axis=1)[:-1, :-1])


def _thinned(count: int, most: int) -> Array:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _scale(stacks: list[Array]) -> Normalize:
    return Normalize(min(float(np.nanmin(each)) for each in stacks), max(float(np.nanmax(each)) for each in stacks))


def _picture(axes: Axes, image: Array, title: str, scale: Normalize) -> None:
    palette.bare(axes).imshow(image, cmap=GREYS, norm=scale, interpolation="nearest")
    axes.set_title(title, loc="left", fontsize=palette.TEXT, color=palette.INK, pad=4)
