"""The whole feasible grid run once: the map that a campaign explores blindly, for regret. Simulators only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log, nan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from zbo_orchestrator.campaign import Campaign, silent
from zbo_orchestrator.executors.supervised import drives
from zbo_orchestrator.history import Charter, History, Record, Scan
from zbo_orchestrator.model import (
    Array,
    BatchExecutor,
    ConfigurationError,
    Decoder,
    ExecutionError,
    Executor,
    Goal,
    HistoryError,
    Job,
    Json,
    Measurement,
    Report,
    Trajectory,
)
from zbo_orchestrator.place import Address, Place
from zbo_orchestrator.workers import Handle, attempt

BLOCK = 1024
"""Candidates decoded, run and committed at a time."""
_UNRELATED = ("goal", "planner", "hopeless")
"""What a campaign may change without changing its map."""


def survey(
    campaign: Campaign, history: Address, report: Report = silent, progress: Report = silent
) -> tuple[Array, Charter]:
    """Run every feasible candidate that was not run yet and return all scores [m] and what they belong to.

    Interrupted, the next call goes on where it ended; `<history>.scan` keeps what is done.
    The decoder is the history's where one exists, else the one the campaign would be founded with.
    """
    if not getattr(campaign.executor, "repeatable", False):
        raise ConfigurationError(
            "executor: a scan runs thousands of trials; wanted a repeatable executor (simulators only)"
        )
    if drives(campaign.executor):
        raise ConfigurationError("executor: a scan has no supervision; wanted one that drives no instrument")
    charter = _charter(campaign, history, report)
    decoder = campaign.recipe.restore(charter.decoder)
    scan = Scan.open(Place.of(history).beside(".scan"), _identity(charter), charter.space)
    missing = np.asarray(scan.missing())
    total = int(charter.space.feasible.sum())
    for start in range(0, len(missing), BLOCK):
        block = missing[start : start + BLOCK]
        scan.record(block, _values(campaign, decoder, charter.space.candidates[block], block))
        progress(total - len(missing) + start + len(block), total)
    return np.asarray(scan.values), charter


def _charter(campaign: Campaign, history: Address, report: Report) -> Charter:
    if not History.exists(history):
        return campaign.charter(report)
    charter = Record.read(history).charter
    mine = {name: section for name, section in charter.identity.items() if name in campaign.identity}
    if _related(mine) != _related(campaign.identity):
        differing = [
            name for name, section in campaign.identity.items() if _related(mine).get(name, section) != section
        ]
        raise HistoryError(f"{history} is the history of another campaign: {', '.join(differing)} differ")
    return charter


def _related(identity: Json) -> dict[str, object]:
    return {name: section for name, section in identity.items() if name not in _UNRELATED}


def _identity(charter: Charter) -> dict[str, object]:
    return _related(charter.identity)


def _values(campaign: Campaign, decoder: Decoder, z: Array, numbers: Array) -> Array:
    """Scores [n] of latent points, NaN where a trial fails."""
    trajectories = decoder.decode(z)
    jobs = [Job(int(number), 1, campaign.seed_of(int(number)), trajectories[i]) for i, number in enumerate(numbers)]
    values = np.full(len(jobs), nan)
    for index, result in _execute(campaign.executor, jobs):
        values[index] = _score(campaign, jobs[index].trajectory, result)
    return values


def _execute(executor: Executor, jobs: Sequence[Job]) -> Iterator[tuple[int, Measurement | ExecutionError]]:
    with TemporaryDirectory(prefix="zbo-scan-") as scratch:
        handles = [Handle(job.number, job.attempt, job.seed, Path(scratch)) for job in jobs]
        if not isinstance(executor, BatchExecutor):
            yield from ((i, attempt(executor, job, handles[i])) for i, job in enumerate(jobs))
            return
        for start in range(0, len(jobs), executor.capacity):
            part = slice(start, start + executor.capacity)
            results = executor.execute_many([job.trajectory for job in jobs[part]], handles[part])
            yield from ((start + index, result) for index, result in results)


def _score(campaign: Campaign, trajectory: Trajectory, result: Measurement | ExecutionError) -> float:
    if isinstance(result, ExecutionError):
        return nan
    try:
        return campaign.evaluator.evaluate(trajectory, result).value
    except ExecutionError:  # the map shows a hole where no score can be had
        return nan


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard a map is for blind luck.

    share     part of the feasible candidates within 5 % of the range from the best
    halfway, surely   random draws that hit one of them with probability 0.5 and 0.95
    """

    best: int
    value: float
    quantiles: dict[float, float]
    failed: int
    share: float
    halfway: int
    surely: int


def difficulty(values: Array, feasible: Array, goal: Goal) -> Difficulty:
    """What the values [m] of a finished scan say."""
    kept = values[feasible & np.isfinite(values)]
    if not len(kept):
        raise ExecutionError(
            f"none of {int(feasible.sum())} feasible candidates has a score; there is no map to describe"
        )
    gain = goal.gain(kept)
    share = float((gain >= gain.max() - 0.05 * np.ptp(gain)).mean())
    return Difficulty(
        best=int(np.nanargmax(np.where(feasible, goal.gain(values), nan))),
        value=float(kept[np.argmax(gain)]),
        quantiles={q: float(np.quantile(kept, q)) for q in (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)},
        failed=int(feasible.sum()) - len(kept),
        share=share,
        halfway=_draws(share, 0.5),
        surely=_draws(share, 0.95),
    )


def lines(found: Difficulty, charter: Charter) -> Iterator[str]:
    """The difficulty as text."""
    total = int(charter.space.feasible.sum())
    z = ", ".join(f"{value:.5g}" for value in charter.space.candidates[found.best])
    yield f"scanned      {total:,} feasible candidates{f', {found.failed:,} without a score' if found.failed else ''}"
    yield f"best         {found.value:.8g} at candidate {found.best}, z = ({z})"
    yield f"quantiles    {', '.join(f'{q:.0%} {value:.5g}' for q, value in found.quantiles.items())}"
    yield f"good ones    {found.share:.3%} lie within 5 % of the range from the best"
    yield f"by chance    {found.halfway:,} random evaluations find one with probability 0.5, {found.surely:,} with 0.95"


def _draws(share: float, probability: float) -> int:
    """Draws after which one of a share was hit with a probability: ln(1 - probability) / ln(1 - share)."""
    return 1 if share >= 1 else ceil(log(1 - probability) / log(1 - share))
