"""The comparison as a flow, against a real server: equal to the bare one, its trainings are tasks."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from zbo_orchestrator.campaign import load
from zbo_orchestrator.comparison import Audience, Wish, compare, prepare, read
from zbo_orchestrator.conduct import Watcher, conduct

pytestmark = pytest.mark.prefect
sys.path.append(str(Path(__file__).parents[1] / "comparison"))

from arena import duel  # noqa: E402 (lives beside the other tests of comparisons)


@pytest.mark.parametrize("trainer", ["Trainer", "Trainers"])
def test_the_flow_comes_to_the_same_and_shows_its_trainings(api: str, tmp_path: Path, trainer: str) -> None:
    from zbo_flows.final_training import final_training  # noqa: PLC0415 (Prefect reads its settings when imported)

    name = f"duel-{trainer.lower()}"
    file = duel(tmp_path, name=name, executor={"use": f"arena:{trainer}"})
    campaign, history = load(file, allow_code=True), tmp_path / name
    conduct(campaign, history, Watcher())
    facts = final_training(str(history), seeds=2, schedules=["best", "constant 3"], allow_code=True)
    assert "the found schedule beats constant 3" in facts["verdict"]
    flowed = read(history, partial=True)
    (tmp_path / f"{name}.final").rename(tmp_path / "aside")
    bare = compare(prepare(campaign, history, Wish(2, schedules=("best", "constant 3"))), Audience())
    assert flowed is not None
    assert np.array_equal(flowed.last.values, bare.last.values)
    wanted = {"artifacts": {"key": {"like_": f"{name}-comparison"}}}
    (artifact,) = httpx.post(f"{api}/artifacts/latest/filter", json=wanted).json()
    assert "| constant 3 |" in artifact["data"]
    names = [run["name"] for run in httpx.post(f"{api}/task_runs/filter", json={}).json()]
    first = f"best found, seed {bare.seeds[0]}"
    last = f" to constant 3, seed {bare.seeds[1]}" if trainer == "Trainers" else ""
    assert names.count(f"execute {first}{last}") == 2, "one at each size"
