"""The supply that the supervision is tested with keeps what an executor and an instrument promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_instrument import BenchSupply, Panel, wave

from zbo_orchestrator.model import Trajectory
from zbo_orchestrator.testing import ExecutorContract, InstrumentContract


class TestBenchSupply(ExecutorContract, InstrumentContract):
    @pytest.fixture(autouse=True)
    def _bench(self, tmp_path: Path) -> None:
        self.panel = Panel(tmp_path / "panel.json")

    def make(self) -> BenchSupply:
        return BenchSupply(str(self.panel.file), dwell=0.001)

    def trajectory(self) -> Trajectory:
        return wave(steps=5)
