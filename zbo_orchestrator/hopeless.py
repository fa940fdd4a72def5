"""Trials not worth finishing: a rule on what they report on the way, and how often it would have been wrong.

Off unless a campaign file asks for it: a value under an unfinished schedule is no score, and annealing looks bad
early by design. `replay` and `false_stops` tell from complete trials what a rule costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError, Goal, Measurement


@dataclass(frozen=True, slots=True)
class Rule:
    """A running trial is hopeless where it reports worse than most scored trials had at the same step.

    value      what it is reported as, and the measured array that is a scored trial's curve (see `curve`)
    quantile   of the scored trials' values, counted from the worst: 0.25 ends what is among their worst quarter
    after      share of the steps before which nothing is judged; nor is the last step, at which nothing can be saved
    trials     fewest scored trials with a value at the step to be judged by
    direction  which way the value is better, such as minimize for a loss; None: the campaign's
    """

    value: str
    quantile: float = 0.25
    after: float = 0.5
    trials: int = 10
    direction: Literal["maximize", "minimize"] | None = None

    def judges(self, step: int, of: int) -> bool:
        return step < of and step / of >= self.after


def curve(measurement: Measurement, name: str) -> tuple[Array, Array]:
    """steps[report], values[report] of a trial: arrays `<name>_step` (absent: 1, 2, 3 ...) and `<name>`, NaN for none.

    Raises `ConfigurationError` where that is not what was measured.
    """
    values = measurement.arrays.get(name)
    if values is None or values.ndim != 1 or values.dtype.kind not in "iuf":
        known = [key for key, array in measurement.arrays.items() if array.ndim == 1 and array.dtype.kind in "iuf"]
        raise ConfigurationError(
            f"hopeless.value: no curve {name!r} is measured; wanted one of {', '.join(known) or 'none: there are none'}"
        )
    steps = measurement.arrays.get(f"{name}_step", np.arange(1, len(values) + 1))
    if steps.shape != values.shape:
        raise ConfigurationError(f"hopeless.value: {name}_step has shape {steps.shape}; wanted {values.shape}")
    return steps, values


class Peers:
    """What scored trials had at each step, and the verdict on a running one. Read in trials' threads, fed in one."""

    def __init__(self, rule: Rule, goal: Goal) -> None:
        self.rule = rule
        self._goal = goal if rule.direction is None else Goal(rule.direction == "maximize")
        self._gains: dict[int, tuple[float, ...]] = {}

    def add(self, steps: Array, values: Array) -> None:
        """Take in the curve of a scored trial; what is not finite counts as not reported."""
        gains = dict(zip(steps.tolist(), self._goal.gain(values).tolist(), strict=True))
        for step, gain in gains.items():
            if np.isfinite(gain):
                self._gains[step] = (*self._gains.get(step, ()), gain)  # a new tuple: a reader's stays as it is

    def verdict(self, step: int, of: int, value: float) -> str:
        """Why the trial is hopeless, in words; empty where it may go on. NaN is not judged."""
        gains = self._gains.get(step, ())
        if not self.rule.judges(step, of) or len(gains) < self.rule.trials:
            return ""
        bar = float(np.quantile(gains, self.rule.quantile))
        if not self._goal.gain(value) < bar:
            return ""
        return (
            f"hopeless: {self.rule.value} {value:.4g} at step {step} of {of} is worse than "
            f"{float(self._goal.gain(bar)):.4g}, quantile {self.rule.quantile:.3g} from the worst of {len(gains)} "
            "scored trials there"
        )


# --- what a rule would have done ------------------------------------------------------------------


def replay(curves: Array, steps: Array, scores: Array, rule: Rule, goal: Goal, *, of: int | None = None) -> Array:
    """The step [trial] at which a rule would have stopped each complete trial, 0 where it would not.

    curves[trial, report] at steps[report] of `of` (None: the last of them), scores[trial] with NaN for none, in the
    order in which they were recorded. A trial once stopped is nobody's peer, as in a campaign.
    """
    peers, of = Peers(rule, goal), int(steps[-1]) if of is None else of
    stopped = np.zeros(len(curves), dtype=int)
    for trial, values in enumerate(curves):
        stopped[trial] = _first(peers, zip(steps.tolist(), values.tolist(), strict=True), of)
        if not stopped[trial] and np.isfinite(scores[trial]):
            peers.add(steps, values)
    return stopped


def _first(peers: Peers, reports: Iterable[tuple[int, float]], of: int) -> int:
    return next((step for step, value in reports if peers.verdict(step, of, value)), 0)


@dataclass(frozen=True, slots=True)
class FalseStops:
    """What stopping would have cost and saved.

    saved   share of all steps that would not have been run
    good    how many of the stopped would have scored in the best quarter
    best    whether the best trial is among the stopped
    """

    trials: int
    stopped: int
    saved: float
    good: int
    best: bool

    @property
    def rate(self) -> float:
        """Share of the stopped that would have scored in the best quarter; NaN where none was stopped."""
        return self.good / self.stopped if self.stopped else float("nan")


def false_stops(stopped: Array, scores: Array, of: int, goal: Goal) -> FalseStops:
    """A summary of what `replay` returned for trials of `of` steps."""
    ended, gains = stopped > 0, np.where(np.isfinite(scores), goal.gain(scores), -np.inf)
    scored = gains[np.isfinite(gains)]
    good = ended & (gains >= np.quantile(scored, 0.75)) if len(scored) else np.zeros(len(ended), bool)
    saved = float((of - stopped[ended]).sum() / (of * len(stopped))) if len(stopped) else 0.0
    best = bool(len(scored)) and bool(ended[gains == scored.max()].any())
    return FalseStops(len(stopped), int(ended.sum()), saved, int(good.sum()), best)
