"""A flow whose trials run on a Dask cluster: Prefect sees each of them, and the history replays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Status

pytestmark = [pytest.mark.prefect, pytest.mark.long]


def test_trials_on_a_cluster_are_task_runs_of_the_flow(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415 (Prefect reads its settings when imported)

    file, path = campaign_file(travels=True).rename(tmp_path / "away.yaml"), tmp_path / "away"
    run_campaign(str(file), str(path), trials=6, width=2, workers="dask")
    assert Record.read(path).status.tolist() == [Status.SCORED] * 6
    (run,) = httpx.post(f"{api}/flow_runs/filter", json={"flow_runs": {"name": {"any_": ["away"]}}}).json()
    wanted = {"task_runs": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 200}
    names = [task["name"] for task in httpx.post(f"{api}/task_runs/filter", json=wanted).json()]
    assert sorted(name for name in names if name.startswith("execute")) == [f"execute {n}" for n in range(6)]
    command = [sys.executable, "-m", "zbo_orchestrator.cli", "verify", "--replay", str(path)]
    replayed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
