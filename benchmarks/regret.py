"""Evaluations until the best score stands at 95 % of the range of the campaign's own scan.

The demo's campaign, its planner in `--seeds` seeds on the first decoder and `--fewer` on each of the others, beside
random search on the same atlas and beside a direct search: the same planner, lattice and target, but over (growth,
frequency), the two parameters that min-max scaling leaves of a modulated sine. Every answer is looked up
in a map of the whole grid; what the planner asks between its points is simulated.

    python benchmarks/regret.py [--seeds 10] [--fewer 5] [--decoders 3] [--most 150] [--set planner.acquisition=ei]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.decoders.families import ModulatedSine
from zbo_orchestrator.model import (
    Array,
    BatchExecutor,
    Budget,
    Channel,
    Evidence,
    Plan,
    Planner,
    Space,
    Status,
    Trajectory,
)
from zbo_orchestrator.survey import survey
from zbo_orchestrator.testing import RecordedRun

SHARE = 0.95


@dataclass(frozen=True)
class Landscape:
    """A space, the score of each of its candidates (NaN where infeasible), and the score anywhere else."""

    name: str
    space: Space
    values: Array
    score: Callable[[Array], float]

    @property
    def target(self) -> float:
        low, high = np.nanmin(self.values), np.nanmax(self.values)
        return float(low + SHARE * (high - low))

    def at(self, z: Array) -> float:
        known = np.flatnonzero((self.space.candidates == z).all(axis=1))
        return float(self.values[known[0]]) if len(known) else self.score(z)


def latent(seed: int, overrides: list[str], folder: Path) -> tuple[Campaign, Landscape]:
    """The demo's campaign with another seed for library, decoder and planner, and its map."""
    campaign = load("ferrosim-curl", [f"seed={seed}", *overrides])
    values, charter = survey(campaign, folder / f"decoder-{seed}")
    decoder = campaign.recipe.restore(charter.decoder)
    space = charter.space
    return campaign, Landscape(
        f"latent, decoder {seed}", space, values, lambda z: scores(campaign, decoder.decode(z[None]))[0]
    )


def direct(campaign: Campaign, side: int = 100) -> Landscape:
    """The same curves searched by their two real parameters."""
    family = ModulatedSine(count=1)
    axes = [np.linspace(*bounds, side) for bounds in (family.growth, family.frequency)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    lower, upper = points.min(0), points.max(0)
    space = Space(lower, upper, points, np.ones((len(points), 1)), ("none",), (side, side))
    return Landscape(
        "direct, two parameters",
        space,
        scores(campaign, curves(points)),
        lambda z: scores(campaign, curves(z[None]))[0],
    )


def curves(points: Array) -> Trajectory:
    """Modulated sines of (growth, frequency) as the study scales and cuts them."""
    one = np.ones((len(points), 1))
    raw = ModulatedSine(count=len(points)).curves(one, points[:, :1], points[:, 1:], 0 * one, 1200)
    low, high = raw.min(axis=1, keepdims=True), raw.max(axis=1, keepdims=True)
    return Trajectory((2 * (raw - low) / (high - low) - 1)[:, :900], 4 / 1199, (Channel("field"),))


def scores(campaign: Campaign, trajectories: Trajectory) -> Array:
    """The campaign's score of each trajectory, NaN where it fails; the envelope is not asked."""
    executor = campaign.executor
    assert isinstance(executor, BatchExecutor)
    values = np.full(len(trajectories.values), np.nan)
    for start in range(0, len(values), executor.capacity):
        block = [trajectories[i] for i in range(start, min(start + executor.capacity, len(values)))]
        runs = [RecordedRun(seed=campaign.seed) for _ in block]
        for index, result in executor.execute_many(block, runs):
            if not isinstance(result, Exception):
                values[start + index] = campaign.evaluator.evaluate(block[index], result).value
    return values


def evaluations(planner: Planner, landscape: Landscape, target: float, most: int) -> int:
    """How many trials until the target is reached; `most` + 1 where it is not."""
    empty = np.empty((0, landscape.space.dimension))
    evidence = Evidence(landscape.space, empty, [], [], [], empty, 0, budget=Budget(20, most))
    while evidence.proposed < most:
        plan = planner.plan(evidence, 1)
        if not isinstance(plan, Plan):
            break
        value = landscape.at(plan.z[0])
        if value >= target:
            return evidence.proposed + 1
        evidence = _after(evidence, plan, value)
    return most + 1


def _after(evidence: Evidence, plan: Plan, value: float) -> Evidence:
    return replace(
        evidence,
        z=np.concatenate([evidence.z, plan.z]),
        y=np.append(evidence.y, value),
        noise=np.append(evidence.noise, np.nan),
        status=np.append(evidence.status, Status.FAILED if np.isnan(value) else Status.SCORED),
        proposed=evidence.proposed + 1,
        memory=plan.memory,
    )


def report(search: str, counts: list[int], most: int) -> None:
    shown = [str(count) if count <= most else f">{most}" for count in sorted(counts)]
    within = sum(count <= 100 for count in counts)
    print(
        f"| {search:<44} | {np.median(counts):>6.0f} | {within:>3}/{len(counts):<3} | {' '.join(shown)} |", flush=True
    )


def outlook(landscape: Landscape, target: float) -> str:
    share = float(np.mean(landscape.values[np.isfinite(landscape.values)] >= target))
    return (
        f"best {np.nanmax(landscape.values):.6g}, target {target:.6g}; {100 * share:.2g} % of the candidates reach it: "
        f"random search is there within 100 with probability {1 - (1 - share) ** 100:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--fewer", type=int, default=5)
    parser.add_argument("--decoders", type=int, default=3)
    parser.add_argument("--most", type=int, default=150)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    print(f"| {'search':<44} | median | <=100   | evaluations to {SHARE:.0%} of the range, sorted |\n|---|---|---|---|")
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.decoders):
            campaign, landscape = latent(7 + number, options.set, Path(folder))
            target, seeds = landscape.target, range(options.seeds if number == 0 else options.fewer)
            notes.append(f"{landscape.name}: {outlook(landscape, target)}")
            report(
                f"{landscape.name}, the campaign's planner",
                [evaluations(replace(campaign.planner, seed=seed), landscape, target, options.most) for seed in seeds],
                options.most,
            )
            if number == 0:
                plain = direct(campaign)
                notes.append(f"{plain.name}: {outlook(plain, target)}")
                report(
                    "direct (growth, frequency), same planner",
                    [evaluations(replace(campaign.planner, seed=seed), plain, target, options.most) for seed in seeds],
                    options.most,
                )
                baseline = load("ferrosim-curl", ["planner={use: random}"]).planner
                report(
                    "latent, random search",
                    [evaluations(replace(baseline, seed=seed), landscape, target, 600) for seed in seeds],
                    600,
                )
    print(*notes, sep="\n")


if __name__ == "__main__":
    main()
