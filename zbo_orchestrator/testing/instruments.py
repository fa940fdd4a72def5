"""The contract of instruments: of executors that may say what they are, refuse, stop, and be made safe."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from zbo_orchestrator.instrument import Connected
from zbo_orchestrator.model import Executor, Trajectory
from zbo_orchestrator.testing import instrument_promises as promises
from zbo_orchestrator.testing.promises import Seen


class InstrumentContract:
    """What every instrument promises, beside what it promises as an executor; what it lacks is skipped."""

    @abstractmethod
    def make(self) -> Executor:
        """One that is not connected."""

    @abstractmethod
    def trajectory(self) -> Trajectory:
        """A single trajectory, within its limits, that the instrument can run quickly."""

    def keeps(self, promise: Callable[[Any, Trajectory], Seen]) -> None:
        instrument = self.make()
        try:
            promise(instrument, self.trajectory())
        finally:
            if isinstance(instrument, Connected):
                instrument.close()

    def test_describes_itself_with_the_trajectorys_channels(self) -> None:
        self.keeps(promises.describes)

    def test_checks_without_moving_and_refuses_what_its_description_forbids(self) -> None:
        self.keeps(promises.checks)

    def test_bears_its_calls_repeated_in_any_order(self) -> None:
        self.keeps(promises.bears_any_order)

    def test_is_made_safe_unconnected_and_reads_it_back(self) -> None:
        self.keeps(promises.is_safe_unasked)

    def test_ends_by_stopped_when_aborted_from_another_thread(self) -> None:
        self.keeps(promises.ends_aborted)

    def test_is_safe_after_a_stop_at_the_first_report(self) -> None:
        self.keeps(promises.is_safe_once_stopped)

    def test_its_copy_is_not_connected(self) -> None:
        self.keeps(promises.pickles_unconnected)

    def test_runs_one_trial_at_a_time(self) -> None:
        self.keeps(promises.runs_one_trial_at_a_time)

    def test_tells_its_health_in_numbers(self) -> None:
        self.keeps(promises.tells_its_health)
