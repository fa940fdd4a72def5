"""Schedules of a jrVAE's KL weight: latent Bayesian optimisation against random search at equal evaluations.

For each seed (of the decoder, the images, the planner and the training alike) the campaign `jrvae-digits` runs with its
own planner and with random search in the same feasible region; beside them constant weights, evenly spread in their
logarithm over the library's bounds, which is what one tunes without schedules. Accuracy and adjusted
Rand index are those of the trial with the best score: nobody optimised them.

The intermediate scores of the random searches then say what the option `hopeless` would have stopped, and wrongly.

    python benchmarks/jrvae_search.py [--seeds 5] [--trials 30] [--constants 15] [--histories FOLDER]

Histories are kept in the folder, so that a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.hopeless import Rule, false_stops, replay
from zbo_orchestrator.model import Array, Score, Trajectory
from zbo_orchestrator.testing import RecordedRun

WATCH = 4
"""Epochs between two intermediate scores."""
TERMS = ("accuracy", "adjusted_rand")


def best(values: Array, terms: dict[str, Array]) -> list[float]:
    """The best score, its accuracy and its adjusted Rand index."""
    row = int(np.nanargmax(values))
    return [float(values[row]), *(float(terms[name][row]) for name in TERMS)]


def searched(name: str, seed: int, trials: int, planner: str, folder: Path) -> Record:
    """The history of one campaign, run now or found."""
    changes = [f"seed={seed}", f"budget={{initial: {min(10, trials)}, total: {trials}}}", f"executor.watch={WATCH}"]
    changes += [f"planner={{use: {planner}}}"] if planner else []
    path = folder / f"{name}-{planner or 'own'}-{seed}"
    conduct(load(name, changes), path, Watcher())
    return Record.read(path)


def constants(campaign: Campaign, count: int) -> list[float]:
    """The best of `count` constant weights."""
    library = campaign.library
    assert library is not None
    lower, upper = np.array(library.bounds).reshape(-1, 2)[0]
    values: list[float] = []
    terms: dict[str, list[float]] = {name: [] for name in TERMS}
    for weight in np.geomspace(lower, upper, count):
        trajectory = Trajectory(np.full((library.steps, 1), weight), library.dt, library.channels)
        measurement = campaign.executor.execute(trajectory, RecordedRun(seed=campaign.seed))
        score = campaign.evaluator.evaluate(trajectory, measurement)
        assert isinstance(score, Score)
        values.append(score.value)
        for name in TERMS:
            terms[name].append(score.terms[name])
    return best(np.array(values), {name: np.array(each) for name, each in terms.items()})


def told(name: str, rows: list[list[float]]) -> str:
    """Mean, standard deviation and extremes over the seeds."""
    columns = np.array(rows).T
    spread = [column.std(ddof=1) if len(column) > 1 else 0.0 for column in columns]
    cells = [
        f"{column.mean():7.3f} ± {deviation:5.3f}  {column.min():6.3f} .. {column.max():6.3f}"
        for column, deviation in zip(columns, spread, strict=True)
    ]
    return f"{name:<28} {'   '.join(cells)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--constants", type=int, default=15)
    parser.add_argument("--campaign", default="jrvae-digits")
    parser.add_argument("--histories", type=Path)
    options = parser.parse_args()
    folder = options.histories or Path(tempfile.mkdtemp(prefix="jrvae-search-"))
    seeds = range(1, options.seeds + 1)
    found: dict[str, list[list[float]]] = {}
    spans, curves, finals, steps = [], [], [], np.empty(0)
    for seed in seeds:
        for label, planner in (("latent Bayesian optimisation", ""), ("random search", "random")):
            record = searched(options.campaign, seed, options.trials, planner, folder)
            found.setdefault(label, []).append(best(record.values, record.terms))
            print(f"seed {seed}  {label:<28} best {found[label][-1][0]:.4f}", flush=True)
        spans.append(float(np.nanmax(record.values) - np.nanmin(record.values)))
        measured = [record.trial(number).measurement for number in range(len(record))]
        curves.append(np.stack([each.arrays["separation"] for each in measured if each is not None]))
        steps = next(each.arrays["separation_step"] for each in measured if each is not None)
        finals.append(record.values)
        if options.constants:
            fixed = constants(load(options.campaign, [f"seed={seed}"]), options.constants)
            found.setdefault(f"{options.constants} constant weights", []).append(fixed)
            print(f"seed {seed}  {'constant weights':<28} best {fixed[0]:.4f}", flush=True)
    print(f"\nBest of {options.trials} trials, {options.seeds} seeds: mean ± deviation, lowest .. highest")
    print(f"{'':<28} {'score':<34}{'accuracy':<34}adjusted Rand index")
    for label, rows in found.items():
        print(told(label, rows))
    ours, random = (np.array(found[label])[:, 0] for label in ("latent Bayesian optimisation", "random search"))
    better, margin = (ours > random).sum(), (ours - random).mean()
    print(f"\nours better than random search in {better} of {len(ours)} seeds, by {margin:.3f} on average")
    print(f"range of the score over {options.trials} random schedules: {np.mean(spans):.3f}")
    print("\nWhat `hopeless` would have stopped in the random searches, all seeds together")
    for rule in (Rule("separation"), Rule("separation", after=0.25), Rule("separation", quantile=0.5)):
        print(f"  {verdict(rule, options.campaign, curves, finals, steps)}")


def verdict(rule: Rule, name: str, curves: list[Array], finals: list[Array], steps: Array) -> str:
    """What a rule saves, and how often it is wrong."""
    goal, of = load(name).goal, int(steps[-1])
    each = [
        false_stops(replay(curve, steps, final, rule, goal), final, of, goal)
        for curve, final in zip(curves, finals, strict=True)
    ]
    trials, stopped, good = (sum(getattr(one, name) for one in each) for name in ("trials", "stopped", "good"))
    saved, best = np.mean([one.saved for one in each]), sum(one.best for one in each)
    return (
        f"quantile {rule.quantile:g}, after {rule.after:g}: stops {stopped} of {trials} trials, saves {saved:.0%} of "
        f"the epochs; {good} of the stopped would have ended in the best quarter ({good / max(stopped, 1):.0%}), "
        f"the best trial is among them in {best} of {len(each)} seeds"
    )


if __name__ == "__main__":
    main()
