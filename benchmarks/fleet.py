"""A simulated study: 1, 8, 64 and 512 workers around the real planner and its single writer.

    python -m benchmarks.fleet [--quick] [--seeds 5] [--minutes 1] [--spread 0.5] [--commit SECONDS]

No processes: events in simulated time. Trials last as a log-normal law says: its median in minutes, the standard
deviation of its logarithm. The writer does one thing at a time, as the loop does: it commits each trial that ended,
then plans for all of them at once, knowing what is pending. What a plan takes is measured as it happens (processor time
of one thread, so that other work on the machine is left out), what a commit takes once at the start. The best value is
known: regret is the best less the best found. The initial design has as many points as there are workers, 20 at least;
a run ends some plans after it (`PLANS`), Sobol's and the random one's when the planner's did. A row is the mean over
seeds of planner and trials' times, which all planners share, with the standard error of the last regret.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.history import run as recorded
from benchmarks.planner import grid, rough
from zbo_orchestrator.model import Array, Budget, Evidence, Plan, Planner, Space, Status
from zbo_orchestrator.planners.agent import Agent
from zbo_orchestrator.planners.baselines import Random, Sobol

PLANS = {1: 60, 8: 100, 64: 250, 512: 120}
"""Plans after the initial design, by workers."""
MOMENTS = (1, 2, 5, 10, 30)
"""Minutes at which the regret is told."""


@dataclass(frozen=True)
class Study:
    """What is the same for every run: where to look, how long trials and commits take."""

    space: Space
    best: float
    minutes: float
    spread: float
    commit: float


@dataclass
class Fleet:
    """One campaign in simulated seconds: workers, the writer's clock, and what is known."""

    study: Study
    planner: Planner
    workers: int
    evidence: Evidence
    rng: np.random.Generator
    clock: float = 0.0
    busy: float = 0.0
    planning: float = 0.0
    plans: int = 0
    running: list[tuple[float, int, tuple[float, ...]]] = field(default_factory=list)
    scores: list[tuple[float, float]] = field(default_factory=list)

    def simulate(self, plans: float, until: float) -> None:
        """So many plans after the initial design, or until so many seconds."""
        self._plan(self.workers)
        while self.plans < plans and self.clock < until:
            ended = 0
            while not ended or (self.running and self.running[0][0] <= self.clock):
                moment, _, z = heapq.heappop(self.running)
                self.clock = max(self.clock, moment) + self.study.commit
                self._record(moment, np.array(z))
                ended += 1
            self._plan(ended)

    def _plan(self, n: int) -> None:
        begin = time.process_time()
        plan = self.planner.plan(self.evidence, n)
        taken = time.process_time() - begin
        assert isinstance(plan, Plan)
        self.clock += taken
        self.planning += taken
        self.plans += self.evidence.proposed >= self.evidence.budget.initial
        pending, proposed = np.concatenate([self.evidence.pending, plan.z]), self.evidence.proposed
        for number, z in enumerate(plan.z):
            seconds = 60 * self.study.minutes * float(np.exp(self.study.spread * self.rng.standard_normal()))
            heapq.heappush(self.running, (self.clock + seconds, proposed + number, tuple(z)))
            self.busy += seconds
        self.evidence = replace(
            self.evidence, pending=pending, proposed=proposed + len(plan.z), memory=dict(plan.memory)
        )

    def _record(self, moment: float, z: Array) -> None:
        known, score = self.evidence, float(rough(z[None])[0])
        self.scores.append((moment, score))
        at = int(np.flatnonzero((known.pending == z).all(axis=1))[0])
        self.evidence = replace(
            known,
            z=np.concatenate([known.z, z[None]]),
            y=np.append(known.y, score),
            noise=np.append(known.noise, np.nan),
            status=np.append(known.status, Status.SCORED),
            pending=np.delete(known.pending, at, axis=0),
        )

    def utilisation(self) -> float:
        """Share of the workers' time in which a trial ran."""
        ahead = sum(max(0.0, end - self.clock) for end, _, _ in self.running)
        return (self.busy - ahead) / (self.workers * self.clock)

    def regret(self, until: float) -> float:
        """NaN where the run is over by then, or nothing has ended."""
        found = [score for moment, score in self.scores if moment <= until]
        return self.study.best - max(found) if found and until <= self.clock else np.nan


def row(label: str, fleets: list[Fleet]) -> str:
    """Workers, planner, trials, minutes, shares, regret at the moments and at the end: means over seeds."""

    def mean(of: Callable[[Fleet], float]) -> float:
        return float(np.mean([of(fleet) for fleet in fleets]))

    moments = [mean(lambda fleet, at=60.0 * minute: fleet.regret(at)) for minute in MOMENTS]  # type: ignore[misc]
    last = np.array([fleet.regret(fleet.clock) for fleet in fleets])
    error = f" ± {last.std(ddof=1) / np.sqrt(len(last)):.3f}" if len(last) > 1 else ""
    cells = [
        f"{fleets[0].workers}",
        label,
        f"{mean(lambda fleet: len(fleet.scores)):,.0f}",
        f"{mean(lambda fleet: fleet.clock / 60):.1f}",
        f"{mean(Fleet.utilisation):.0%}",
        f"{mean(lambda fleet: fleet.planning / fleet.plans):.3f}",
        f"{mean(lambda fleet: fleet.planning / fleet.clock):.0%}",
        *("-" if np.isnan(moment) else f"{moment:.3f}" for moment in moments),
        f"{last.mean():.3f}{error}",
    ]
    return f"| {' | '.join(cells)} |"


def study(options: argparse.Namespace) -> Study:
    """The ridges of `benchmarks.planner`, certified everywhere; its best value from a grid forty times as fine."""
    space = replace(grid(100), certify=lambda z: np.ones((len(z), 1)))
    axis = np.linspace(-2.0, 3.0, 4001)
    best = max(float(rough(np.stack([np.full(4001, x), axis], axis=1)).max()) for x in axis)
    return Study(space, best, options.minutes, options.spread, options.commit or commit_seconds())


def commit_seconds() -> float:
    """What one commit of a record and a plan with its maps takes here: the median of some."""
    with tempfile.TemporaryDirectory() as folder:
        return float(np.median(recorded(Path(folder) / "history", 24, "process")[0]))


def simulated(
    study: Study,
    planner: Planner,
    workers: int,
    *,
    seed: int,
    plans: float = float("inf"),
    until: float = float("inf"),
) -> Fleet:
    none, points = np.empty(0), np.empty((0, 2))
    budget = Budget(initial=max(20, workers), total=10**6)
    start = Evidence(study.space, points, none, none, none, points, 0, budget=budget)
    fleet = Fleet(study, planner, workers, start, np.random.default_rng([workers, seed]))
    fleet.simulate(plans, until)
    return fleet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 64 workers, a tenth of the plans, two seeds")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each row")
    parser.add_argument("--minutes", type=float, default=1.0, help="a trial's median")
    parser.add_argument("--spread", type=float, default=0.5, help="standard deviation of the logarithm of its time")
    parser.add_argument("--commit", type=float, help="seconds; measured where not given")
    options = parser.parse_args()
    common = study(options)
    print(
        f"trials of {common.minutes:g} min (median, spread {common.spread:g}), a commit {1e3 * common.commit:.0f} ms, "
        f"best value {common.best:.4f}\n"
    )
    print("| workers | planner | trials | minutes | utilisation | s a plan | planning | regret after ", end="")
    print(" | ".join(f"{minute} min" for minute in MOMENTS) + " | end |")
    print("|---" * (8 + len(MOMENTS)) + "|")
    for workers in list(PLANS)[: 3 if options.quick else None]:
        plans = PLANS[workers] // (10 if options.quick else 1)
        runs: dict[str, list[Fleet]] = {"bayesian": [], "sobol": [], "random": []}
        for seed in range(2 if options.quick else options.seeds):
            ours = simulated(common, Agent(patience=0, seed=seed), workers, seed=seed, plans=plans)
            runs["bayesian"].append(ours)
            for label, planner in (("sobol", Sobol(seed=seed)), ("random", Random(seed=seed))):
                runs[label].append(simulated(common, planner, workers, seed=seed, until=ours.clock))
        print("\n".join(row(label, fleets) for label, fleets in runs.items()), flush=True)


if __name__ == "__main__":
    main()
