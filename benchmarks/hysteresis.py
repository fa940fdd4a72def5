"""Loops that need not be measured: the campaign hysteresis-area against random and raster sampling at equal numbers.

Every sampling's pixels go through the same Gaussian process; its posterior mean is the reconstructed map, held against
the whole measured one. `error` is |reconstructed - true| / |true| over all pixels, 2-norms; `top 1 %` the share of the
best pixels that were measured. A stopped raster is the first lines of the scan, a coarse one a grid with even gaps.

    python benchmarks/hysteresis.py [--seeds 5] [--png maps.png] [--set planner.acquisition=ucb]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.model import Array, Evidence, Plan, Planner, Space, Status
from zbo_orchestrator.planners.baselines import Random
from zbo_orchestrator.planners.candidates import unit
from zbo_orchestrator.planners.outlook import Scale, learn
from zbo_orchestrator.planners.surrogate import Fitting, one_thread
from zbo_orchestrator.survey import survey

ROW = "| {:<26} | {:>6} | {:>7} | {:>6} | {:>13} | {:>13} | {:>13} | {:>13} |"


@dataclass(frozen=True)
class Specimen:
    """The measured map: a true score [m] at each candidate of a grid."""

    campaign: Campaign
    space: Space
    truth: Array

    def evidence(self, rows: Array) -> Evidence:
        """As if the candidates at these rows had been measured."""
        none, n = np.empty((0, 2)), len(rows)
        known = np.full(n, np.nan), np.full(n, Status.SCORED)
        z, y = self.space.candidates[rows], self.truth[rows]
        return Evidence(self.space, z, y, *known, none, n, goal=self.campaign.goal, budget=self.campaign.budget)

    def rows(self, z: Array) -> Array:
        """Which candidates points[n, 2] are."""
        sides = np.array(self.space.shape)
        place = np.rint(unit(self.space, z) * (sides - 1)).astype(int)
        return np.ravel_multi_index(tuple(place.T), self.space.shape)

    def reconstructed(self, rows: Array) -> Array:
        """The posterior mean [m] of what was measured at these rows."""
        evidence, kernel = self.evidence(rows), self.campaign.planner.kernel
        with one_thread():
            scale = Scale.of(evidence)
            belief = learn(evidence, scale, Fitting(kernel))
            return scale.score(belief.at(unit(self.space, self.space.candidates)).mean)

    def planned(self, planner: Planner) -> Array:
        """The rows that a planner asks for, batch after batch, until it stops."""
        rows, memory = np.empty(0, int), {}
        while True:
            plan = planner.plan(replace(self.evidence(rows), memory=memory), self.campaign.width)
            if not isinstance(plan, Plan):
                return rows
            rows, memory = np.append(rows, self.rows(plan.z)), plan.memory


@dataclass(frozen=True)
class Finding:
    """What a sampling is worth."""

    rows: Array
    map: Array
    error: float
    correlation: float
    top: float
    best: float

    @classmethod
    def of(cls, specimen: Specimen, rows: Array) -> Finding:
        mean, truth = specimen.reconstructed(rows), specimen.truth
        best = np.argsort(-specimen.campaign.goal.gain(truth))[: round(0.01 * len(truth))]
        error = np.linalg.norm(mean - truth) / np.linalg.norm(truth)
        found = truth[rows[specimen.campaign.goal.gain(truth[rows]).argmax()]]
        correlation = np.corrcoef(mean, truth)[0, 1]
        return cls(rows, mean, error, correlation, np.isin(best, rows).mean(), found / truth[best[0]])


def samplings(specimen: Specimen, seeds: range) -> Iterator[tuple[str, list[Array]]]:
    """Each sampling by name, with the rows that it measures, once a seed where it has any."""
    agent, total = specimen.campaign.planner, specimen.campaign.budget.total
    columns, lines = specimen.space.shape
    # The first latent axis is x: transposed, the grid is read line by line.
    raster = np.arange(columns * lines).reshape(columns, lines).T
    side = int(np.sqrt(total))
    across, down = (np.linspace(0, n - 1, side).round().astype(int) for n in (columns, lines))
    yield "planner, in batches", [specimen.planned(replace(agent, seed=seed)) for seed in seeds]
    yield "random", [specimen.planned(Random(seed)) for seed in seeds]
    yield "raster, stopped", [raster.ravel()[:total]]
    yield f"raster, coarse {side} x {side}", [raster[np.ix_(down, across)].ravel()]


def spread(values: list[float]) -> str:
    """Mean and, of several seeds, standard deviation."""
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values):.3f}" if len(values) > 1 else "")


def tell(name: str, findings: list[Finding], specimen: Specimen) -> None:
    count, total = len(findings[0].rows), len(specimen.truth)
    minutes = count * specimen.campaign.document["executor"]["seconds"] / 60
    columns = zip(*[(f.error, f.correlation, f.top, f.best) for f in findings], strict=True)
    numbers = [spread(list(values)) for values in columns]
    print(ROW.format(name, count, f"{minutes:.1f}", f"{1 - count / total:.1%}", *numbers), flush=True)


def draw(specimen: Specimen, shown: dict[str, Finding], path: Path) -> None:
    """The true map and each reconstructed one, with the pixels that it is made of."""
    figure = Figure(figsize=(4 * (len(shown) + 1), 4.6), layout="constrained")
    axes = figure.subplots(1, len(shown) + 1)
    limits = {"vmin": specimen.truth.min(), "vmax": specimen.truth.max()}
    (left, top), (right, bottom) = specimen.space.lower, specimen.space.upper  # a scan begins at the top left
    maps = {"measured in full": specimen.truth, **{name: finding.map for name, finding in shown.items()}}
    for ax, (name, values) in zip(axes, maps.items(), strict=True):
        ax.imshow(values.reshape(specimen.space.shape).T, extent=(left, right, bottom, top), **limits)
        ax.set(title=name, xlabel="x")
        if name in shown:
            ax.plot(*specimen.space.candidates[shown[name].rows].T, "w.", markersize=1.5)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    if find_spec("mexpsimu") is None:
        print("left out: its specimen comes with the extra zbo-orchestrator[microscope]")
        return
    campaign = load("hysteresis-area", options.set)
    with tempfile.TemporaryDirectory() as folder:
        truth, charter = survey(campaign, Path(folder) / "map")
    specimen = Specimen(campaign, charter.space, truth)
    raster = len(truth) * campaign.document["executor"]["seconds"]
    print(f"the full raster: {len(truth):,} loops, {raster / 60:.1f} minutes on the modelled instrument\n")
    print(ROW.format("sampling", "loops", "minutes", "saved", "error", "correlation", "top 1 % found", "best / best"))
    print("|---" * 8 + "|")
    shown: dict[str, Finding] = {}
    begun, chosen = time.perf_counter(), []
    for name, sampled in samplings(specimen, range(options.seeds)):
        chosen.append(time.perf_counter() - begun)
        findings = [Finding.of(specimen, rows) for rows in sampled]
        tell(name, findings, specimen)
        shown[name] = findings[0]
    print(f"\nplanning took {chosen[0] / options.seeds:.1f} s a campaign on this computer")
    if options.png:
        draw(specimen, shown, options.png)


if __name__ == "__main__":
    main()
