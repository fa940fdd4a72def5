"""What people did and what sentinels showed, on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import DIRECT, written
from oversight_lab import Person

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record, Request
from zbo_orchestrator.report import write
from zbo_orchestrator.report.attended import said, watched


@pytest.fixture(scope="module")
def attended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten trials of an apparatus that drifts by 1 a trial; a person resumes it after each pause, and vetoes once."""
    folder = tmp_path_factory.mktemp("attended")
    file = written(
        folder,
        DIRECT,
        executor={"use": "oversight_lab:Drifting", "folder": str(folder)},
        sentinels={"every": 2, "limit": 4.0},
        budget={"initial": 4, "total": 10},
    )
    person = Person(
        {1: [Request("veto", "<b>no</b>", "anna")]}, ([Request("resume", "recalibrated", "bo")] for _ in range(9))
    )
    conduct(load(file, allow_code=True), folder / "history", person)
    return folder / "history"


def test_sentinels_are_held_against_the_reference_of_their_time(attended: Path) -> None:
    watch = watched(Record.read(attended))
    assert watch is not None
    assert watch.trials.tolist() == [0, 3, 6, 9]
    assert watch.references.tolist() == [0, 0, 0, 6]
    assert watch.beyond.tolist() == [False, False, True, False]


def test_what_people_did_is_told_in_time(attended: Path) -> None:
    told = [(each.what, each.words) for each in said(Record.read(attended))]
    assert told == [
        ("veto", "trial 2: anna: <b>no</b>"),
        ("pause", "the sentinel reads 6 where it read 0: a drift of +6, beyond 4"),
        ("resume", "bo: recalibrated"),
    ]


def test_the_page_shows_both_and_escapes_what_people_wrote(attended: Path, tmp_path: Path) -> None:
    html = write(attended, tmp_path / "page.html").read_text()
    assert "Who had a say" in html
    assert "<b>no</b>" not in html
    assert '<figure id="drift"' in html


def test_a_campaign_nobody_touched_says_nothing_of_people(tmp_path: Path) -> None:
    conduct(load(written(tmp_path, DIRECT), allow_code=True), tmp_path / "history", Watcher())
    assert "Who had a say" not in write(tmp_path / "history", tmp_path / "page.html").read_text()
