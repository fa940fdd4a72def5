"""What a trial costs beside its executor: the loop and its history alone, and through Prefect; planner excluded.

python benchmarks/orchestration.py [--trials 60]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from zbo_flows.server import server
from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import History
from zbo_orchestrator.model import Trial

CAMPAIGN = """
name: overhead
seed: 1
budget: {initial: 1000, total: 1000}
library:
  {steps: 900, dt: 0.0033, channels: [{name: field}], bounds: [-1, 1], families: [{use: modulated-sine, count: 500}]}
decoder: {use: linear}
envelope: {channels: {field: {lower: -2, upper: 2}}}
planner: {use: sobol}
executor: {use: ferrosim}
evaluator: {use: total-curl}
"""


class Clock(Watcher):
    """Notes when each trial was recorded."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def recorded(self, history: History, trial: Trial) -> None:
        self.ticks.append(time.perf_counter())

    @property
    def each(self) -> np.ndarray:
        return np.diff(self.ticks) * 1e3


def executing(file: Path, repeats: int = 20) -> float:
    """Milliseconds that decode, execute and evaluate take by themselves."""
    from zbo_orchestrator.testing import RecordedRun

    campaign = load(file)
    charter = campaign.charter()
    decoder = campaign.recipe.restore(charter.decoder)
    points = charter.space.candidates[charter.space.feasible][: repeats + 1]
    times = []
    for z in points:
        start = time.perf_counter()
        trajectory = decoder.decode(z[None])[0]
        campaign.evaluator.evaluate(trajectory, campaign.executor.execute(trajectory, RecordedRun()))
        times.append((time.perf_counter() - start) * 1e3)
    return float(np.median(times[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZBO_HOME"] = folder
        file = Path(folder) / "overhead.yaml"
        file.write_text(CAMPAIGN)
        work = executing(file)
        bare, observed = Clock(), Clock()
        conduct(load(file).with_budget(options.trials), Path(folder) / "bare", bare)
        with server() as running:
            running.wait()
            from zbo_flows.audience import AUDIENCE
            from zbo_flows.campaign import drain, run_campaign

            AUDIENCE.set(observed)
            run_campaign(str(file), str(Path(folder) / "flow"), trials=options.trials)
            drain()
    print("| a trial | median ms | mean ms | share of the 200 ms allowed |\n|---|---|---|---|")
    print(f"| decode + execute + evaluate alone | {work:.0f} | | |")
    for name, clock in (("loop + history, beyond that", bare), ("Prefect flow + history, beyond that", observed)):
        median, mean = np.median(clock.each) - work, clock.each.mean() - work
        print(f"| {name} | {median:.0f} | {mean:.0f} | {mean / 200:.2f} |")


if __name__ == "__main__":
    main()
