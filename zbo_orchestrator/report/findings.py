"""A campaign as its figures need it: plain arrays, trials in proposal order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zbo_orchestrator.model import Array, Budget, Channel, Decoder, Goal, Space, Trajectory


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """One entry a proposal: number[n], z[n, d], value[n] and noise[n] (NaN unless scored), status in words, and
    the plan[n] that asked for it; seed of the last attempt; stamps in seconds since the epoch, NaN where nothing
    happened yet."""

    number: Array
    z: Array
    value: Array
    noise: Array
    status: tuple[str, ...]
    plan: Array
    attempts: Array
    seed: tuple[int | None, ...]
    proposed_at: Array
    recorded_at: Array
    reason: tuple[str, ...]
    error: tuple[str, ...]
    terms: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.number)

    def having(self, status: str) -> Array:
        """Mask [n] of the trials in one status."""
        return np.array([each == status for each in self.status], dtype=bool)

    @property
    def scored(self) -> Array:
        return self.having("scored") & np.isfinite(self.value)

    @property
    def recorded(self) -> Array:
        return ~(self.having("proposed") | self.having("started"))

    def counts(self) -> dict[str, int]:
        """How many trials stand in each status that occurs."""
        return {status: self.status.count(status) for status in dict.fromkeys(self.status)}


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the planner thought at plan[p]: layers by name ("mean", ...), each [p, candidate]."""

    plan: Array
    layers: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.plan)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One measured array with the names of its axes."""

    name: str
    values: Array
    dims: tuple[str, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best trial: its row among the trials, what was asked for, what was executed, what was measured."""

    row: int
    proposed: Trajectory
    executed: Trajectory | None
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """The scored sentinels [s]: their trials, scores, the references they were held against; and the limit."""

    trials: Array
    values: Array
    references: Array
    limit: float | None

    @property
    def beyond(self) -> Array:
        """Mask [s] of those that paused the campaign."""
        limit = np.inf if self.limit is None else self.limit
        return np.asarray(np.abs(self.values - self.references) > limit)


@dataclass(frozen=True, slots=True)
class Said:
    """Something that people, or a rule that asks for people, did to the campaign."""

    at: str
    what: str
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything the report draws or says.

    steps   of a trajectory; 0 where none is known yet
    elapsed seconds worked, over all sessions
    truth   the score of every candidate [m] where the space was scanned, NaN where it was not
    decoder the campaign's own, or None where it could not be rebuilt
    remarks what a reader should know of the report itself, such as why there is no decoder
    parameters  where trajectories have one step: every trial's [n, channel]
    watch   what sentinels showed, or None where there were none
    said    what people and rules did, in time
    """

    name: str
    goal: Goal
    budget: Budget
    state: str
    stop_reason: str
    trials: Trials
    space: Space
    maps: Maps
    channels: tuple[Channel, ...]
    steps: int
    elapsed: float = float("nan")
    best: Best | None = None
    codes: Array | None = None
    library: Trajectory | None = None
    families: tuple[str, ...] = ()
    truth: Array | None = None
    parameters: Array | None = None
    decoder: Decoder | None = None
    remarks: tuple[str, ...] = ()
    watch: Watch | None = None
    said: tuple[Said, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def running_best(self) -> Array:
        """Best score so far after each trial [n], NaN until the first."""
        gains = np.where(self.trials.scored, self.goal.gain(self.trials.value), -np.inf)
        best = np.maximum.accumulate(gains) if len(gains) else gains
        return np.where(np.isfinite(best), self.goal.gain(best), np.nan)

    @property
    def optimum(self) -> float:
        """The best value of the scan, NaN without one."""
        if self.truth is None or not np.isfinite(self.truth).any():
            return float("nan")
        return float(self.goal.gain(np.nanmax(self.goal.gain(self.truth))))

    @property
    def modelled(self) -> Array:
        """Mask [n] of the trials that a model asked for, as against the initial design."""
        return np.asarray(self.trials.number >= self.budget.initial)
