"""How well the classes of a joint VAE separate, told from the images that each class decodes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from zbo_orchestrator import clustering, similarity
from zbo_orchestrator.evaluators.measured import finite
from zbo_orchestrator.model import Array, ConfigurationError, ExecutionError, Measurement, Score, Trajectory


@dataclass(frozen=True)
class ManifoldSeparation:
    """The published objective l1 - l2: classes that look different from one another, each of them alike throughout.

        l1 = sum over classes i < j of the mean over cells k of DSSIM(M[i, k], M[j, k])
        l2 = sum over classes i of the mean over pairs k != m of DSSIM(M[i, k], M[i, m])

    with DSSIM = clip((1 - SSIM) / 2, 0, 1): Biswas et al. 2023, Mach. Learn.: Sci. Technol. 4 015011, Table 2.
    Departures: the published code takes one pair of cells a class a thousand times, here the pairs differ; its SSIM
    weighs the window by a Gaussian and mirrors the border, here it is scikit-image's default.

    between       whether l1 counts
    within        whether l2 counts; alone, the score is l2 itself, to be minimised
    pairs         random pairs of cells in l2, each taken once; all of them where there are no more
    over_classes  whether l2 is summed over the classes, as published, or averaged
    window        side of SSIM's window, odd
    seed          of the pairs: the same for every class and every trial

    Terms, recorded and shown but not planned with: between (l1) and within (l2), whether they count or not, and, where
    labels [image] and posterior [image, class] were measured, accuracy (best matching of classes to labels) and
    adjusted_rand. A negative label is unknown.
    """

    between: bool = True
    within: bool = True
    pairs: Annotated[int, Ge(1)] = 1000
    over_classes: Literal["sum", "mean"] = "sum"
    window: Annotated[int, Ge(3)] = 5
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if not (self.between or self.within):
            raise ConfigurationError("between and within are both false; wanted at least one of them")
        for name, least in (("pairs", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted at least {least}")
        if self.over_classes not in {"mean", "sum"}:
            raise ConfigurationError(f"over_classes is {self.over_classes!r}; wanted sum or mean")
        if self.window < 3 or self.window % 2 == 0:
            raise ConfigurationError(f"window is {self.window}; wanted an odd number of at least 3")

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:  # noqa: ARG002
        """Score the measured manifolds [class, cell, y, x], whose values span 0 to 1."""
        images = _manifolds(measurement, self.window)
        manifolds = similarity.moments(images, self.window)
        l1 = similarity.between(manifolds)
        each = similarity.within(manifolds, self.pairs, np.random.default_rng(self.seed))
        l2 = float(each.mean() if self.over_classes == "mean" else each.sum())
        value = l1 - l2 if self.between and self.within else l1 if self.between else l2
        return Score(value, {"between": l1, "within": l2, **_against_labels(measurement, len(images))})


def _manifolds(measurement: Measurement, window: int) -> Array:
    images = finite(measurement, "manifolds")
    shape = images.shape
    if len(shape) != 4 or shape[0] < 2 or shape[1] < 2 or min(shape[2:]) < window:
        raise ExecutionError(
            f"manifolds has shape {shape}; wanted [class, cell, y, x] with 2 classes, 2 cells, "
            f"{window} x {window} pixels or more"
        )
    return images


def _against_labels(measurement: Measurement, classes: int) -> Mapping[str, float]:
    """How well the classes match the labels; nothing where no label is known."""
    if not {"labels", "posterior"} <= measurement.arrays.keys():
        return {}
    labels, posterior = finite(measurement, "labels"), finite(measurement, "posterior")
    if posterior.ndim != 2 or posterior.shape[1] != classes:
        raise ExecutionError(f"posterior has shape {posterior.shape}; wanted [image, class] with {classes} classes")
    if labels.shape != posterior.shape[:1]:
        raise ExecutionError(f"labels has shape {labels.shape}; wanted ({len(posterior)},), one for each posterior")
    known = labels >= 0
    if not known.any():
        return {}
    assigned = posterior[known].argmax(axis=1)
    return {
        "accuracy": clustering.accuracy(assigned, labels[known]),
        "adjusted_rand": clustering.adjusted_rand(assigned, labels[known]),
    }
