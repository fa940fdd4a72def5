"""A bench supply with a runtime folder of its own, and the promise that no process is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_instrument import BenchSupply, Panel, alive, eventually

from zbo_orchestrator.executors.lease import Lease, leases
from zbo_orchestrator.executors.timeouts import Timeouts

QUICK = Timeouts(heartbeat=2.0, ask=0.3, abort=0.3, safe=5.0, terminate=0.5)


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    panel = Panel(tmp_path / "panel.json")
    yield panel
    left = {*panel.pids("drive"), *panel.pids("safe"), *processes(panel)}
    assert eventually(lambda: not any(alive(pid) for pid in left)), f"left behind: {left}"


def processes(panel: Panel) -> list[int]:
    """The guardian and the child that signed last."""
    signed = [Lease(path).pid for path in leases(BenchSupply(str(panel.file)))]
    return [pid for pid in signed if pid is not None]
