"""The drill through Prefect: the same faults and hits, and those that Prefect adds."""

from __future__ import annotations

import pytest
from drill_campaign import Drill
from drill_cases import FATAL, PASSING, fatal_fault, passing_fault, stranger
from drill_hits import HITS, hit, stopped

WAY = "Prefect"
OWN = ["cancelled", "cancelled_through_its_runner", "runner_killed", "runner_killed_then_cancelled"]
pytestmark = [pytest.mark.drill, pytest.mark.prefect]


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault(fault: str, drill: Drill) -> None:
    passing_fault(fault, drill)


@pytest.mark.parametrize("fault", FATAL)
def test_a_fatal_fault(fault: str, drill: Drill) -> None:
    fatal_fault(fault, drill)


def test_another_instrument(drill: Drill) -> None:
    stranger(drill)


@pytest.mark.parametrize("name", HITS)
def test_a_process_hit(name: str, drill: Drill) -> None:
    hit(name, drill)


def test_a_process_stopped_and_resumed(drill: Drill) -> None:
    stopped(drill)


@pytest.mark.parametrize("case", OWN)
def test_what_prefect_adds(case: str, drill: Drill) -> None:
    import drill_prefect  # noqa: PLC0415 (Prefect reads its settings when imported)

    getattr(drill_prefect, case)(drill)
