"""What the evidence says about every point in view: predicted score, chance of success, and whether it may be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from zbo_orchestrator.model import Array, Evidence, Status
from zbo_orchestrator.planners.acquisition import ei
from zbo_orchestrator.planners.candidates import SAME, asked, barred, distance, finer, spacing, unit
from zbo_orchestrator.planners.local import LocalBelief, Predicted
from zbo_orchestrator.planners.success import WHOLE, Chance, learnt
from zbo_orchestrator.planners.surrogate import Belief, Fitting, Hyperparameters, fit

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


def learn(evidence: Evidence, scale: Scale, fitting: Fitting) -> Belief | LocalBelief:
    """The surrogate given every score, fitted from the hyperparameters in the last plan's memory on.

    Exact up to `fitting.exact` trials with a score or awaited; by neighbourhoods beyond.
    """
    rows = evidence.scored
    x = unit(evidence.space, evidence.z[rows])
    y = scale.standard(evidence.y[rows])
    known = np.maximum(np.square(evidence.noise[rows] / scale.spread), 1e-6)  # NaN, not known, stays NaN
    start = Hyperparameters.remembered(evidence.memory, evidence.space.dimension)
    believe = Belief if len(y) + len(_unanswered(evidence)) <= fitting.exact else LocalBelief
    return believe(x, y, known, fitting.kernel, fit(x, y, known, fitting, start))


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Everything in view, in unit coordinates and standardised gains.

    z[m, d]        the feasible candidates, then all that was asked before, then finer points in between
    points[m, d]   the same in the unit box
    open[m]        may be asked
    fresh[m]       distance to the nearest point asked before
    posterior      given the scores, and that pending, failed and stopped trials would score what is predicted
    success[m]     probability that a trial succeeds; beyond a thousand trials the lowest of others where not eligible
    past           where those stand that were asked before
    best           the incumbent: the best predicted mean at points scored or pending, or the best score
    """

    z: Array
    points: Array
    open: Array
    fresh: Array
    posterior: Predicted
    success: Array
    past: slice
    best: float

    @property
    def eligible(self) -> Array:
        """Whether a point [m] is charted or may be asked: what was asked before and is closed is not worth judging."""
        return _eligible(self.open, self.past)

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

    def over(self, evidence: Evidence, belief: Belief | LocalBelief, scale: Scale, rng: np.random.Generator) -> Outlook:
        """The outlook that evidence and belief give."""
        space = evidence.space
        z = np.concatenate([space.candidates[space.feasible], evidence.z, evidence.pending])
        belief = belief.expecting(_unanswered(evidence))
        chance = _chance(evidence)
        outlook = self._survey(evidence, z, belief.at(unit(space, z)), chance, scale)
        extra = finer(space, outlook.points[_centres(evidence, outlook)], self.refine, rng)
        if not len(extra):
            return outlook
        return self._closer(evidence, outlook, extra, belief.at(unit(space, extra)), chance)

    def _survey(self, evidence: Evidence, z: Array, posterior: Predicted, chance: Chance, scale: Scale) -> Outlook:
        points = unit(evidence.space, z)
        past = slice(int(evidence.space.feasible.sum()), len(points))  # none is finer yet
        allowed = distance(points, barred(evidence, repeats=self.repeats)) > SAME
        if not self.repeats:
            allowed[past] = False
        scored = np.concatenate([evidence.scored, np.ones(len(evidence.pending), bool)])
        rivals = posterior.mean[past][scored]
        if self.incumbent == "observed":
            rivals = scale.standard(evidence.y[evidence.scored])
        best = float(rivals.max())
        fresh = distance(points, points[past])
        success = chance.at(points) if chance.trials <= WHOLE else _within(chance, points, _eligible(allowed, past))
        return Outlook(z, points, allowed, fresh, posterior, success, past, best)

    def _closer(
        self, evidence: Evidence, outlook: Outlook, extra: Array, posterior: Predicted, chance: Chance
    ) -> Outlook:
        """The outlook with finer points, which keep clear of what is known."""
        points = unit(evidence.space, extra)
        clear = distance(points, barred(evidence, repeats=self.repeats)) > spacing(evidence.space).min() / 5
        every = np.concatenate([outlook.points, points])
        many = chance.trials > WHOLE
        success = np.concatenate([outlook.success, chance.at(points)]) if many else chance.at(every)
        return Outlook(
            np.concatenate([outlook.z, extra]),
            every,
            np.concatenate([outlook.open, clear]),
            np.concatenate([outlook.fresh, distance(points, asked(evidence))]),
            outlook.posterior.joined(posterior),
            success,
            outlook.past,
            outlook.best,
        )


def _within(chance: Chance, points: Array, rows: Array) -> Array:
    """The chance [m] at some rows of points[m, d], the others taking the lowest there."""
    found = chance.at(points[rows])
    every = np.full(len(points), found.min())
    every[rows] = found
    return every


def _eligible(allowed: Array, past: slice) -> Array:
    rows = np.ones(len(allowed), dtype=bool)
    rows[past] = allowed[past]
    return rows


def _unanswered(evidence: Evidence) -> Array:
    """Points [p, d], unit box, where asking again soon would teach nothing: pending, failed, stopped, vetoed ones."""
    ended = evidence.z[np.isin(evidence.status, (Status.FAILED, Status.STOPPED, Status.VETOED))]
    return unit(evidence.space, np.concatenate([ended, evidence.pending]))


def _chance(evidence: Evidence) -> Chance:
    """A score, a plain failure or a person's veto speaks of the point: passing failures, stops and refusals do not."""
    told = np.isin(evidence.status, (Status.SCORED, Status.FAILED, Status.VETOED))
    return learnt(unit(evidence.space, evidence.z[told]), evidence.status[told] != Status.SCORED)


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
    while len(chosen) < CENTRES and len(ranked):
        chosen.append(int(ranked[0]))
        ranked = ranked[distance(outlook.points[ranked], outlook.points[chosen[-1:]]) >= apart]
    return np.array(chosen, dtype=int)
