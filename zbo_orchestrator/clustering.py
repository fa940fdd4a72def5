"""How well classes found without labels match labels, or the classes that another model found."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from zbo_orchestrator.model import Array


def _contingency(classes: Array, labels: Array) -> tuple[Array, Array, Array]:
    """The classes and the labels that occur, and how many images [class, label] have both."""
    found, row = np.unique(classes, return_inverse=True)
    known, column = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(found), len(known)), np.int64)
    np.add.at(counts, (row, column), 1)
    return found, known, counts


def accuracy(classes: Array, labels: Array) -> float:
    """The share of images whose class [image] is the one matched to their label [image].

    Classes and labels are matched one to one, so that as many images as possible agree; where there are more of one
    than of the other, some stay without a partner and their images count as wrong. Needs at least one image.
    """
    *_, counts = _contingency(classes, labels)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(classes))


def adjusted_rand(classes: Array, labels: Array) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985): 1 for equal partitions, about 0 for unrelated ones."""
    return float(adjusted_rand_score(labels, classes))


def aligned(classes: Array, reference: Array) -> Array:
    """The classes [image], renumbered by their best one-to-one matching with a reference's classes [image].

    A class without a partner gets the smallest number that the reference does not use.
    """
    found, known, counts = _contingency(classes, reference)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    alone = np.setdiff1d(np.arange(len(found)), rows)
    numbers = np.empty_like(known, shape=len(found))
    numbers[rows] = known[columns]
    numbers[alone] = np.setdiff1d(np.arange(len(known) + len(alone)), known)[: len(alone)]
    return np.asarray(numbers[np.searchsorted(found, classes)])


def agreement(assignments: Array) -> Array:
    """For each image, the share [image] of models that put it into its most frequent class.

    Of assignments [model, image]; every model's classes are first aligned to those of the first.
    """
    together = np.stack([aligned(classes, assignments[0]) for classes in assignments])
    votes = [(together == number).mean(axis=0) for number in np.unique(together)]
    return np.asarray(np.max(votes, axis=0))
