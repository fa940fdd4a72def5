"""What paired scores say: how much the seed alone moves them, and how far each schedule is from the best found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from scipy import stats

from zbo_orchestrator.model import Array, Goal

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """How much of the score is the training seed's doing.

    deviation   over the seeds under one schedule, the best found (ddof 1)
    range       between the best and the worst schedule's mean over the seeds
    p           probability of scores that differ so much between schedules if all were equal; NaN without a test
    """

    deviation: float
    range: float
    p: float
    test: str
    seeds: int

    @property
    def drowned(self) -> bool:
        """The seeds matter more than the schedules, or nothing is known: the comparison means nothing."""
        return not self.deviation < self.range


def spread(values: Array) -> Spread:
    """The spread of values[arm, seed], the best found first; NaN where a training failed."""
    known = np.isfinite(values)
    means = np.array([row[mask].mean() for row, mask in zip(values, known, strict=True) if mask.any()])
    found = values[0, known[0]]
    return Spread(
        float(found.std(ddof=1)) if len(found) > 1 else nan,
        float(np.ptp(means)) if len(means) > 1 and len(found) else nan,
        *_tested(values[known.any(axis=1)]),
    )


def _tested(values: Array) -> tuple[float, str, int]:
    """p, the test and its number of seeds: those under which every one of the arms has a score.

    Ranks within a seed (Friedman 1937; Wilcoxon 1945 for two arms) ask nothing of the scores' distribution.
    """
    paired = values[:, np.isfinite(values).all(axis=0)]
    arms, seeds = paired.shape
    if arms < 2 or seeds < 2:
        return nan, "", seeds
    name = "Friedman" if arms > 2 else "Wilcoxon"
    if (paired == paired[0]).all():
        return 1.0, name, seeds
    result = stats.friedmanchisquare(*paired) if arms > 2 else stats.wilcoxon(paired[0], paired[1])
    return float(result.pvalue), name, seeds


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm's score minus the best found's under the same seeds, with its 95 % t-interval; NaN where unknown."""

    arm: str
    mean: float
    low: float
    high: float
    seeds: int

    def standing(self, goal: Goal) -> int:
        """1 where the best found is better, -1 where it is worse, 0 where the two cannot be told apart."""
        low, high = sorted((float(goal.gain(self.low)), float(goal.gain(self.high))))
        return 1 if high < 0 else -1 if low > 0 else 0


def difference(arm: str, values: Array, found: Array) -> Difference:
    """Of values[seed] and the best found's [seed], over the seeds under which both have a score."""
    apart = (values - found)[np.isfinite(values) & np.isfinite(found)]
    if len(apart) < 2:
        return Difference(arm, float(apart.mean()) if len(apart) else nan, nan, nan, len(apart))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(apart) - 1) * stats.sem(apart))
    mean = float(apart.mean())
    return Difference(arm, mean, mean - half, mean + half, len(apart))


def differences(arms: Sequence[str], values: Array) -> list[Difference]:
    """Every arm but the first against the first, the best found."""
    return [difference(arm, row, values[0]) for arm, row in zip(arms[1:], values[1:], strict=True)]
