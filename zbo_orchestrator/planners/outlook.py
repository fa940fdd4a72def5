"""What the evidence says about every point in view: predicted score, chance of success, and whether it may be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from zbo_orchestrator.model import Array, Evidence, Status
from zbo_orchestrator.planners.acquisition import ei
from zbo_orchestrator.planners.candidates import SAME, barred, distance, finer, spacing, unit
from zbo_orchestrator.planners.success import probability
from zbo_orchestrator.planners.surrogate import Belief, Fitting, Hyperparameters, Posterior, fit

Incumbent = Literal["posterior", "observed"]

CENTRES = 4
"""How many incumbents, and how many promising candidates, are looked at more finely."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Scores as the surrogate sees them: (gain - offset) / spread, more is better."""

    sign: float
    offset: float
    spread: float

    @classmethod
    def of(cls, evidence: Evidence) -> Scale:
        gain = evidence.goal.gain(evidence.y[evidence.scored])
        deviation = float(gain.std())
        return cls(1.0 if evidence.goal.maximize else -1.0, float(gain.mean()), deviation if deviation > 0 else 1.0)

    def standard(self, value: Array) -> Array:
        return (self.sign * value - self.offset) / self.spread

    def score(self, standard: Array | float) -> Array:
        return np.asarray(self.sign * (self.offset + self.spread * np.asarray(standard)))


def learn(evidence: Evidence, scale: Scale, fitting: Fitting) -> Belief:
    """The surrogate fitted to every score, starting from the hyperparameters in the last plan's memory."""
    rows = evidence.scored
    x = unit(evidence.space, evidence.z[rows])
    y = scale.standard(evidence.y[rows])
    known = np.maximum(np.square(evidence.noise[rows] / scale.spread), 1e-6)  # NaN, not known, stays NaN
    start = Hyperparameters.remembered(evidence.memory, evidence.space.dimension)
    return Belief(x, y, known, fitting.kernel, fit(x, y, known, fitting, start))


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Everything in view, in unit coordinates and standardised gains.

    z[m, d]        the feasible candidates, then all that was asked before, then finer points in between
    points[m, d]   the same in the unit box
    open[m]        may be asked
    fresh[m]       distance to the nearest point asked before
    posterior      given the scores, and that pending, failed and stopped trials would score what is predicted
    success[m]     probability that a trial succeeds
    best           the incumbent: the best predicted mean at points scored or pending, or the best score
    """

    z: Array
    points: Array
    open: Array
    fresh: Array
    posterior: Posterior
    success: Array
    best: float

    @property
    def promise(self) -> Array:
        """Expected improvement times the probability of success, [m]."""
        return ei(self.posterior.mean, self.posterior.deviation, self.best) * self.success

    def expecting(self, index: int) -> Outlook:
        """As if the point had been tried and had scored what is predicted."""
        best = max(self.best, float(self.posterior.mean[index]))
        return replace(self, posterior=self.posterior.expecting(index), best=best)

    def only(self, allowed: Array) -> Outlook:
        """With fewer points open."""
        return replace(self, open=self.open & allowed)


@dataclass(frozen=True, slots=True)
class View:
    """What counts as in view, and as the incumbent: `refine` finer points around each centre; repeats where wanted."""

    incumbent: Incumbent = "posterior"
    repeats: bool = False
    refine: int = 24

    def over(self, evidence: Evidence, belief: Belief, scale: Scale, rng: np.random.Generator) -> Outlook:
        """The outlook that evidence and belief give."""
        space = evidence.space
        z = np.concatenate([space.candidates[space.feasible], evidence.z, evidence.pending])
        belief = belief.expecting(_unanswered(evidence))
        outlook = self._survey(evidence, z, belief.at(unit(space, z)), scale)
        extra = finer(space, outlook.points[_centres(evidence, outlook)], self.refine, rng)
        if len(extra):
            joined = outlook.posterior.joined(belief.at(unit(space, extra)))
            outlook = self._survey(evidence, np.concatenate([z, extra]), joined, scale)
        return outlook

    def _survey(self, evidence: Evidence, z: Array, posterior: Posterior, scale: Scale) -> Outlook:
        points = unit(evidence.space, z)
        first = int(evidence.space.feasible.sum())
        past = slice(first, first + len(evidence.z) + len(evidence.pending))
        near = np.full(len(points), SAME)
        near[past.stop :] = spacing(evidence.space).min() / 5  # finer points keep clear of what is known
        allowed = distance(points, barred(evidence, repeats=self.repeats)) > near
        if not self.repeats:
            allowed[past] = False
        scored = np.concatenate([evidence.scored, np.ones(len(evidence.pending), bool)])
        rivals = posterior.mean[past][scored]
        if self.incumbent == "observed":
            rivals = scale.standard(evidence.y[evidence.scored])
        best = float(rivals.max())
        fresh = distance(points, points[past])
        return Outlook(z, points, allowed, fresh, posterior, _success(evidence, points), best)


def _unanswered(evidence: Evidence) -> Array:
    """Points [p, d], unit box, where asking again soon would teach nothing: pending, failed, stopped, vetoed ones."""
    ended = evidence.z[np.isin(evidence.status, (Status.FAILED, Status.STOPPED, Status.VETOED))]
    return unit(evidence.space, np.concatenate([ended, evidence.pending]))


def _success(evidence: Evidence, points: Array) -> Array:
    """A score, a plain failure or a person's veto speaks of the point: passing failures, stops and refusals do not."""
    told = np.isin(evidence.status, (Status.SCORED, Status.FAILED, Status.VETOED))
    failed = evidence.status[told] != Status.SCORED
    return probability(unit(evidence.space, evidence.z[told]), failed, points)


def _centres(evidence: Evidence, outlook: Outlook) -> Array:
    """Indices of the best incumbents and of the most promising open candidates, each some spacings from the others."""
    charted = int(evidence.space.feasible.sum())
    visited = charted + np.flatnonzero(evidence.scored)
    promise = np.where(outlook.open[:charted], outlook.promise[:charted], -np.inf)
    best = visited[np.argsort(-outlook.posterior.mean[visited], kind="stable")]
    promising = np.argsort(-promise, kind="stable")[: 64 * CENTRES]
    return np.concatenate([_scattered(evidence, outlook, best), _scattered(evidence, outlook, promising)])


def _scattered(evidence: Evidence, outlook: Outlook, ranked: Array) -> Array:
    """The first CENTRES of the ranked points that lie three spacings from those before."""
    apart = 3 * float(spacing(evidence.space).max())
    chosen: list[int] = []
    for index in map(int, ranked):
        if len(chosen) < CENTRES and (distance(outlook.points[[index]], outlook.points[chosen]) >= apart).all():
            chosen.append(index)
    return np.array(chosen, dtype=int)
