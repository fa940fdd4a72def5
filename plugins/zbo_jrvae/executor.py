"""The jrVAE as an executor: a trajectory is the weight of the KL terms over the epochs of a training.

After Biswas et al. 2023 (Mach. Learn.: Sci. Technol. 4 015011): channel 1 weighs the continuous latents' KL term,
channel 2, where there is one, the classes' (the paper keeps that one constant).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from zbo_jrvae.course import Course, Watched
from zbo_jrvae.images import Digits, Images, Particles, Source
from zbo_jrvae.inference import manifolds
from zbo_jrvae.measuring import DIMS, measured, named
from zbo_jrvae.memory import out_of_memory, ran_out
from zbo_jrvae.model import Device, Invariance, Model, Precision, Recipe, Sampler, resolved
from zbo_jrvae.schedules import betas, constant, cooldown
from zbo_jrvae.training import Training
from zbo_jrvae.vanilla import VanillaExecutor
from zbo_orchestrator.model import (
    Array,
    ConfigurationError,
    ExecutionError,
    Executor,
    Measurement,
    Run,
    Trajectory,
)
from zbo_orchestrator.similarity import between, moments, within

LATENTS = 2
"""Continuous latents beside those that move the image: a manifold is a plane of them."""
WATCHED_GRID = 4
"""Cells along each side of the manifolds that intermediate scores are taken from: every pair of them is compared."""
WINDOW = 5


@dataclass(frozen=True, kw_only=True)
class JrvaeExecutor:
    """Trains a joint rotationally invariant VAE (pyroVED's jiVAE) under the KL weights that the trajectory gives.

    images, subset     where the images come from; how many of them a trial sees (drawn by `seed`), null: all
    classes            discrete classes, at least 2
    epochs             the trajectory's steps; null: as many as it has
    beta_discrete      the constant weight of the classes' KL term; null: the trajectory's second channel
    scaled_beta        the constant that a comparison calls scaled; null: beta_discrete, or 3 where that is null
    grid               manifolds have grid x grid cells
    pixel_share        the random share of each image's pixels that a step looks at (unbiased, time in proportion)
    watch              take an intermediate score after every so many epochs; 0: never
    keep_weights       measure the trained weights too
    capacity           how many schedules a GPU trains at once (a CPU trains one after another)
    final_subset       images of a final training; null: all
    seed               draws the subset; the training is seeded by the trial

    Measures manifolds [class, cell, y, x] on a grid of normal quantiles, means [image, latent] (an angle first),
    posterior [image, class], labels [image] where known, and loss, reconstruction, kl_continuous and kl_discrete
    [epoch], the last two before they are weighted; separation [taken] where intermediate scores are taken.
    """

    images: Source = field(default_factory=Digits)
    subset: Annotated[int, Ge(1)] | None = None
    classes: Annotated[int, Ge(2)] = 10
    epochs: Annotated[int, Ge(1)] | None = None
    beta_discrete: Annotated[float, Gt(0)] | None = 3.0
    scaled_beta: Annotated[float, Gt(0)] | None = None
    hidden: tuple[Annotated[int, Ge(1)], ...] = (128, 128)
    invariances: tuple[Invariance, ...] = ("r",)
    sampler: Sampler = "bernoulli"
    sigma: Annotated[float, Gt(0)] = 0.5
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    batch: Annotated[int, Ge(1)] = 100
    pixel_share: Annotated[float, Gt(0), Le(1)] = 1.0
    device: Device = "auto"
    precision: Precision = "float32"
    grid: Annotated[int, Ge(2)] = 12
    watch: Annotated[int, Ge(0)] = 0
    keep_weights: bool = False
    capacity: Annotated[int, Ge(1)] = 16
    final_subset: Annotated[int, Ge(1)] | None = None
    seed: Annotated[int, Ge(0)] = 0

    repeatable = True

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ConfigurationError(f"classes is {self.classes}; wanted at least 2")
        if len(set(self.invariances)) < len(self.invariances):
            raise ConfigurationError(f"invariances are {', '.join(self.invariances)}; wanted each at most once")
        if not self.hidden:
            raise ConfigurationError("hidden is empty; wanted at least one layer")
        if self.pixel_share < 1 and not self.invariances:
            raise ConfigurationError(f"pixel_share is {self.pixel_share}; wanted 1 without invariances")
        resolved(self.device)
        if self.precision != "float32" and not self.invariances:
            raise ConfigurationError(f"precision is {self.precision}; wanted float32 without invariances")
        if isinstance(self.images, Particles):  # drawn in the first trial: it takes seconds, and can hardly be wrong
            if (self.subset or 0) > self.images.count:
                raise ConfigurationError(
                    f"subset is {self.subset}; wanted no more than the {self.images.count} images drawn"
                )
            return
        smallest = min(self.loaded.pixels.shape[1:])  # images that cannot be used say so here, not in the first trial
        if self.watch and smallest < WINDOW:
            raise ConfigurationError(
                f"watch is {self.watch}, and images are {smallest} pixels; wanted {WINDOW} or more"
            )

    @cached_property
    def loaded(self) -> Images:
        """The images of every trial."""
        images = self.images.load(self.subset, self.seed)
        low, high = float(images.pixels.min()), float(images.pixels.max())
        if not (low >= 0 and high <= 1):  # the decoder paints nothing else
            raise ConfigurationError(
                f"the images' values run from {low:g} to {high:g}; wanted 0 to 1: set images.normalise"
            )
        return images

    @property
    def model(self) -> Model:
        """What is trained."""
        _, height, width = self.loaded.pixels.shape
        return Model(height, width, self.classes, LATENTS, self.hidden, self.invariances, self.sampler, self.sigma)

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return Recipe(self.learning_rate, self.batch, self.pixel_share, self.device, self.precision)

    @property
    def reported(self) -> tuple[str, ...]:
        """The curves that a rule about hopeless trials can judge by."""
        return ("loss", "separation") if self.watch else ("loss",)

    # --- trials

    def check(self, trajectory: Trajectory) -> None:
        """Raise `ConfigurationError` or `RefusedError` where the trajectory is no schedule of this training."""
        betas(trajectory, self.epochs, self.beta_discrete)

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Train under one trajectory."""
        ((_, result),) = self.execute_many([trajectory], [run])
        if isinstance(result, ExecutionError):
            raise result
        return result

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        """Train under several at once where there is a GPU, else under one after another."""
        schedules: dict[int, Array] = {}
        for index, trajectory in enumerate(trajectories):
            try:
                schedules[index] = betas(trajectory, self.epochs, self.beta_discrete)
            except ExecutionError as unusable:
                yield index, unusable
        size = self.capacity if resolved(self.device).type == "cuda" else 1
        waiting = list(schedules)
        for start in range(0, len(waiting), size):
            members = waiting[start : start + size]
            results = self._train(np.stack([schedules[index] for index in members]), [runs[index] for index in members])
            yield from zip(members, results, strict=True)

    def _train(self, schedules: Array, runs: Sequence[Run]) -> list[Measurement | ExecutionError]:
        """One batch: schedules[member, epoch, 2]."""
        try:
            seeds = [run.seed for run in runs]
            training = Training(self.model, self.recipe, self.loaded.pixels, schedules, seeds)
            course = Course(training, runs, schedules.shape[1], self._watched)
            course.run(repr((self, seeds)).encode() + schedules.tobytes())
            return [course.outcomes.get(member) or self._measure(course, member) for member in range(len(runs))]
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            return [out_of_memory(self.model, self.recipe, len(runs), self.grid)] * len(runs)

    @property
    def _watched(self) -> Watched | None:
        return Watched("separation", self.watch, self._separation) if self.watch else None

    def _separation(self, training: Training, member: int) -> float:
        """Between classes less within them, as `manifold-separation` has it, on a coarser grid."""
        cells = moments(manifolds(self.model, training.weights(member), WATCHED_GRID), WINDOW)
        return between(cells) - float(within(cells, WATCHED_GRID**4, np.random.default_rng(0)).sum())

    def _measure(self, course: Course, member: int) -> Measurement:
        weights = course.training.weights(member)
        arrays = measured(self.model, weights, self.loaded, self.grid) | course.losses_of(member)
        if self.watch:
            arrays |= {"separation": course.scores_of(member), "separation_step": course.steps_watched()}
        if self.keep_weights:
            arrays |= named(weights)
        return Measurement(arrays, {name: DIMS[name] for name in arrays if name in DIMS})

    # --- comparison

    def final(self) -> JrvaeExecutor:
        """The same on `final_subset` images, or on all that the source gives."""
        return replace(self, subset=self.final_subset)

    def rivals(self, found: Trajectory) -> Mapping[str, tuple[Executor, Trajectory]]:
        """A VAE without classes and invariances, the constant 1, the scaled constant, pyroVED's cooldown."""
        one = constant(found, 1.0)
        unweighted = self if self.beta_discrete is None else replace(self, beta_discrete=1.0)
        scaled = self.scaled_beta or self.beta_discrete or 3.0
        return {
            "vanilla VAE": (VanillaExecutor(self), one),
            "constant 1": (unweighted, one),
            f"scaled constant {scaled:g}": (self, constant(found, scaled)),
            "cooldown": (self, cooldown(found, scaled)),
        }
