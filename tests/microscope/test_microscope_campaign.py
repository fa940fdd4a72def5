"""Hysteresis-loop mapping as a campaign: positions in batches, areas as scores, time; the shipped one as meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import COLUMNS, ROWS, areas, film

from zbo_microscope.executor import MicroscopeExecutor
from zbo_orchestrator.campaign import Campaign, load, rebuild
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ExecutionError, Measurement, Run, Trajectory


def mapping(folder: Path) -> Campaign:
    """5 positions, then 3 batches of 5, on all 54 points of the film."""
    return rebuild(
        {
            "name": "film",
            "budget": {"initial": 5, "total": 20},
            "decoder": {
                "use": "identity",
                "channels": [{"name": "x", "unit": "um"}, {"name": "y", "unit": "um"}],
                "lower": [0, 0],
                "upper": [4, 2],
            },
            "atlas": {"grid": [COLUMNS, ROWS]},
            "envelope": {"channels": {"x": {"lower": 0, "upper": 4}, "y": {"lower": 0, "upper": 2}}},
            "planner": {"use": "bayesian", "distance": "length-scale", "refine": 0, "patience": 0},
            "executor": {
                "use": "microscope",
                "scan": {"use": "file", "path": str(film(folder).path), "size": [4, 2], "unit": "um"},
            },
            "evaluator": {"use": "loop-area"},
            "width": 5,
            "batches": True,
        }
    )


def test_a_map_is_made_batch_by_batch_and_each_batch_is_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    inner = MicroscopeExecutor.execute_many

    def counted(
        self: MicroscopeExecutor, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        calls.append(len(trajectories))
        return inner(self, trajectories, runs)

    monkeypatch.setattr(MicroscopeExecutor, "execute_many", counted)
    conduct(mapping(tmp_path), tmp_path / "history", Watcher())
    record = Record.read(tmp_path / "history")
    assert calls == [plan.size for plan in record.plans] == [5, 5, 5, 5]
    trials = list(record.trials())
    place = np.rint([trial.proposal.z / [0.5, 0.4] for trial in trials]).astype(int)
    assert len({tuple(pixel) for pixel in place}) == 20
    assert [trial.value for trial in trials] == pytest.approx(areas()[place[:, 1], place[:, 0]], rel=1e-3)
    assert max(trial.value for trial in trials) == pytest.approx(areas().max(), rel=1e-3)
    spent = sum(float(trial.measurement.arrays["seconds"]) for trial in trials if trial.measurement)
    assert spent == pytest.approx(20 * 2.35)


def test_a_changed_file_is_another_campaign(tmp_path: Path) -> None:
    before: dict[str, Any] = dict(mapping(tmp_path).identity)
    with np.load(tmp_path / "film.npz") as held:
        arrays = dict(held)
    campaign = mapping(tmp_path)
    assert campaign.identity == before
    np.savez(tmp_path / "film.npz", bias=arrays["bias"], response=2 * arrays["response"])
    assert rebuild(campaign.document).identity != before


def test_the_shipped_campaign_measures_410_of_every_second_point_in_batches_of_10() -> None:
    pytest.importorskip("mexpsimu", reason="comes with the extra zbo-orchestrator[microscope]")
    campaign = load("hysteresis-area")
    assert (campaign.budget.initial, campaign.budget.total, campaign.width, campaign.batches) == (10, 410, 10, True)
    space = campaign.chart(campaign.recipe.learn(None, 0, lambda *_, **__: None))
    assert space.feasible.sum() == 2500
    scan = campaign.executor.inner.recorded  # type: ignore[attr-defined]
    pixels = {scan.pixel(x, y) for x, y in space.candidates}
    assert pixels == {(row, column) for row in range(0, 100, 2) for column in range(0, 100, 2)}
    positions = np.array([scan.position(*scan.pixel(x, y)) for x, y in space.candidates])
    assert np.allclose(positions, space.candidates)
