"""A comparison from beginning to end: the spread over seeds first, then every arm at full size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from zbo_orchestrator.campaign import Campaign
from zbo_orchestrator.comparison.arms import (
    Arm,
    arms_of,
    best_of,
    chosen,
    comparable,
    found_elsewhere,
    full_size,
    refuse_unlike,
)
from zbo_orchestrator.comparison.outcome import Comparison, Round, folder_of, identity_of, write
from zbo_orchestrator.comparison.trainings import Dressed, Size, Training, results, seeds_of, trainings_of
from zbo_orchestrator.history import Record
from zbo_orchestrator.history.charter import refuse_other
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.model import (
    Array,
    Comparable,
    ConfigurationError,
    ExecutionError,
    Executor,
    Measurement,
    Score,
    Trajectory,
    Trial,
)
from zbo_orchestrator.place import Address


class Audience:
    """Sees a comparison go by; override what you care for."""

    def training(self, name: str, step: int, of: int, values: Mapping[str, float]) -> None:
        """A training is at `step`."""

    def trained(self, training: Training, outcome: Score | ExecutionError, done: int, of: int) -> None:
        """A training has ended, or was found kept; `done` of its round have."""

    def compared(self, done: Round) -> None:
        """A round is complete."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be compared.

    seeds      trainings of every arm
    others     histories of other campaigns, whose best found is tried here too
    schedules  names of arms; all of them where empty
    small      stay at the campaign's size
    """

    seeds: int = 8
    others: tuple[Address, ...] = ()
    schedules: tuple[str, ...] = ()
    small: bool = False

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ConfigurationError(f"seeds {self.seeds}: wanted at least 2, for there to be a spread")

    @property
    def partial(self) -> bool:
        """Not all that there is to compare: kept under a name of its own, beside a whole comparison."""
        return self.small or bool(self.schedules)


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """All that a comparison is before its first training.

    best     the trial whose trajectory is the best found
    arms     by size: the campaign's, then the full one unless that is left out; the best found first
    partial  of chosen schedules, or at the campaign's size alone
    """

    campaign: Campaign
    record: Record
    best: Trial
    seeds: tuple[int, ...]
    arms: Mapping[Size, tuple[Arm, ...]]
    partial: bool = False


def prepare(campaign: Campaign, history: Address, wish: Wish) -> Contest:
    """Who competes in what; trains nothing.

    Raises `ConfigurationError` where the campaign's executor is not `Comparable` or an arm does not fit it, and
    `HistoryError` where the history is another campaign's, or a file that it was founded on has changed since.
    """
    executor, record = comparable(campaign), Record.read(history)
    if not campaign.founded(record):
        had = record.charter.identity
        refuse_other(had, {**campaign.identity, "weights": had.get("weights")})  # learnt weights are the history's own
    best = best_of(record)
    others = found_elsewhere(wish.others, best.trajectory)
    executors: dict[Size, Comparable] = {"campaign": executor}
    if not wish.small:
        executors["final"] = full_size(executor)
    arms = {size: chosen(arms_of(each, best.trajectory, others), wish.schedules) for size, each in executors.items()}
    refuse_unlike(*arms.values())
    return Contest(campaign, record, best, seeds_of(campaign, wish.seeds), arms, wish.partial)


def bare(executor: Executor, names: Mapping[int, str]) -> Executor:  # noqa: ARG001 (an observer would use the names)
    """The executor as it is."""
    return executor


def compare(contest: Contest, audience: Audience, *, dressed: Dressed = bare) -> Comparison:
    """Train every arm with every seed, at the campaign's size and then at full size, and keep all of it.

    What is kept is not trained again: interrupted, the next call goes on, and more seeds train only the new ones.
    """
    campaign, arms = contest.campaign, contest.arms["campaign"]
    with _ours(folder_of(contest.record.path)) as folder:
        rounds = [
            _round(campaign, trainings_of(campaign, each, contest.seeds, size), folder, audience, dressed)
            for size, each in contest.arms.items()
        ]
        comparison = Comparison(
            campaign=contest.record.name,
            identity=identity_of(contest.record),
            goal=contest.record.goal,
            trial=contest.best.number,
            arms=tuple(arm.name for arm in arms),
            schedules=_schedules(arms),
            seeds=contest.seeds,
            notes=tuple(arm.note for arm in arms),
            rounds=tuple(rounds),
        )
        write(comparison, folder, partial=contest.partial)
    return comparison


@contextmanager
def _ours(folder: Path) -> Iterator[Path]:
    """The folder, made if need be and written by nobody else: two at once would share scratch folders."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made ({error}); wanted a place to keep trainings in") from error
    with Lock(folder / "lock"):
        yield folder


def _schedules(arms: Sequence[Arm]) -> Trajectory:
    form = arms[0].trajectory
    return Trajectory(np.stack([arm.trajectory.values for arm in arms]), form.dt, form.channels)


def _round(
    campaign: Campaign,
    planned: Sequence[Sequence[Training]],
    folder: Path,
    audience: Audience,
    dressed: Dressed,
) -> Round:
    """Run what is missing of the trainings [arm][seed] and score all of them."""
    trainings = {training.number: training for training in chain.from_iterable(planned)}
    outcomes: dict[str, Score | ExecutionError] = {}

    def progress(number: int, step: int, of: int, values: Mapping[str, float]) -> None:
        audience.training(trainings[number].name, step, of, values)

    for training, result in results(list(trainings.values()), folder, progress, dressed):
        outcomes[training.digest] = outcome = _judged(campaign, training.arm.trajectory, result)
        audience.trained(training, outcome, len(outcomes), len(trainings))
    done = _table(planned, outcomes)
    audience.compared(done)
    return done


def _judged(campaign: Campaign, trajectory: Trajectory, result: Measurement | ExecutionError) -> Score | ExecutionError:
    if isinstance(result, ExecutionError):
        return result
    try:
        return campaign.evaluator.evaluate(trajectory, result)
    except ExecutionError as unscorable:
        return unscorable


def _table(planned: Sequence[Sequence[Training]], outcomes: Mapping[str, Score | ExecutionError]) -> Round:
    digests = np.array([[each.digest for each in row] for row in planned])
    alike = np.array([row[0].arm.alike for row in planned])
    scores = {digest: each for digest, each in outcomes.items() if isinstance(each, Score)}
    errors = {digest: str(each) for digest, each in outcomes.items() if isinstance(each, ExecutionError)}
    terms = dict.fromkeys(chain.from_iterable(score.terms for score in scores.values()))

    def laid_out(values: Mapping[str, float]) -> Array:
        return np.array([[values.get(digest, np.nan) for digest in row] for row in digests], dtype=np.float64)

    return Round(
        size=planned[0][0].size,
        values=laid_out({digest: score.value for digest, score in scores.items()}),
        terms={
            term: laid_out({digest: score.terms.get(term, np.nan) for digest, score in scores.items()})
            for term in terms
        },
        digests=digests,
        errors=np.array([[errors.get(digest, "") for digest in row] for row in digests]),
        alike=alike,
    )
