"""The planner beyond a thousand trials: neighbourhoods against the exact posterior, and what a plan costs.

    python -m benchmarks.planner_scale [--quick]

Half of the trials lie on a grid of 100 x 100 candidates, half between its points. First table: both posteriors over
the candidates under the same fitted hyperparameters; differences in shares of the exact posterior's mean deviation, and
the exact expected improvement where the local one is highest, as a share of the highest. Second: seconds a plan takes
on one thread, the least of some runs, the first without and the others with an earlier plan's memory; by the clock, and
by the processor, which leaves out what else runs on the machine. Third: the history's side of as many trials.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.history import charter
from benchmarks.planner import grid, rough
from zbo_orchestrator.history import History
from zbo_orchestrator.model import (
    Array,
    Budget,
    Channel,
    Evidence,
    Plan,
    Proposal,
    Score,
    Status,
    Trajectory,
    Trial,
)
from zbo_orchestrator.planners.acquisition import log_ei
from zbo_orchestrator.planners.agent import Agent
from zbo_orchestrator.planners.candidates import unit
from zbo_orchestrator.planners.local import LocalBelief
from zbo_orchestrator.planners.surrogate import Belief, Fitting, fit, one_thread

Function = Callable[[Array], Array]


def smooth(z: Array) -> Array:
    """Hills half of the box wide, [m]."""
    return np.asarray(np.sin(2 * z[:, 0]) + 0.5 * np.cos(3 * z[:, 1]) - 0.1 * np.square(z).sum(axis=1))


def known(
    count: int, function: Function, *, noise: float = 0.0, clustered: bool = False, failing: float = 0.0
) -> Evidence:
    """Trials at candidates and between them; `clustered` has half of them around the best, `noise` is in deviations."""
    space = replace(grid(100), certify=lambda z: np.ones((len(z), 1)))
    rng = np.random.default_rng(count)
    rows = rng.permutation(len(space.candidates))[: count // 2]
    z = np.concatenate([space.candidates[rows], rng.uniform(-2, 3, (count - len(rows), 2))])
    if clustered:
        best = space.candidates[function(space.candidates).argmax()]
        z[: count // 2] = np.clip(best + 0.3 * rng.standard_normal((count // 2, 2)), -2, 3)
    y = function(z)
    y = y + noise * y.std() * rng.standard_normal(count)
    status = np.where(rng.uniform(size=count) < failing, Status.FAILED, Status.SCORED)
    y = np.where(status == Status.SCORED, y, np.nan)
    return Evidence(space, z, y, np.full(count, np.nan), status, np.empty((0, 2)), count, budget=Budget(20, 10**6))


def accuracy(count: int) -> None:
    print("| trials | function | length scales | noise variance | mean off by | deviation off by | choice is worth |")
    print("|---|---|---|---|---|---|---|")
    for label, function, noise, clustered in (
        ("rough", rough, 0.0, False),
        ("rough, half of them around the best", rough, 0.0, True),
        ("rough, noisy", rough, 0.3, False),
        ("smooth", smooth, 0.0, False),
        ("smooth, half of them around the best", smooth, 0.0, True),
        ("smooth, noisy", smooth, 0.5, False),
        ("smooth, noisy, half of them around the best", smooth, 0.5, True),
    ):
        evidence = known(count, function, noise=noise, clustered=clustered)
        x, y, free = unit(evidence.space, evidence.z), evidence.y, np.full(count, np.nan)
        y = (y - y.mean()) / y.std()
        points = unit(evidence.space, evidence.space.candidates)
        with one_thread():
            values = fit(x, y, free, Fitting())
            exact, local = (kind(x, y, free, "matern-5/2", values) for kind in (Belief, LocalBelief))
            mean, deviation, best = exact.at(points).mean, exact.at(points).deviation, float(exact.at(x).mean.max())
            near, top = local.at(points), float(local.at(x).mean.max())
        off = [
            np.sqrt(np.square(a - b).mean()) / deviation.mean()
            for a, b in ((near.mean, mean), (near.deviation, deviation))
        ]
        worth = log_ei(mean, deviation, best)
        chosen = int(log_ei(near.mean, near.deviation, top).argmax())
        lengths = ", ".join(f"{length:.2f}" for length in values.lengthscales)
        print(
            f"| {count:,} | {label} | {lengths} | {values.noise:.1e} | {off[0]:.1%} | {off[1]:.1%} "
            f"| {np.exp(worth[chosen] - worth.max()):.1%} |",
            flush=True,
        )


def timings(counts: tuple[int, ...], repeats: int) -> None:
    print("\n| known trials | case | first plan, s | with memory, s | of the processor, s | arrays at most, MB |")
    print("|---|---|---|---|---|---|")
    cases: list[tuple[str, Agent, int, float]] = [
        ("log-ei", Agent(patience=0), 1, 0.0),
        ("log-ei, eight points", Agent(patience=0), 8, 0.0),
        ("log-ei, a fifth failed", Agent(patience=0), 1, 0.2),
        ("thompson", Agent("thompson", patience=0), 1, 0.0),
    ]
    for count in counts:
        for label, agent, n, failing in cases if count == counts[-1] else cases[:1]:
            evidence = known(count, rough, failing=failing)
            begin = time.perf_counter()
            plan = agent.plan(evidence, n)
            first = time.perf_counter() - begin
            assert isinstance(plan, Plan)
            again = replace(evidence, memory=plan.memory)
            work = partial(agent.plan, again, n)
            clock, processor = zip(*(_seconds(work) for _ in range(repeats)), strict=True)
            print(
                f"| {count:,} | {label} | {first:.2f} | {min(clock):.2f} | {min(processor):.2f} "
                f"| {_megabytes(work):.0f} |",
                flush=True,
            )


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def _megabytes(work: Callable[[], object]) -> float:
    """The most that NumPy's arrays hold at once; torch's, a tile's covariances in all, are not counted."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def history(count: int) -> None:
    """What reading and writing cost where a history holds so many trials of twenty steps."""
    rng = np.random.default_rng(0)
    field = Trajectory(rng.normal(size=(20, 1)), 0.003, (Channel("field", "Ec"),))
    at = time.perf_counter
    with tempfile.TemporaryDirectory() as folder, History.create(Path(folder) / "history", charter()) as record:
        for begin in range(0, count, 250):
            with record.transaction():
                for proposal in record.propose(Plan(rng.uniform(-1, 1, (250, 2)), ("benchmark",) * 250)):
                    record.record(Trial(Proposal(proposal.number, proposal.z), field, Score(float(begin))))
        commits, reads = [], []
        for _ in range(5):
            start = at()
            with record.transaction():
                (proposal,) = record.propose(Plan(rng.uniform(-1, 1, (1, 2)), ("benchmark",)))
                record.record(Trial(proposal, field, Score(0.0)))
            commits.append(at() - start)
            start = at()
            record.evidence()
            reads.append(at() - start)
    print("\n| trials recorded | evidence(), ms | propose and record one trial, ms |\n|---|---|---|")
    print(f"| {count:,} | {1e3 * min(reads):.2g} | {1e3 * min(commits):.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer trials and runs: half a minute")
    quick = parser.parse_args().quick
    accuracy(1000)
    timings((1000, 2000) if quick else (1000, 2000, 10_000), 2 if quick else 6)
    history(1000 if quick else 10_000)


if __name__ == "__main__":
    main()
