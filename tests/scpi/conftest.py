"""Simulated instruments on free ports, closed again whatever the test came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from scpi_wire import Wire, feels

from zbo_scpi.simulator import Behaviour, Generator, Ratings, Simulator

Start = Callable[..., Simulator]


@pytest.fixture
def start() -> Iterator[Start]:
    """start(specimen=..., faults=(...), pace=...): a simulator, given options of its ratings and its behaviour."""
    with ExitStack() as stack:

        def begin(**options: Any) -> Simulator:
            specimen = options.pop("specimen", feels)
            ratings = {name: options.pop(name) for name in ("outputs", "pace", "noise", "points") if name in options}
            generator = Generator(specimen, Ratings(**ratings))
            return stack.enter_context(Simulator(generator, Behaviour(**options), port=0))

        yield begin


@pytest.fixture
def wire(start: Start) -> Iterator[Callable[[Simulator], Wire]]:
    """wire(simulator): a bare client."""
    with ExitStack() as stack:
        yield lambda simulator: stack.enter_context(Wire(simulator.address))
