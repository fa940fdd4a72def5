"""A comparison in words and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from zbo_orchestrator.comparison import Comparison, Round
from zbo_orchestrator.comparison.ensemble import Ensemble
from zbo_orchestrator.comparison.statistics import Difference
from zbo_orchestrator.comparison.trainings import Size
from zbo_orchestrator.model import Array, Goal
from zbo_orchestrator.report.wording import NONE, counted, give_or_take, number, share

AT: Final[dict[Size, str]] = {"campaign": "at the campaign's size", "final": "at full size"}
"""Where a round was run."""
UNLIKELY: Final = 0.05
"""A probability below which equal schedules are not believed in."""


_ALONE: Final = "no other schedule was trained under the best found's settings, so there is no range over schedules"


@dataclass(frozen=True, slots=True)
class Table:
    """Texts: one heading a column, one row an arm, the best found first."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def verdict(comparison: Comparison) -> str:
    """The answer in a sentence or two."""
    spread = comparison.last.spread
    where = AT[comparison.last.size]
    if comparison.last.alike.sum() < 2:
        return f"The comparison means nothing: {_ALONE}."
    if np.isnan(spread.deviation) or np.isnan(spread.range):
        return f"The comparison means nothing: too few trainings {where} have a score."
    if spread.drowned:
        return (
            f"The comparison means nothing: {where} the training seed alone moves the score by "
            f"{number(spread.deviation, 3)} (standard deviation under the best found schedule), and "
            f"{_range(comparison.last)}."
        )
    return f"Over {counted(len(comparison.seeds), 'seed')} {where}, {_standings(comparison)}."


def _standings(comparison: Comparison) -> str:
    """Whom the found schedule beats, whom it does not, and of whom too little is known."""
    untold = [each.arm for each in comparison.differences if np.isnan(each.low)]
    standing = {each.arm: each.standing(comparison.goal) for each in comparison.differences if each.arm not in untold}
    verbs = {"beats": 1, "is worse than": -1, "cannot be told apart from": 0}
    groups = {verb: [arm for arm, where in standing.items() if where == wanted] for verb, wanted in verbs.items()}
    said = [f"{verb} {listed(arms)}" for verb, arms in groups.items() if arms]
    answer = [f"the found schedule {listed(said)}"] if said else []
    return "; ".join([*answer, *([f"too few trainings under {listed(untold)} have a score to tell"] if untold else [])])


def details(comparison: Comparison) -> list[str]:
    """A sentence for every arm but the best found; none where the comparison means nothing."""
    if comparison.last.spread.drowned:
        return []
    return [difference_words(each, comparison.goal) for each in comparison.differences]


def difference_words(apart: Difference, goal: Goal) -> str:
    """What one difference says, and no more than that."""
    if np.isnan(apart.low):
        return f"The found schedule and {apart.arm} share too few scored seeds to be told apart."
    interval = f"95 % interval {number(apart.low, 3)} to {number(apart.high, 3)}"
    standing = apart.standing(goal)
    if standing == 0:
        lead = f"{apart.arm} minus found {number(apart.mean, 3)}"
        return f"The found schedule and {apart.arm} cannot be told apart ({lead}, {interval})."
    low, high = sorted((abs(apart.low), abs(apart.high)))
    by = f"{number(abs(apart.mean), 3)}, 95 % interval {number(low, 3)} to {number(high, 3)}"
    return f"The found schedule {'beats' if standing > 0 else 'is worse than'} {apart.arm} by {by}."


def spread_words(done: Round) -> str:
    """How much the seed alone moves the score, beside what the schedules do."""
    spread, where = done.spread, AT[done.size].capitalize()
    if done.alike.sum() < 2:
        return f"{where} {_ALONE}: a comparison means nothing."
    if np.isnan(spread.deviation) or np.isnan(spread.range):
        return f"{where} too few trainings have a score for a spread: a comparison means nothing."
    said = (
        f"{where} the score's standard deviation over {counted(done.values.shape[1], 'training seed')} is "
        f"{number(spread.deviation, 3)} under the best found schedule; {_range(done)}."
    )
    drowned = " The seed matters more than the schedule: a comparison means nothing." if spread.drowned else ""
    return f"{said}{_chance(done)}{drowned}"


def _range(done: Round) -> str:
    schedules = counted(int(done.alike.sum()), "schedule")
    same = "" if done.alike.all() else " under the same settings"
    return f"the means of the {schedules}{same} lie within {number(done.spread.range, 3)}"


def _chance(done: Round) -> str:
    spread = done.spread
    if np.isnan(spread.p):
        return ""
    p = "below 0.001" if spread.p < 0.001 else number(spread.p, 2)
    believed = "which speaks against it" if spread.p < UNLIKELY else "so they may well be"
    return (
        f" If these schedules were equal, scores as different as these would come up with probability {p} "
        f"({spread.test} test over {counted(spread.seeds, 'paired seed')}), {believed}."
    )


def ensemble_words(ensemble: Ensemble) -> str:
    """How far the final models agree."""
    unanimous = share(float((ensemble.agreement == 1).mean()))
    said = (
        f"{ensemble.models} final models of the best found schedule agree on an image's class by "
        f"{share(float(ensemble.agreement.mean()))} on average, and all of them on {unanimous} of the images."
    )
    right = f" Their majority vote is right for {share(ensemble.accuracy)} of the labelled images."
    return said if np.isnan(ensemble.accuracy) else said + right


def notes(comparison: Comparison) -> list[str]:
    """What has to be known of single arms' scores."""
    return [f"{arm}: {note}." for arm, note in zip(comparison.arms, comparison.notes, strict=False) if note]


def failures(comparison: Comparison) -> Iterator[str]:
    """Every training without a score, and why."""
    for each in comparison.rounds:
        for arm, seed in zip(*np.nonzero(each.errors != ""), strict=True):
            yield f"{comparison.arms[arm]}, seed {comparison.seeds[seed]}, {AT[each.size]}: {each.errors[arm, seed]}"


def table(comparison: Comparison) -> Table:
    """Mean ± standard deviation of score and terms, each with its paired difference to the best found (Δ)."""
    last, apart = comparison.last, comparison.term_differences
    scores = _beside(last.values, comparison.differences)
    terms = [_beside(values, apart[name]) for name, values in last.terms.items()]
    rows = zip(comparison.arms, scores, *terms, strict=True)
    return Table(("schedule", "score", *last.terms), tuple(rows))


def _beside(values: Array, apart: list[Difference]) -> list[str]:
    """A cell an arm for values[arm, seed]."""
    means = [_mean(each) for each in values]
    known = zip(means[1:], apart, strict=True)
    return [means[0], *(f"{mean} Δ {_interval(each)}" if each.seeds else mean for mean, each in known)]


def _mean(values: Array) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return NONE
    return give_or_take(float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else float("nan"))


def _interval(apart: Difference) -> str:
    if np.isnan(apart.low):
        return number(apart.mean, 3)
    return f"{number(apart.mean, 3)} ({number(apart.low, 3)} to {number(apart.high, 3)})"


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
