"""Measured arrays that belong together since they share an axis: one picture for them, decided by axes alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zbo_orchestrator.report.findings import Measured
from zbo_orchestrator.report.measured import FEW, Picture, picture

LABELS = 10
"""Different integers at most for them to be labels rather than numbers."""


def arranged(measured: Sequence[Measured]) -> list[Picture]:
    """Pictures of arrays, one for those that share an axis: series over it, points and shares of labelled things."""
    classes = [*filter(is_labels, measured), *filter(is_shares, measured)]
    pictures = [_of_things(each, [other for other in classes if _same_things(each, other)]) for each in measured]
    shown = {other for each in pictures for other in each.beside if is_labels(other)}
    return _together([what for each, what in zip(measured, pictures, strict=True) if each not in shown])


def is_labels(measured: Measured) -> bool:
    """Few different integers [thing], fewer than half as many as there are things."""
    values = np.asarray(measured.values)
    if values.ndim != 1 or values.dtype.kind not in "iub":
        return False
    return 1 < len(np.unique(values)) <= min(LABELS, len(values) // 2)


def is_shares(measured: Measured) -> bool:
    """Every row [thing, class] is a distribution over fewer classes than half the things."""
    values = np.asarray(measured.values)
    if values.ndim != 2 or values.dtype.kind != "f" or not 4 <= 2 * values.shape[1] <= values.shape[0]:
        return False
    return bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1.0, atol=1e-3))


def _same_things(measured: Measured, other: Measured) -> bool:
    """Both have a row for each of the same things: they share the name and the length of their first axis."""
    return measured is not other and (
        measured.dims[:1] == other.dims[:1] and measured.values.shape[:1] == other.values.shape[:1]
    )


def _of_things(measured: Measured, classes: Sequence[Measured]) -> Picture:
    """The picture of an array of things whose `classes` are known: shares by label, points by label and class."""
    values = np.asarray(measured.values)
    if is_shares(measured):
        return Picture("shares", measured, tuple(each for each in classes if is_labels(each))[:1])
    if classes and values.ndim == 2 and values.dtype.kind == "f" and 2 <= values.shape[1] <= FEW:
        return Picture("points", measured, tuple(classes))
    return picture(measured)


def _together(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures with single lines over one axis made panels, in the place of the first of them."""
    lines: dict[tuple[str, int], list[Picture]] = {}
    for each in pictures:
        if (over := _line_over(each)) is not None:
            lines.setdefault(over, []).append(each)
    panels = {group[0]: _panels(group) for group in lines.values() if len(group) > 1}
    merged = {each for group in lines.values() for each in group[1:]}
    return [panels.get(each, each) for each in pictures if each not in merged]


def _panels(lines: Sequence[Picture]) -> Picture:
    """Single lines as one array [series, step], named after all of them."""
    names = ", ".join(each.measured.name for each in lines)
    values = np.concatenate([each.values for each in lines])
    together = Measured(names, values, ("series", lines[0].dims[1]))
    return Picture("panels", together, tuple(each.measured for each in lines))


def _line_over(what: Picture) -> tuple[str, int] | None:
    """Name and length of the axis that a single line runs over; None for any other picture."""
    return (what.dims[1], what.values.shape[1]) if what.kind == "series" and len(what.values) == 1 else None
