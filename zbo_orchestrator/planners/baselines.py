"""Planners that learn nothing: what any agent has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from zbo_orchestrator.model import Evidence, Plan, Stop
from zbo_orchestrator.planners.candidates import Design, designed
from zbo_orchestrator.planners.stopping import allowance, exhausted, spent


def drawn(evidence: Evidence, design: Design, seed: int, n: int, label: str) -> Plan | Stop:
    """The next n points of a design, or a stop where no feasible candidate is left."""
    z = designed(evidence, design, seed, n)
    if not len(z):
        return exhausted(evidence)
    reasons = tuple(f"{label} {evidence.proposed + k + 1}" for k in range(len(z)))
    return Plan(z, reasons, memory=dict(evidence.memory))


@dataclass(frozen=True)
class Random:
    """Feasible candidates in random order, each once, until the budget, the target or the time ends it."""

    seed: int = 0

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        return spent(evidence) or drawn(evidence, "random", self.seed, allowance(evidence, n), "random draw")


@dataclass(frozen=True)
class Sobol:
    """Feasible candidates in the order of a scrambled Sobol sequence: ever finer, evenly spread."""

    seed: int = 0

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        return spent(evidence) or drawn(evidence, "sobol", self.seed, allowance(evidence, n), "Sobol point")
