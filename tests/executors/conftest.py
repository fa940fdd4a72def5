"""A bench supply with a folder of leases of its own, and the promise that no process is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_instrument import Panel
from bench_processes import processes
from waiting import alive, eventually


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path / "leases"))
    panel = Panel(tmp_path / "panel.json")
    yield panel
    left = {*panel.pids("drive"), *panel.pids("safe"), *processes(panel)}
    assert eventually(lambda: not any(alive(pid) for pid in left)), f"left behind: {left}"
