"""The agent: from evidence to the next points and the reasons for them, by Gaussian process and acquisition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from zbo_orchestrator.model import Array, Evidence, Plan, Stop
from zbo_orchestrator.planners.acquisition import Acquisition
from zbo_orchestrator.planners.baselines import drawn
from zbo_orchestrator.planners.candidates import Design, unit
from zbo_orchestrator.planners.choice import Distance, Gap, Taste, choose
from zbo_orchestrator.planners.local import LocalBelief
from zbo_orchestrator.planners.outlook import Outlook, Scale, View, learn
from zbo_orchestrator.planners.stopping import allowance, exhausted, spent
from zbo_orchestrator.planners.surrogate import Belief, Fitting, Kernel, one_thread


@dataclass(frozen=True)
class Agent:
    """Bayesian optimisation over the feasible candidates.

    acquisition   what a point is worth; `factor` is ucb's (mean + factor · deviation), `xi` the improvement that
                  ei, pi and log-ei ask for, in standard deviations of the scores
    design        how the first `budget.initial` points are spread
    kernel        of the Gaussian process
    repeats       whether a point may be asked twice
    distance      that points of one batch and pending ones keep, in the unit box, or the kernel's length scale along
                  each axis; halved until some point keeps it, which the reason then says
    caution       probability of success that points must have, where any has; after failures only
    refine        certified points tried around each incumbent, between the grid's; 0 stays on the grid
    improvement   share of the scores' range that the best expected improvement must exceed at least once in
                  `patience` plans; patience 0 never stops for it

    Up to a thousand trials each one takes part in every prediction; beyond, those nearest to a point judge it
    (`planners.local`), as the reasons then say.
    """

    acquisition: Acquisition = "log-ei"
    factor: Annotated[float, Ge(0)] = 2.0
    xi: Annotated[float, Ge(0)] = 0.0
    design: Design = "sobol"
    kernel: Kernel = "matern-5/2"
    repeats: bool = False
    distance: Distance = 0.05
    caution: Annotated[float, Ge(0), Le(1)] = 0.7
    refine: Annotated[int, Ge(0)] = 24
    improvement: Annotated[float, Ge(0)] = 1e-4
    patience: Annotated[int, Ge(0)] = 5
    seed: int = 0

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        """Up to n points of the initial design while it lasts or fewer than two scores are known, then by the model."""
        taste = Taste(self.acquisition, self.xi, self.factor, self.distance, self.caution)
        view = View("posterior", self.repeats, self.refine)
        quiet = Quiet(self.improvement, self.patience)
        return Strategy(self.design, Fitting(self.kernel), view, taste, quiet, self.seed).plan(evidence, n)


@dataclass(frozen=True)
class AsPublished:
    """The planner of Biswas et al. 2023 (Mach. Learn.: Sci. Technol. 4 015011) as its text has it.

    Random start; RBF kernel with a length scale a dimension and an output scale, hyperparameters by `steps` of Adam
    from their defaults at each plan; expected improvement on the best score, with `xi`, over the grid, until the
    budget is spent. Where the paper's code departs from its text, the text is followed: improvement is divided by the
    deviation, not by the variance. Ours are the standardised scores (`xi` is in their standard deviations), the
    hyperparameters' priors, and that no point is asked twice.
    """

    xi: Annotated[float, Ge(0)] = 1e-3
    rate: Annotated[float, Gt(0)] = 0.1
    steps: Annotated[int, Gt(0)] = 150
    seed: int = 0

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        """Up to n points, as `Agent.plan`."""
        fitting = Fitting("rbf", "adam", iterations=self.steps, rate=self.rate, scaled=True)
        taste = Taste("ei", self.xi)
        return Strategy("random", fitting, View("observed", refine=0), taste, Quiet(), self.seed).plan(evidence, n)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Counts plans in a row whose best expected improvement is below a share of the range of scores; 0 never ends."""

    share: float = 0.0
    patience: int = 0

    def count(self, evidence: Evidence, outlook: Outlook, scale: Scale) -> int:
        """How many plans in a row, this one included, promised too little."""
        span = float(np.ptp(evidence.y[evidence.scored])) / scale.spread
        promise = float(outlook.promise[outlook.open].max())
        return int(evidence.memory.get("quiet", 0)) + 1 if promise < self.share * span else 0

    def over(self, count: int) -> Stop | None:
        if not self.patience or count < self.patience:
            return None
        return Stop(f"improvement: {count} plans in a row expected less than {self.share:.3g} of the range of scores")


@dataclass(frozen=True, slots=True)
class Strategy:
    """A design to begin with, then a model, a view, a taste, and when to have enough."""

    design: Design
    fitting: Fitting
    view: View
    taste: Taste
    quiet: Quiet
    seed: int

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        stop = spent(evidence)
        if stop is not None:
            return stop
        n = allowance(evidence, n)
        starting = evidence.budget.initial - evidence.proposed
        if starting > 0:
            return drawn(evidence, self.design, self.seed, min(n, starting), f"initial {self.design} design, point")
        if np.count_nonzero(evidence.scored) < 2:
            return drawn(evidence, self.design, self.seed, n, f"fewer than two scores: {self.design} design, point")
        with one_thread():
            return self._modelled(evidence, n)

    def _modelled(self, evidence: Evidence, n: int) -> Plan | Stop:
        scale = Scale.of(evidence)
        belief = learn(evidence, scale, self.fitting)
        rng = np.random.default_rng([self.seed, evidence.proposed])
        outlook = self.view.over(evidence, belief, scale, rng)
        if not outlook.open.any():
            return exhausted(evidence)
        count = self.quiet.count(evidence, outlook, scale)
        stop = self.quiet.over(count)
        if stop is not None:
            return stop
        thompson = self.taste.acquisition == "thompson"
        draws: list[Array | None] = _drawn(belief, outlook, n, rng) if thompson else [None] * n
        gap = Gap.of(self.taste.distance, belief.values.lengthscales)
        pending = unit(evidence.space, evidence.pending)
        choices = list(choose(outlook, scale, self.taste, draws, apart=pending, gap=gap))
        return Plan(
            outlook.z[[choice.index for choice in choices]],
            tuple(choice.reason for choice in choices),
            _maps(evidence, outlook, scale, self.taste.worth(outlook, draws[0])),
            {"hyperparameters": belief.values.json(), "quiet": count},
        )


def _drawn(belief: Belief | LocalBelief, outlook: Outlook, n: int, rng: np.random.Generator) -> list[Array | None]:
    """n functions of the posterior at the points in view; by neighbourhoods at the eligible ones alone."""
    if isinstance(belief, Belief):
        return list(belief.draws(outlook.points, n, rng))
    draws = np.full((n, len(outlook.points)), -np.inf)
    draws[:, outlook.eligible] = belief.draws(outlook.points[outlook.eligible], n, rng)
    return list(draws)


def _maps(evidence: Evidence, outlook: Outlook, scale: Scale, worth: Array) -> dict[str, Array]:
    """What was seen at the first choice, over all candidates; NaN where infeasible."""
    feasible = evidence.space.feasible
    count = int(feasible.sum())
    maps = {
        "mean": scale.score(outlook.posterior.mean),
        "deviation": scale.spread * outlook.posterior.deviation,
        "acquisition": worth,
    }
    full = {name: np.full(len(feasible), np.nan) for name in maps}
    for name, values in maps.items():
        full[name][feasible] = values[:count]
    return full
