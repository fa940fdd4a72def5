"""The drill without Prefect: whatever fails, the output is off, the trial recorded, the campaign goes on or waits."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from drill_campaign import Drill
from drill_cases import FATAL, PASSING, fatal_fault, passing_fault, stranger
from drill_hits import HITS, hit, stopped

from zbo_scpi.simulator import FAULTS

WAY = "direct"
QUICK = {"drop", "ignore-abort", "child killed", "campaign killed"}
"""One for each layer: the connection, the instrument, the child, the campaign; `make test` runs these."""


def marked(names: Iterable[str]) -> list[object]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.drill) for name in names]


def test_every_fault_of_the_simulator_is_drilled() -> None:
    assert set(FAULTS) == {*PASSING, "ignore-abort", "wrong-identity"}


@pytest.mark.parametrize("fault", marked(PASSING))
def test_a_passing_fault(fault: str, drill: Drill) -> None:
    passing_fault(fault, drill)


@pytest.mark.parametrize("fault", marked(FATAL))
def test_a_fatal_fault(fault: str, drill: Drill) -> None:
    fatal_fault(fault, drill)


@pytest.mark.drill
def test_another_instrument(drill: Drill) -> None:
    stranger(drill)


@pytest.mark.parametrize("name", marked(HITS))
def test_a_process_hit(name: str, drill: Drill) -> None:
    hit(name, drill)


@pytest.mark.drill
def test_a_process_stopped_and_resumed(drill: Drill) -> None:
    stopped(drill)
