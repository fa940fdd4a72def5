"""The course of a batch of trainings: epoch by epoch, reported, saved now and then, ended where they go wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from zbo_jrvae.training import Training
from zbo_orchestrator.kept import keep, kept
from zbo_orchestrator.model import Array, ExecutionError, Run, Stopped

TERMS = ("loss", "reconstruction", "kl_continuous", "kl_discrete")
"""What an epoch's losses are, in the order of `Training.advance`; means over the images."""

Watch = Callable[[Training, int], float]
"""watch(training, member): an intermediate score of a member of the batch."""

_EXPLODED = 10.0
"""A term that grows by more than this many times the first epoch's reconstruction error ends a training."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Which intermediate score is taken after every `every` epochs."""

    name: str
    every: int
    score: Watch


@dataclass(slots=True)
class Course:
    """A batch of trainings on their way; `outcomes` holds what ended before its last epoch, by member.

    losses[member, epoch, term], scores[member, taken] and the epochs they were taken after
    """

    training: Training
    runs: Sequence[Run]
    epochs: int
    watched: Watched | None = None
    save_every: float = 30.0
    losses: list[Array] = field(default_factory=list)
    scores: list[Array] = field(default_factory=list)
    outcomes: dict[int, ExecutionError] = field(default_factory=dict)

    def run(self, identity: bytes) -> None:
        """Train to the last epoch, or until no member is left; goes on from a checkpoint of the same identity."""
        digest, scratch = sha256(identity).hexdigest(), self.runs[0].scratch
        self._resume(kept(digest, scratch))
        saved = time.monotonic()
        while self.training.epoch < self.epochs and len(self.outcomes) < len(self.runs):
            self.losses.append(self.training.advance())
            self._watch()
            for member in self.alive:
                self._report(member)
            if time.monotonic() - saved >= self.save_every:
                keep(digest, {**self.training.state(), **self._record()}, scratch)
                saved = time.monotonic()

    @property
    def alive(self) -> list[int]:
        return [member for member in range(len(self.runs)) if member not in self.outcomes]

    def losses_of(self, member: int) -> dict[str, Array]:
        """Each term [epoch]."""
        stacked = np.stack([epoch[member] for epoch in self.losses])
        return {name: np.ascontiguousarray(stacked[:, index]) for index, name in enumerate(TERMS)}

    def scores_of(self, member: int) -> Array:
        """The intermediate scores [taken]."""
        return np.array([scores[member] for scores in self.scores])

    def steps_watched(self) -> Array:
        """The epochs [taken], counted from 1, after which intermediate scores are taken."""
        every = self.watched.every if self.watched else self.epochs + 1
        return np.arange(every, self.epochs + 1, every)

    def _watch(self) -> None:
        if self.watched and self.training.epoch % self.watched.every == 0:
            taken = np.full(len(self.runs), np.nan)
            for member in self.alive:
                taken[member] = self.watched.score(self.training, member)
            self.scores.append(taken)

    def _report(self, member: int) -> None:
        epoch, losses = self.training.epoch, dict(zip(TERMS, self.losses[-1][member], strict=True))
        try:
            self._refuse(losses, self.losses[0][member])
            values = {"loss": float(losses["loss"])}
            if self.watched and epoch % self.watched.every == 0:
                values[self.watched.name] = float(self.scores[-1][member])
            self.runs[member].report(epoch, self.epochs, **values)
        except ExecutionError as ended:
            self.outcomes[member] = ended

    def _refuse(self, losses: Mapping[str, float], first: Array) -> None:
        epoch = self.training.epoch
        if not np.isfinite(list(losses.values())).all():
            raise ExecutionError(
                f"the loss is {losses['loss']} in epoch {epoch} of {self.epochs}; lower learning_rate or the weights"
            )
        start = abs(first[1]) + 1
        for name, began in zip(TERMS[1:], first[1:], strict=True):
            if losses[name] - began > _EXPLODED * start:
                raise ExecutionError(
                    f"{name} is {losses[name]:.4g} in epoch {epoch} of {self.epochs}, and was {began:.4g} in the "
                    "first: lower learning_rate"
                )

    def _record(self) -> dict[str, Array]:
        ended = {member: f"{type(error).__name__}: {error}" for member, error in self.outcomes.items()}
        return {
            "course.losses": np.stack(self.losses),
            "course.scores": np.stack(self.scores) if self.scores else np.empty((0, len(self.runs))),
            "course.ended": np.array(list(ended), dtype=int),
            "course.reasons": np.array(list(ended.values()), dtype=str),
        }

    def _resume(self, checkpoint: dict[str, Array] | None) -> None:
        if checkpoint is None:
            return
        self.losses, self.scores = list(checkpoint.pop("course.losses")), list(checkpoint.pop("course.scores"))
        reasons = checkpoint.pop("course.reasons")
        for member, reason in zip(checkpoint.pop("course.ended"), reasons, strict=True):
            kind, _, text = str(reason).partition(": ")
            self.outcomes[int(member)] = (Stopped if kind == "Stopped" else ExecutionError)(text)
        self.training.restore(checkpoint)
