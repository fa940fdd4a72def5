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
from zbo_jrvae.model import Model
from zbo_jrvae.schedules import betas
from zbo_jrvae.training import Training
from zbo_orchestrator.model import Array, Measurement, Run, Trajectory

if TYPE_CHECKING:
    from zbo_jrvae.executor import JrvaeExecutor


@dataclass(frozen=True)
class VanillaExecutor:
    """A VAE on the images, and with the settings, of a jrVAE executor.

    k-means finds as many clusters of the codes as the jrVAE has classes. The manifold of a cluster is what the decoder
    makes of the cluster's own neighbourhood: its mean and the grid of normal quantiles times its deviations. So every
    measured array means what it means for the jrVAE, and the two can be scored alike.
    """

    jrvae: JrvaeExecutor

    repeatable = True

    @property
    def model(self) -> Model:
        return replace(self.jrvae.model, classes=1, invariances=())

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Train under the first channel's weights."""
        options, images = self.jrvae, self.jrvae.loaded
        schedule = betas(trajectory, options.epochs, options.beta_discrete)
        recipe = replace(options.recipe, pixel_share=1.0)
        training = Training(self.model, recipe, images.pixels, schedule[None], [run.seed])
        course = Course(training, [run], len(schedule))
        course.run(repr((self, run.seed)).encode() + schedule.tobytes())
        if course.outcomes:
            raise course.outcomes[0]
        weights = training.weights(0)
        means = encode(self.model, weights, images.pixels).means
        clusters = KMeans(options.classes, n_init=10, random_state=run.seed % 2**32).fit_predict(means)
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
