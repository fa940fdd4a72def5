"""The final models of the best found schedule as an ensemble: how far they agree on the class of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from zbo_orchestrator.clustering import accuracy, agreement, aligned
from zbo_orchestrator.comparison.keeping import measurement_of
from zbo_orchestrator.comparison.outcome import Comparison
from zbo_orchestrator.model import Array, Measurement

_UNKNOWN: Array = np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """What several models make of the same images.

    models     how many
    agreement  share of them that vote for an image's most frequent class, [image]
    accuracy   of the majority vote against the labels; NaN where no label is known
    """

    models: int
    agreement: Array
    accuracy: float = nan


def ensemble_of(comparison: Comparison, folder: Path) -> Ensemble | None:
    """The best found's models over the seeds; None without a posterior [image, class] from at least two of them.

    At full size only: at the campaign's size each seed may have seen images of its own.
    """
    if comparison.last.size != "final":
        return None
    measured = (measurement_of(folder, str(digest)) for digest in comparison.last.digests[0])
    models = [each for each in measured if each is not None and _votes(each)]
    return _together(models) if len(models) > 1 and _of_the_same_images(models) else None


def _votes(measurement: Measurement) -> bool:
    return "posterior" in measurement.arrays and measurement.arrays["posterior"].ndim == 2


def _of_the_same_images(models: Sequence[Measurement]) -> bool:
    told = [(each.arrays["posterior"].shape, each.arrays.get("labels", _UNKNOWN)) for each in models]
    return all(shape == told[0][0] and np.array_equal(labels, told[0][1]) for shape, labels in told)


def _together(models: Sequence[Measurement]) -> Ensemble:
    assignments = np.stack([each.arrays["posterior"].argmax(axis=1) for each in models])
    arrays = models[0].arrays
    labels = arrays.get("labels")
    return Ensemble(
        models=len(models),
        agreement=agreement(assignments),
        accuracy=nan if labels is None else _accuracy(majority(assignments), labels),
    )


def majority(assignments: Array) -> Array:
    """The most frequent class [image] of assignments [model, image], in the first model's numbers."""
    together = np.stack([aligned(each, assignments[0]) for each in assignments])
    classes = np.unique(together)
    votes = np.stack([(together == number).sum(axis=0) for number in classes])
    return np.asarray(classes[votes.argmax(axis=0)])


def _accuracy(classes: Array, labels: Array) -> float:
    """Against the labels that are known: none of them negative."""
    known = labels >= 0
    return accuracy(classes[known], labels[known]) if known.any() else nan
