"""A folder of leases, one of cards and a supply of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv("ZBO_CARDS", str(tmp_path / "cards"))
