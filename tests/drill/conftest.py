"""A simulated instrument for each drill, and the table of what became of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from drill_bench import Bench
from drill_campaign import Drill
from drill_processes import MARK, ended


@pytest.fixture
def drill(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drill]:
    """One the way that the test's module says; at its end the instrument has to be safe and no process left."""
    way, mark = request.module.WAY, uuid.uuid4().hex[:12]
    if way == "Prefect":
        request.getfixturevalue("api")
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv(MARK, mark)

    def tell(fault: str, *rest: str) -> None:
        request.node.user_properties.append(("drill", [fault, way, *rest]))

    with Bench() as bench, ended(mark):
        drill = Drill(way, bench, tmp_path, mark, tell)
        yield drill
        drill.leaves_nothing()
        assert bench.safe, "the instrument was not left in its safe state"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    rows = [
        [*map(str, row), report.outcome]
        for report in reports
        for name, row in report.user_properties
        if name == "drill" and report.when == "call"
    ]
    if not rows:
        return
    heading = ["fault", "run", "trial", "output off", "the campaign", "drill"]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    terminalreporter.section("drill")
    for row in [heading, *sorted(rows, key=lambda row: row[1].lower())]:
        terminalreporter.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
