"""Pictures of what was measured in the best trial; they know axes and units, not what the experiment was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from zbo_orchestrator.report.arranged import arranged
from zbo_orchestrator.report.classes import points_figure, points_words, shares_caption, shares_figure, shares_words
from zbo_orchestrator.report.fields import frames_caption, frames_figure, image_figure, vectors_figure
from zbo_orchestrator.report.findings import Best, Findings, Measured
from zbo_orchestrator.report.lines import follows, panels_figure, panels_words, series_figure
from zbo_orchestrator.report.measured import Kind, Picture, picture
from zbo_orchestrator.report.stacks import stack_caption, stack_figure
from zbo_orchestrator.report.wording import counted, number

_FIGURES: Final[dict[Kind, Callable[[Picture, Best], Figure]]] = {
    "stack": lambda what, _: stack_figure(what),
    "vectors": lambda what, _: vectors_figure(what),
    "image": lambda what, _: image_figure(what),
    "panels": panels_figure,
    "shares": lambda what, _: shares_figure(what),
    "points": lambda what, _: points_figure(what),
    "series": series_figure,
    "vector frames": lambda what, _: frames_figure(what),
    "frames": lambda what, _: frames_figure(what),
}
"""The kinds that are drawn, first to last."""
_WORDS: Final[dict[Kind, Callable[[Picture], str]]] = {
    "panels": panels_words,
    "shares": shares_words,
    "points": points_words,
}
_CAPTIONS: Final[dict[Kind, Callable[[Picture], str]]] = {
    "stack": stack_caption,
    "shares": shares_caption,
    "vector frames": frames_caption,
    "frames": frames_caption,
}


def drawn_pictures(findings: Findings) -> list[tuple[Picture, Figure]]:
    """Every measured array of the best trial that is worth drawing, stacks, vector fields and images first."""
    best = findings.best
    if best is None:
        return []
    order = list(_FIGURES)
    drawn = [(each, draw(each, best)) for each in _pictures(best) if each.kind in _FIGURES]
    return sorted(drawn, key=lambda pair: (order.index(pair[0].kind), -pair[1].get_figwidth()))


def told_pictures(findings: Findings) -> list[tuple[str, str]]:
    """Name and text of what is told rather than drawn: numbers, text, axes, what was applied, what is too large."""
    best = findings.best
    if best is None:
        return []
    told = [each for each in _pictures(best) if each.kind not in _FIGURES]
    return [(_name(each.measured), _told(each)) for each in (*told, *_following(best))]


def draw(what: Picture, best: Best) -> Figure:
    """The picture for its kind."""
    return _FIGURES[what.kind](what, best)


def caption(what: Picture) -> str:
    """What a reader has to know of how it is drawn."""
    return _CAPTIONS[what.kind](what) if what.kind in _CAPTIONS else ""


def words(what: Picture) -> str:
    """The picture for a reader who cannot see it."""
    if what.kind in _WORDS:
        return _WORDS[what.kind](what)
    values = np.asarray(what.measured.values, dtype=np.float64)
    extent = f"{' × '.join(map(str, values.shape))} ({', '.join(what.dims)})"
    spread = (
        f"from {number(float(np.nanmin(values)))} to {number(float(np.nanmax(values)))} {what.measured.unit}".rstrip()
    )
    return f"{_name(what.measured)} measured in the best trial, {extent}, {spread}."


def _pictures(best: Best) -> list[Picture]:
    """What was measured but for what only follows what was applied."""
    return arranged([each for each in best.measured if not follows(picture(each), best)])


def _following(best: Best) -> list[Picture]:
    return [what for what in map(picture, best.measured) if follows(what, best)]


def _name(measured: Measured) -> str:
    return measured.name.replace("_", " ")


def _told(what: Picture) -> str:
    if what.kind == "number":
        return f"{number(float(what.values))} {what.measured.unit}".rstrip()
    if what.kind == "axis":
        first, last = (number(float(value)) for value in what.values[[0, -1]])
        return f"{first} to {last} {what.measured.unit}".rstrip() + f" in {counted(len(what.values), 'even step')}"
    if what.kind == "series":
        low, high = (number(float(end)) for end in (np.nanmin(what.values), np.nanmax(what.values)))
        return f"follows what was applied, from {low} to {high} {what.measured.unit}".rstrip()
    if what.kind == "text":
        each = np.asarray(what.values).ravel()[:20]
        return ", ".join(number(float(value)) if each.dtype.kind == "f" else str(value) for value in each)
    return f"array over {' × '.join(what.dims)}, not drawn"
