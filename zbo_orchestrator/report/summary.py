"""The campaign in a few words: the headline, the tiles under it, the table of trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.wording import counted, give_or_take, lasting, moment, number, point, share


@dataclass(frozen=True, slots=True)
class Tile:
    """One fact of the headline: what it is, the fact, and what puts it in proportion."""

    label: str
    fact: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One trial in the table; keys sort, texts show."""

    number: int
    plan: int
    status: str
    score: str
    score_key: float | None
    noise: str
    z: str
    terms: tuple[str, ...]
    reason: str
    error: str
    attempts: int
    seed: int | None
    best: bool
    mapped: bool


def headline(findings: Findings) -> str:
    """Two or three sentences that a hurried reader may stop after."""
    trials, best = findings.trials, findings.best
    if best is None:
        recorded = int(trials.recorded.sum())
        trials_so_far = f"{counted(recorded, 'trial')} of {findings.budget.total} recorded"
        return f"No trial has a score yet: {trials_so_far}. {_stopped(findings)}"
    most = "highest" if findings.goal.maximize else "lowest"
    first = f"The {most} score is {number(trials.value[best.row])}, from trial {trials.number[best.row]}"
    return " ".join(filter(None, (first + _gained(findings) + ".", _regret(findings), _stopped(findings))))


def _gained(findings: Findings) -> str:
    """How much better than the initial design the model's trials did."""
    trials, goal = findings.trials, findings.goal
    early = trials.scored & ~findings.modelled
    if findings.best is None or not early.any() or not findings.modelled[findings.best.row]:
        return ""
    before = float(goal.gain(np.max(goal.gain(trials.value[early]))))
    return f"; the initial design had reached {number(before)}"


def _regret(findings: Findings) -> str:
    if findings.truth is None or not np.isfinite(findings.optimum) or findings.best is None:
        return ""
    span = float(np.nanmax(findings.truth) - np.nanmin(findings.truth))
    if not span > 0:
        return ""
    behind = float(findings.goal.gain(findings.optimum) - findings.goal.gain(findings.trials.value[findings.best.row]))
    reached = share(1 - max(behind, 0.0) / span)
    return f"A scan of the space found {number(findings.optimum)}: the campaign reached {reached} of its range."


def _stopped(findings: Findings) -> str:
    if findings.state != "finished":
        return "The campaign is still running, or was interrupted."
    return (
        f"The campaign is finished ({findings.stop_reason})." if findings.stop_reason else "The campaign is finished."
    )


def tiles(findings: Findings) -> list[Tile]:
    """Score, trials, space and time, each with what puts it in proportion."""
    trials = findings.trials
    recorded = int(trials.recorded.sum())
    design = f"initial design {findings.budget.initial}"
    feasible = float(np.mean(findings.space.feasible))
    shape = findings.space.shape
    candidates = " × ".join(map(str, shape)) if shape else str(len(findings.space.candidates))
    return [
        _score_tile(findings),
        *_guess_tile(findings),
        Tile("Trials", f"{recorded} of {findings.budget.total}", design),
        Tile(
            "Latent space",
            counted(findings.space.dimension, "dimension"),
            f"{share(feasible)} of {candidates} candidates feasible",
        ),
        Tile("Worked", lasting(findings.elapsed), _when(findings)),
    ]


def _score_tile(findings: Findings) -> Tile:
    if findings.best is None:
        return Tile("Best score", "none yet")
    row, trials = findings.best.row, findings.trials
    score = give_or_take(float(trials.value[row]), float(trials.noise[row]))
    return Tile("Best score", score, f"trial {trials.number[row]}, z = {point(trials.z[row])}")


def _guess_tile(findings: Findings) -> list[Tile]:
    """Where the model of the last mapped plan expects the best mean."""
    layers = findings.maps.layers
    if "mean" not in layers:
        return []
    gain = np.where(findings.space.feasible, findings.goal.gain(layers["mean"][-1]), np.nan)
    if not np.isfinite(gain).any():
        return []
    at = int(np.nanargmax(gain))
    deviation = float(layers["deviation"][-1][at]) if "deviation" in layers else float("nan")
    fact = give_or_take(float(layers["mean"][-1][at]), deviation)
    return [
        Tile("Model expects", fact, f"at z = {point(findings.space.candidates[at])}, plan {findings.maps.plan[-1]}")
    ]


def _when(findings: Findings) -> str:
    """The day and hour of the first proposal."""
    stamps = findings.trials.proposed_at
    return f"from {moment(float(np.nanmin(stamps)))}" if np.isfinite(stamps).any() else ""


def rows(findings: Findings) -> list[Row]:
    """Every trial as a row of the table."""
    return [_row(findings, row) for row in range(len(findings.trials))]


def _row(findings: Findings, row: int) -> Row:
    trials = findings.trials
    value = float(trials.value[row])
    return Row(
        number=int(trials.number[row]),
        plan=int(trials.plan[row]),
        status=trials.status[row],
        score=number(value, 6),
        score_key=value if np.isfinite(value) else None,
        noise=number(float(trials.noise[row]), 3),
        z=point(trials.z[row]),
        terms=tuple(number(float(values[row])) for values in trials.terms.values()),
        reason=trials.reason[row],
        error=trials.error[row],
        attempts=int(trials.attempts[row]),
        seed=trials.seed[row],
        best=findings.best is not None and row == findings.best.row,
        mapped=bool(np.isin(trials.plan[row], findings.maps.plan)),
    )
