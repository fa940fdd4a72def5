"""A comparison with what its figures need: one training's manifolds for each arm, and the ensemble."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zbo_orchestrator.campaign.parts import find
from zbo_orchestrator.comparison import Comparison, folder_of, read
from zbo_orchestrator.comparison.arms import best_of
from zbo_orchestrator.comparison.ensemble import Ensemble, ensemble_of
from zbo_orchestrator.comparison.keeping import measurement_of
from zbo_orchestrator.comparison.outcome import identity_of
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Array, Comparable, ConfigurationError, Json, Measurement
from zbo_orchestrator.report.findings import Measured

PREFERRED = "manifolds"


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What the page shows: manifolds [class, cell, y, x] of one training an arm, by arm's index; seeds likewise."""

    comparison: Comparison
    manifolds: Mapping[int, Measured] = field(default_factory=dict)
    seeds: Mapping[int, int] = field(default_factory=dict)
    ensemble: Ensemble | None = None


def beside(record: Record) -> tuple[Compared | None, str]:
    """The comparison kept beside a history, and a remark: how to get one, or why one is left out or out of date."""
    comparison, command = read(record.path) or read(record.path, partial=True), f"zbo compare {record.path}"
    if comparison is None:
        advice = f"What was found has not been set against what is used: {command} trains both."
        return None, advice if _is_comparable(record.charter.campaign) else ""
    folder = folder_of(record.path)
    if comparison.identity != identity_of(record):
        return None, f"The comparison at {folder.name} is another campaign's, and is left out."
    best = best_of(record).number
    dated = f"The comparison is of trial {comparison.trial}; trial {best} is the best by now: {command} trains it."
    return gathered(comparison, folder), "" if best == comparison.trial else dated


def _is_comparable(document: Json) -> bool:
    """Whether the campaign names an executor that `zbo compare` takes; one that is not installed here is not."""
    try:
        executor = find("executors", document.get("executor", {}).get("use", ""))
    except ConfigurationError:
        return False
    return isinstance(executor, type) and issubclass(executor, Comparable)


def gathered(comparison: Comparison, folder: Path) -> Compared:
    """Read what was kept of the trainings shown: of each arm the one with the median score, else the first kept."""
    manifolds, seeds, name = {}, {}, ""
    for arm in range(len(comparison.arms)):
        seed, measurement = _shown(comparison, arm, folder)
        name = name or _stack(measurement)
        if name in measurement.arrays and _is_stack(measurement.arrays[name]):
            manifolds[arm] = Measured(name, measurement.arrays[name], measurement.dims[name])
            seeds[arm] = seed
    return Compared(comparison, manifolds, seeds, ensemble_of(comparison, folder))


def _shown(comparison: Comparison, arm: int, folder: Path) -> tuple[int, Measurement]:
    """The seed shown for an arm and what was measured with it; nothing where no training was kept."""
    median = comparison.median_seed(arm)
    order = range(len(comparison.seeds)) if median is None else [median]
    for seed in order:
        measurement = measurement_of(folder, str(comparison.last.digests[arm, seed]))
        if measurement is not None:
            return seed, measurement
    return -1, Measurement({})


def _stack(measurement: Measurement) -> str:
    """The name of the array that holds images in squares of cells; empty where there is none."""
    fitting = [name for name, values in measurement.arrays.items() if _is_stack(values)]
    return PREFERRED if PREFERRED in fitting else next(iter(fitting), "")


def _is_stack(values: Array) -> bool:
    square = values.ndim == 4 and math.isqrt(values.shape[1]) ** 2 == values.shape[1]
    return square and values.dtype.kind in "biuf" and bool(np.isfinite(values).any())


def traversal(stack: Array) -> Array:
    """One row of a square of cells: images [class, cell, y, x] along one latent axis, the other at its middle."""
    side = math.isqrt(stack.shape[1])
    return np.asarray(stack.reshape(len(stack), side, side, *stack.shape[2:])[:, side // 2])
