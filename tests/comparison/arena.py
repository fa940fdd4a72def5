"""An experiment with known effect sizes: a schedule is a level, its score how near the level is to a peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lab import written

from zbo_orchestrator.model import (
    Array,
    Channel,
    ConfigurationError,
    Decoder,
    ExecutionError,
    Executor,
    Measurement,
    Report,
    Run,
    Score,
    Trajectory,
)

STEPS = 6
BETA = (Channel("beta"),)

RAN: list[tuple[str, float, int]] = []
"""Every training that was run: size, level, seed."""
PATIENCE: list[int] = []
"""Where it holds a number: trainings after which somebody presses Ctrl-C."""


def level(value: float, steps: int = STEPS, channels: tuple[Channel, ...] = BETA) -> Trajectory:
    return Trajectory(np.full((steps, len(channels)), value), 1.0, channels)


class Levels:
    """Decodes a number into that number held for all steps."""

    def __init__(self, steps: int = STEPS, channel: str = "beta") -> None:
        self._steps, self._channel = steps, channel

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]:
        codes = np.linspace(0, 4, 5)[:, None]
        return {"steps": np.array(self._steps), "channel": np.array(self._channel), "codes": codes}

    def restore(self, arrays: Mapping[str, Array]) -> Decoder:
        return _Held(int(arrays["steps"]), Channel(str(arrays["channel"])))


@dataclass(frozen=True)
class _Held:
    steps: int
    channel: Channel
    box = (np.array([0.0]), np.array([4.0]))

    def decode(self, z: Array) -> Trajectory:
        return Trajectory(np.repeat(z[:, None], self.steps, axis=1), 1.0, (self.channel,))


@dataclass(frozen=True)
class Trainer:
    """Scores -(level - peak)², plus what the seed does to all levels alike (`shift`) and to each (`noise`).

    At full size the peak may lie elsewhere. Levels above `cliff` fail. A vanilla model is worse by a `handicap`.
    `images` is a file that has to be there.
    """

    peak: float = 2.5
    final_peak: float = 2.5
    shift: float = 0.1
    noise: float = 0.01
    cliff: float = 10.0
    handicap: float = 1.0
    vanilla: bool = False
    full: bool = False
    images: Path | None = None
    repeatable = True

    @property
    def note(self) -> str:
        return "its score is another quantity" if self.vanilla else ""

    def __post_init__(self) -> None:
        if self.images is not None and not self.images.is_file():
            raise ConfigurationError(f"images {self.images}: no such file")

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        value = float(trajectory.values.mean())
        if PATIENCE and len(RAN) >= PATIENCE[0]:
            raise KeyboardInterrupt
        run.report(1, 2, loss=1.0)
        RAN.append(("final" if self.full else "campaign", value, run.seed))
        if value > self.cliff:
            raise ExecutionError(f"diverged at level {value:g}")
        alike = np.random.default_rng(run.seed).normal(0, self.shift)
        alone = np.random.default_rng([run.seed, int(1000 * value)]).normal(0, self.noise)
        peak = self.final_peak if self.full else self.peak
        score = -((value - peak) ** 2) - self.handicap * self.vanilla + alike + alone
        return Measurement(
            {"score": np.array([score]), **pictures(value, run.seed)},
            {"manifolds": ("class", "cell", "y", "x"), "posterior": ("image", "class"), "labels": ("image",)},
        )

    def final(self) -> Executor:
        return replace(self, full=True)

    def rivals(self, found: Trajectory) -> Mapping[str, tuple[Executor, Trajectory]]:
        one, three = (replace(found, values=np.full_like(found.values, value)) for value in (1.0, 3.0))
        return {"vanilla": (replace(self, vanilla=True), one), "constant 1": (self, one), "constant 3": (self, three)}


@dataclass(frozen=True)
class Trainers(Trainer):
    """The same, several at once."""

    capacity = 4

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        assert len(trajectories) <= self.capacity
        for index, (trajectory, run) in enumerate(zip(trajectories, runs, strict=True)):
            try:
                yield index, self.execute(trajectory, run)
            except ExecutionError as error:
                yield index, error


def pictures(value: float, seed: int, images: int = 40) -> dict[str, Array]:
    """Manifolds of 3 classes, 4 x 4 cells of 6 x 6 pixels; a posterior that is wrong now and then; labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:6, 0:6] / 5
    cells = np.arange(16) / 15
    manifolds = np.stack(
        [np.stack([np.exp(-((x - c) ** 2 + (y - k / 2) ** 2) * (1 + value)) for c in cells]) for k in range(3)]
    )
    labels = np.arange(images) % 3
    seen = np.where(rng.random(images) < 0.2, rng.integers(0, 3, images), labels)
    return {"manifolds": manifolds, "posterior": np.eye(3)[(seen + seed) % 3] * 0.8 + 0.1, "labels": labels}


@dataclass(frozen=True)
class Goodness:
    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        score = float(measurement.arrays["score"][0])
        return Score(score, {"level": float(trajectory.values.mean())})


DUEL: dict[str, Any] = {
    "name": "duel",
    "seed": 5,
    "budget": {"initial": 9, "total": 9},
    "decoder": {"use": "arena:Levels"},
    "atlas": {"grid": [9]},
    "planner": {"use": "random"},
    "executor": {"use": "arena:Trainer"},
    "evaluator": {"use": "arena:Goodness"},
}
"""A campaign that tries every level from 0 to 4 in halves, and so finds the peak."""


def duel(folder: Path, **sections: Any) -> Path:
    return written(folder, DUEL, **sections)
