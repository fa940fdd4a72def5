"""Seconds a plan takes over a 100 x 100 grid, and what failures teach.

    python -m benchmarks.planner [--repeats 3] [--without-library]

The first table times `plan()` with and without the last plan's memory, beside botorch's own way to the same posterior
(SingleTaskGP, fit_gpytorch_mll, posterior at every candidate) measured in the same run. The second has a world of which
a half-plane always fails, the better half: the share of failures among the 20 trials after 20 of the initial design.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from zbo_orchestrator.model import Array, Budget, Evidence, Plan, Planner, Space, Status, Stop
from zbo_orchestrator.planners.agent import Agent, AsPublished
from zbo_orchestrator.planners.baselines import Random
from zbo_orchestrator.planners.candidates import unit

AIMS = {100: 0.3, 1000: 2.0}


def grid(side: int) -> Space:
    axis = np.linspace(-2.0, 3.0, side)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return Space(np.full(2, -2.0), np.full(2, 3.0), points, np.ones((len(points), 1)), ("none",), (side, side))


def rough(z: Array) -> Array:
    """Ridges some twentieth of the box wide, [m]."""
    return np.sin(5 * z[:, 0] + 2 * np.sin(3 * z[:, 1])) + 0.5 * np.cos(7 * z[:, 1] - z[:, 0] ** 2)


def known(space: Space, count: int) -> Evidence:
    z = space.candidates[np.random.default_rng(count).permutation(len(space.candidates))[:count]]
    scored, empty = np.full(count, Status.SCORED), np.empty((0, 2))
    return Evidence(space, z, rough(z), np.full(count, np.nan), scored, empty, count, budget=Budget(20, 10**6))


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median of some runs after one that warms up."""
    taken = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken[1:]))


def by_the_library(evidence: Evidence) -> None:
    """The same posterior by botorch's defaults."""
    x, y = torch.tensor(unit(evidence.space, evidence.z)), torch.tensor(evidence.y)[:, None]
    model = SingleTaskGP(x, (y - y.mean()) / y.std())
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        _ = model.posterior(torch.tensor(unit(evidence.space, evidence.space.candidates))).variance


def timings(repeats: int, *, library: bool) -> None:
    space = grid(100)
    print("| known trials | planner | points | first plan, s | with memory, s | aim, s | botorch takes, times longer |")
    print("|---|---|---|---|---|---|---|")
    cases: list[tuple[int, str, Planner, int]] = [
        (100, "log-ei", Agent(), 1),
        (100, "log-ei", Agent(), 8),
        (100, "thompson", Agent("thompson"), 1),
        (100, "as published", AsPublished(), 1),
        (1000, "log-ei", Agent(), 1),
        (1000, "log-ei", Agent(), 8),
        (1000, "thompson", Agent("thompson"), 1),
    ]
    reference: dict[int, float] = {}
    for count, name, planner, n in cases:
        evidence = known(space, count)
        if library and count not in reference:
            reference[count] = seconds(lambda e=evidence: by_the_library(e), 1)  # type: ignore[misc]
        plan = planner.plan(evidence, n)
        assert isinstance(plan, Plan)
        again = replace(evidence, memory=plan.memory)
        cold = seconds(lambda p=planner, e=evidence, k=n: p.plan(e, k), repeats)  # type: ignore[misc]
        warm = seconds(lambda p=planner, e=again, k=n: p.plan(e, k), repeats)  # type: ignore[misc]
        ratio = f"{reference[count] / warm:.1f}" if count in reference else "-"
        print(f"| {count:,} | {name} | {n} | {cold:.2f} | {warm:.2f} | {AIMS[count]} | {ratio} |", flush=True)


def failures(planner: Planner) -> tuple[float, float]:
    """(share that failed, best score) of the 20 trials after the first 20, where x > 0.5 fails and lures."""
    space = grid(60)
    evidence = replace(known(space, 0), budget=Budget(20, 40))
    while not isinstance(plan := planner.plan(evidence, 1), Stop):
        failed = plan.z[:, 0] > 0.5
        score = np.sin(2 * plan.z[:, 0]) + 0.5 * np.cos(3 * plan.z[:, 1]) + plan.z[:, 0]
        evidence = replace(
            evidence,
            z=np.concatenate([evidence.z, plan.z]),
            y=np.concatenate([evidence.y, np.where(failed, np.nan, score)]),
            noise=np.full(len(evidence.y) + 1, np.nan),
            status=np.concatenate([evidence.status, np.where(failed, Status.FAILED, Status.SCORED)]),
            proposed=evidence.proposed + 1,
            memory=plan.memory,
        )
    return float((evidence.status[20:] == Status.FAILED).mean()), float(np.nanmax(evidence.y))


def lessons(seeds: int) -> None:
    print("\n| planner | failed of the 20 after 20 | best score |\n|---|---|---|")
    for name, make in (
        ("log-ei", lambda seed: Agent(patience=0, seed=seed)),
        ("log-ei, without caution", lambda seed: Agent(patience=0, caution=0.0, seed=seed)),
        ("random", Random),
    ):
        shares, bests = zip(*(failures(make(seed)) for seed in range(seeds)), strict=True)
        print(f"| {name} | {np.mean(shares):.0%} | {np.mean(bests):.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without-library", action="store_true", help="leave botorch's own fits out (a minute)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    timings(options.repeats, library=not options.without_library)
    lessons(5)


if __name__ == "__main__":
    main()
