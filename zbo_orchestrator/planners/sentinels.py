"""Sentinels: the same trajectory again and again, to see whether the apparatus still answers as it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError, Evidence, Plan, Planner, Space, Stop
from zbo_orchestrator.planners.stopping import spent


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Asks for one point before the first trial and after every so many, and lets the planner choose all others.

    every   other trials between two sentinels
    z       where, [d]; None: the feasible candidate nearest to the middle of the latent box
    limit   how far a score may drift from the first one before the campaign is paused; None: however far

    The planner neither sees sentinels nor learns from them: what it asks for is what it would ask for without. They
    count as trials of the budget. Pure, as every planner.
    """

    planner: Planner
    every: int = 10
    z: tuple[float, ...] | None = None
    limit: float | None = None

    def point(self, space: Space) -> Array:
        """z[d]; raises `ConfigurationError` where the given point is not one of the space's."""
        if self.z is None:
            feasible = np.flatnonzero(space.feasible)
            middle = (space.lower + space.upper) / 2
            away = np.abs(space.candidates[feasible] - middle) / (space.upper - space.lower)
            return np.asarray(space.candidates[feasible[np.argmin(np.square(away).sum(axis=1))]])
        z = np.array(self.z)
        if z.shape != space.lower.shape or not ((z >= space.lower) & (z <= space.upper)).all():
            raise ConfigurationError(
                f"sentinels.z is {list(self.z)}; wanted a point between {space.lower.tolist()} and "
                f"{space.upper.tolist()}"
            )
        return z

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        z = self.point(evidence.space)
        asked = np.concatenate([evidence.z, evidence.pending])
        watched = int((asked == z).all(axis=1).sum())
        left = watched * self.every - (evidence.proposed - watched)
        if (stop := spent(evidence)) is not None:
            return stop
        if left <= 0:
            reason = f"sentinel {watched}, every {self.every} trials: does the apparatus answer as before?"
            return Plan(z[None], (reason,), memory=evidence.memory)
        return self.planner.plan(_without(evidence, z, watched), min(n, max(left, 1)))


def _without(evidence: Evidence, z: Array, watched: int) -> Evidence:
    """What the planner would know had there been no sentinels."""
    known, pending = ~(evidence.z == z).all(axis=1), ~(evidence.pending == z).all(axis=1)
    budget = evidence.budget
    total = max(budget.total - watched, 1)
    return replace(
        evidence,
        z=evidence.z[known],
        y=evidence.y[known],
        noise=evidence.noise[known],
        status=evidence.status[known],
        pending=evidence.pending[pending],
        proposed=evidence.proposed - watched,
        budget=replace(budget, total=total, initial=min(budget.initial, total)),
    )


def drift(values: Sequence[float], limit: float | None) -> str:
    """What is wrong with a sentinel's latest score, given them all from the reference on; empty where nothing is."""
    if limit is None or len(values) < 2 or abs(values[-1] - values[0]) <= limit:
        return ""
    return (
        f"the sentinel reads {values[-1]:.6g} where it read {values[0]:.6g}: a drift of "
        f"{values[-1] - values[0]:+.4g}, beyond {limit:.4g}"
    )
