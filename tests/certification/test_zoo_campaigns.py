"""Every animal of the zoo in a campaign: what becomes of its trials, and of the output of its supply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from menagerie import campaign

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ConfigurationError, Status
from zbo_orchestrator.testing.zoo import ANIMALS

SLOW = {"executor": {"dwell": 30.0}}
"""A trial that outlasts its time-out."""
TIMED = {"timeouts": {"trial": 1.0}}
HEARD = {"timeouts": {"trial": 1.0, "abort": 2.0}}
"""It answers its abort."""
ENDS: dict[str, tuple[dict[str, Any], list[Status], str]] = {
    "Raises": ({}, [Status.FAILED, Status.FAILED], "the sample is loose; safe state read back output=0"),
    "Hangs": (TIMED, [Status.FAILED, Status.FAILED], "time-out: .* aborted, no answer .*output=0"),
    "Late": (HEARD, [Status.FAILED, Status.FAILED], "time-out: .* aborted, ended"),
    "MeasuresNan": ({}, [Status.FAILED, Status.FAILED], "the score is nan; wanted a finite number"),
    "WrongShape": ({}, [Status.SCORED, Status.FAILED], "level"),
    "IgnoresAbort": ({**TIMED, **SLOW}, [Status.FAILED, Status.FAILED], "aborted, no answer .*terminated"),
    "Dies": ({}, [Status.TRANSIENT, Status.TRANSIENT], "exit code 3; safe state read back output=0"),
    "Leaks": ({}, [Status.SCORED, Status.SCORED], ""),
    "StartsTwice": ({}, [Status.SCORED, Status.SCORED], ""),
    "SwallowsStop": ({**TIMED, **SLOW}, [Status.FAILED, Status.FAILED], "asked to stop, no answer"),
}
QUICKLY = {"Hangs", "Dies"}


def sections(options: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(section) for name, section in options.items()}


def test_every_animal_is_here() -> None:
    assert {*ENDS, "RaisesAlien"} == set(ANIMALS)


@pytest.mark.parametrize(
    "animal", [name if name in QUICKLY else pytest.param(name, marks=pytest.mark.long) for name in ENDS]
)
def test_an_animals_trials_end_as_what_they_were_and_its_output_is_off(animal: str, tmp_path: Path) -> None:
    options, statuses, said = ENDS[animal]
    conduct(load(campaign(tmp_path, animal, **sections(options)), allow_code=True), tmp_path / "history", Watcher())
    record = Record.read(tmp_path / "history")
    assert list(record.status) == statuses
    assert (tmp_path / "panel").read_text() == "0"
    if said:
        with pytest.raises(Exception, match=said):
            raise record.trial(1).outcome  # type: ignore[misc]


def test_a_bug_stops_the_campaign_with_the_output_off(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug in the driver"):
        conduct(load(campaign(tmp_path, "RaisesAlien"), allow_code=True), tmp_path / "history", Watcher())
    assert (tmp_path / "panel").read_text() == "0"
    assert Status.SCORED not in Record.read(tmp_path / "history").status


def test_two_trials_at_once_are_refused_before_anything_is_driven(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="width is 2; wanted 1"):
        conduct(load(campaign(tmp_path, "StartsTwice", width=2), allow_code=True), tmp_path / "history", Watcher())
    assert not (tmp_path / "panel").exists()
