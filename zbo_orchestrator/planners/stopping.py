"""When a planner asks for nothing more, and the words it says so in; shared by every planner here."""

from __future__ import annotations

from zbo_orchestrator.model import Evidence, Stop


def spent(evidence: Evidence) -> Stop | None:
    """The stop that the evidence alone demands: target reached, budget spent, or time up; None to go on."""
    goal, budget = evidence.goal, evidence.budget
    values = evidence.y[evidence.scored]
    best = float(values.max() if goal.maximize else values.min()) if len(values) else None
    if best is not None and goal.reached(best):
        return Stop(f"target: a trial scored {best:.6g} where {goal.target:.6g} was asked for")
    if evidence.proposed >= budget.total:
        return Stop(f"budget: {evidence.proposed} of {budget.total} trials are proposed")
    if budget.seconds is not None and evidence.elapsed >= budget.seconds:
        return Stop(f"time: {evidence.elapsed:.1f} s of {budget.seconds:.1f} s are spent")
    return None


def exhausted(evidence: Evidence) -> Stop:
    """Nothing feasible is left that was not proposed before."""
    count = int(evidence.space.feasible.sum())
    return Stop(f"exhausted: none of the {count} feasible candidates is left to propose")


def allowance(evidence: Evidence, n: int) -> int:
    """How many of the n points asked for the budget still holds."""
    if n < 1:
        raise ValueError(f"asked for {n} points; wanted at least 1")
    return min(n, evidence.budget.total - evidence.proposed)
