"""The plain VAE that a jrVAE is compared with: no classes, no invariances; its classes are clusters of its codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm
from sklearn.cluster import KMeans

from zbo_jrvae.course import Course
from zbo_jrvae.inference import decode, encode
from zbo_jrvae.measuring import DIMS
from zbo_jrvae.memory import out_of_memory, ran_out
from zbo_jrvae.model import Model, Recipe
from zbo_jrvae.schedules import betas
from zbo_jrvae.training import Training
from zbo_orchestrator.model import Array, ExecutionError, Measurement, Run, Trajectory

if TYPE_CHECKING:
    from zbo_jrvae.executor import JrvaeExecutor


@dataclass(frozen=True)
class VanillaExecutor:
    """A VAE on the images, and with the settings, of a jrVAE executor.

    k-means finds as many clusters of the codes as the jrVAE has classes. The manifold of a cluster is what the decoder
    makes of the cluster's own neighbourhood: its mean and the grid of normal quantiles times its deviations. The arrays
    have the jrVAE's names and shapes and are scored by the same formula, yet a score of neighbourhoods is not quite the
    quantity that a score of class manifolds, on the prior's own grid, is: `note` says so.
    """

    jrvae: JrvaeExecutor

    repeatable = True
    note = (
        "its manifolds are neighbourhoods of clusters of its codes, not classes' own, so that its score is not quite "
        "the same quantity"
    )

    @property
    def model(self) -> Model:
        return replace(self.jrvae.model, classes=1, invariances=())

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Train under the first channel's weights."""
        options, images = self.jrvae, self.jrvae.loaded
        if len(images.pixels) < options.classes:
            raise ExecutionError(f"{len(images.pixels)} images; wanted at least {options.classes}, one a cluster")
        schedule = betas(trajectory, options.epochs, options.beta_discrete)
        recipe = replace(options.recipe, pixel_share=1.0)
        try:
            return self._train(schedule, recipe, run)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            raise out_of_memory(self.model, recipe, 1, self.jrvae.grid) from error

    def _train(self, schedule: Array, recipe: Recipe, run: Run) -> Measurement:
        """Under a schedule [epoch, 2]."""
        options, images = self.jrvae, self.jrvae.loaded
        training = Training(self.model, recipe, images.pixels, schedule[None], [run.seed])
        course = Course(training, [run], len(schedule))
        course.run(repr((self, run.seed)).encode() + schedule.tobytes())
        if course.outcomes:
            raise course.outcomes[0]
        weights = training.weights(0)
        means = encode(self.model, weights, images.pixels).means
        clusters = clustered(means, options.classes, run.seed)
        arrays = {
            "manifolds": self._manifolds(weights, means, clusters),
            "means": means,
            "posterior": np.eye(options.classes, dtype=np.float32)[clusters],
            **course.losses_of(0),
        }
        if images.labels is not None:
            arrays["labels"] = np.asarray(images.labels, dtype=np.int64)
        return Measurement(arrays, {name: DIMS[name] for name in arrays})

    def _manifolds(self, weights: dict[str, Array], means: Array, clusters: Array) -> Array:
        """[cluster, cell, y, x]."""
        return np.stack(
            [
                decode(self.model, weights, z, np.zeros(len(z), dtype=np.int64))
                for z in (self._around(means[clusters == cluster]) for cluster in range(self.jrvae.classes))
            ]
        )

    def _around(self, codes: Array) -> Array:
        """The grid of normal quantiles [cell, latent] in the first two latents, moved and stretched to some codes."""
        side = self.jrvae.grid
        down, across = norm.ppf(np.linspace(0.95, 0.05, side)), norm.ppf(np.linspace(0.05, 0.95, side))
        steps = np.zeros((side * side, codes.shape[1]))
        steps[:, 0] = np.repeat(down, side)
        steps[:, 1:2] = np.tile(across, side)[:, None]
        return np.asarray(codes.mean(axis=0) + codes.std(axis=0) * steps)


def clustered(codes: Array, clusters: int, seed: int) -> Array:
    """The k-means cluster [image] of codes [image, latent]; raises `ExecutionError` where one would stay empty."""
    distinct = len(np.unique(codes, axis=0))
    if distinct < clusters:
        raise ExecutionError(f"{distinct} distinct codes of {len(codes)} images; wanted at least {clusters} clusters")
    found = KMeans(clusters, n_init=10, random_state=seed % 2**32).fit_predict(codes)
    if (filled := len(np.unique(found))) < clusters:  # codes closer to each other than k-means can tell apart
        raise ExecutionError(f"k-means filled {filled} clusters; wanted {clusters}")
    return np.asarray(found)
