"""The contract of executors."""

from __future__ import annotations

from abc import abstractmethod

from zbo_orchestrator.model import BatchExecutor, Executor, Measurement, Trajectory
from zbo_orchestrator.testing import promises
from zbo_orchestrator.testing.runs import RecordedRun, same


class ExecutorContract:
    """What every executor promises."""

    @abstractmethod
    def make(self) -> Executor: ...

    @abstractmethod
    def trajectory(self) -> Trajectory:
        """A single trajectory that the executor can run, quickly."""

    def test_returns_a_measurement_and_says_whether_it_may_repeat(self) -> None:
        promises.measures(self.make(), self.trajectory())

    def test_measures_numbers(self) -> None:
        promises.measures_numbers(self.make(), self.trajectory())

    def test_survives_pickling(self) -> None:
        promises.survives_pickling(self.make(), self.trajectory())

    def test_same_seed_same_measurement_where_repeatable(self) -> None:
        promises.repeats(self.make(), self.trajectory())

    def test_every_run_has_the_shape_of_the_first(self) -> None:
        promises.keeps_its_shape(self.make(), self.trajectory())

    def test_a_stop_is_not_swallowed(self) -> None:
        promises.obeys_a_stop(self.make(), self.trajectory())

    def test_a_trial_leaves_nothing_behind(self) -> None:
        promises.leaves_nothing(self.make(), self.trajectory())

    def test_a_batch_equals_its_members(self) -> None:
        executor = self.make()
        if isinstance(executor, BatchExecutor):
            runs = [RecordedRun(number=n, seed=3) for n in range(3)]
            results = dict(executor.execute_many([self.trajectory()] * 3, runs))
            alone = executor.execute(self.trajectory(), RecordedRun(seed=3))
            assert sorted(results) == [0, 1, 2]
            assert all(isinstance(result, Measurement) and same(result, alone) for result in results.values())
