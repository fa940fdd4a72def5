"""Every animal of the zoo breaks the promise that it says it breaks, and no other; the tame one breaks none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from menagerie import bump

from zbo_orchestrator.model import ExecutionError, Trajectory
from zbo_orchestrator.testing import ExecutorContract, InstrumentContract, instrument_promises, promises
from zbo_orchestrator.testing.promises import Broken, Untestable
from zbo_orchestrator.testing.tame import Tame
from zbo_orchestrator.testing.zoo import ANIMALS, Leaks

AFTER_A_TRIAL = (
    promises.measures_numbers,
    promises.keeps_its_shape,
    promises.repeats,
    promises.survives_pickling,
    promises.obeys_a_stop,
    promises.leaves_nothing,
    instrument_promises.bears_any_order,
    instrument_promises.ends_aborted,
    instrument_promises.is_safe_once_stopped,
    instrument_promises.pickles_unconnected,
    instrument_promises.runs_one_trial_at_a_time,
)
WITHOUT_ONE = (
    instrument_promises.describes,
    instrument_promises.checks,
    instrument_promises.is_safe_unasked,
    instrument_promises.tells_its_health,
)
FATAL_HERE = {"Hangs", "Late", "Dies"}
"""What takes this process with it, or for ever."""


class Mute(Tame):
    def _report(self, *_: object, **__: object) -> None:
        """Says nothing."""


class Lax(Tame):
    def check(self, trajectory: Trajectory) -> None:
        if abs(trajectory.values).max() > 5:
            super().check(trajectory)


class Moves(Tame):
    def check(self, trajectory: Trajectory) -> None:
        self._switch(on=True)
        super().check(trajectory)


class StaysOn(Tame):
    def _switch(self, *, on: bool) -> None:
        super()._switch(on=on or self.trials > 0)

    def safe_state(self) -> Mapping[str, float]:
        self.trials = 0
        return super().safe_state()


class TestTame(ExecutorContract, InstrumentContract):
    @pytest.fixture(autouse=True)
    def _panel(self, tmp_path: Path) -> None:
        self.panel = str(tmp_path / "panel")

    def make(self) -> Tame:
        return Tame(self.panel, dwell=0.001)

    def trajectory(self) -> Trajectory:
        return bump()


@pytest.mark.parametrize("name", sorted({*ANIMALS} - FATAL_HERE))
def test_an_animal_breaks_its_promise_and_no_other(name: str, tmp_path: Path) -> None:
    animal, broken = ANIMALS[name], set()
    for promise in (promises.measures, *WITHOUT_ONE, *(AFTER_A_TRIAL if animal.breaks != "measures" else ())):
        try:
            promise(animal(str(tmp_path / "panel"), dwell=0.001), bump())
        except Untestable:
            continue
        except (Broken, ExecutionError, ZeroDivisionError):
            broken.add(promise.__name__)
    assert broken == {animal.breaks}


@pytest.mark.parametrize(("what", "said"), [("files", "4 files"), ("threads", "4 threads"), ("memory", r"\d{7} bytes")])
def test_what_leaks_is_told(what: str, said: str, tmp_path: Path) -> None:
    leaking = Leaks(str(tmp_path / "panel"), dwell=0.001, what=what)  # type: ignore[arg-type]
    with pytest.raises(Broken, match=rf"^4 trials left {said} behind$"):
        promises.leaves_nothing(leaking, bump())


def test_what_cannot_be_tested_is_skipped_with_its_reason(tmp_path: Path) -> None:
    for promise in (
        promises.obeys_a_stop,
        instrument_promises.ends_aborted,
        instrument_promises.runs_one_trial_at_a_time,
    ):
        with pytest.raises(Untestable, match="it report"):
            promise(Mute(str(tmp_path / "panel")), bump())


def test_a_check_that_lets_a_limit_pass_or_moves_something_is_told(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"^check passed a trajectory beyond bias.slew$"):
        instrument_promises.checks(Lax(str(tmp_path / "panel")), bump())
    with pytest.raises(Broken, match=r"^it reads output 1; wanted output 0$"):
        instrument_promises.checks(Moves(str(tmp_path / "panel")), bump())


def test_a_stop_that_leaves_the_output_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"^it reads output 1; wanted output 0$"):
        instrument_promises.is_safe_once_stopped(StaysOn(str(tmp_path / "panel"), dwell=0.001), bump())
