"""Supplies of the zoo's kind that no guard can do anything about; small enough to be found by a guardian."""

from __future__ import annotations

from dataclasses import dataclass, replace

from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import FatalError
from zbo_orchestrator.testing.tame import Tame
from zbo_orchestrator.testing.zoo import Raises


@dataclass
class Real(Tame):
    """One that is not simulated."""

    def describe(self) -> Description:
        return replace(super().describe(), identity="ACME,Supply,17", simulated=False)


@dataclass
class Welded(Tame):
    """Cannot be switched off once it was on."""

    def safe_state(self) -> dict[str, float]:
        if self._output:
            raise FatalError("the relay is welded")
        return {"output": 0.0}

    def _switch(self, *, on: bool) -> None:
        super()._switch(on=on or bool(self._output))


class Lies(Raises):
    """Says that it is off, without having switched anything."""

    def safe_state(self) -> dict[str, float]:
        return {"output": 0.0}
