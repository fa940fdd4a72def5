"""A campaign ends as whoever watches it does: interrupted, its trials run again; stopped, they have ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import DIRECT, written

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import History, Record
from zbo_orchestrator.model import Status, Stopped, Trial


class Ending(Watcher):
    """Raises an error when the first trial has been recorded."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def recorded(self, history: History, trial: Trial) -> None:
        raise self._error


@pytest.fixture
def two(tmp_path: Path) -> Callable[[], Campaign]:
    """A campaign with two trials in flight."""
    file = written(tmp_path, DIRECT, width=2, executor={"use": "lab:Uneven"})
    return lambda: load(file, allow_code=True)


@pytest.mark.parametrize(
    ("error", "other"),
    [
        (KeyboardInterrupt(), Status.PROPOSED),
        (OSError("the screen is gone"), Status.PROPOSED),
        (Stopped("the flow run was cancelled"), Status.STOPPED),
    ],
    ids=["interrupted", "broken", "stopped"],
)
def test_trials_under_way_are_left_or_ended_as_the_error_says(
    two: Callable[[], Campaign], tmp_path: Path, error: BaseException, other: Status
) -> None:
    path = tmp_path / "history"
    with pytest.raises(type(error)):
        conduct(two(), path, Ending(error), workers="threads")
    assert Record.read(path).status.tolist()[:2] == [Status.SCORED, other]
    conduct(two(), path, Watcher(), workers="threads")
    assert Record.read(path).state == "finished"
