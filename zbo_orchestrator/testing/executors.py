"""The contract of executors."""

from __future__ import annotations

import pickle
from abc import abstractmethod

from zbo_orchestrator.model import BatchExecutor, Executor, Measurement, Stopped, Trajectory
from zbo_orchestrator.testing.runs import RecordedRun, same


class ExecutorContract:
    """What every executor promises."""

    @abstractmethod
    def make(self) -> Executor: ...

    @abstractmethod
    def trajectory(self) -> Trajectory:
        """A single trajectory that the executor can run, quickly."""

    def test_returns_a_measurement_and_says_whether_it_may_repeat(self) -> None:
        executor = self.make()
        assert isinstance(executor.execute(self.trajectory(), RecordedRun()), Measurement)
        assert isinstance(getattr(executor, "repeatable", False), bool)

    def test_survives_pickling(self) -> None:
        executor = pickle.loads(pickle.dumps(self.make()))
        assert isinstance(executor.execute(self.trajectory(), RecordedRun()), Measurement)

    def test_same_seed_same_measurement_where_repeatable(self) -> None:
        executor = self.make()
        if getattr(executor, "repeatable", False):
            runs = RecordedRun(number=1, seed=5), RecordedRun(number=2, seed=5)
            one, other = (executor.execute(self.trajectory(), run) for run in runs)
            assert same(one, other)

    def test_every_run_has_the_shape_of_the_first(self) -> None:
        executor = self.make()
        one, other = (executor.execute(self.trajectory(), RecordedRun(number=n)) for n in range(2))
        assert {name: (a.shape, a.dtype) for name, a in one.arrays.items()} == {
            name: (a.shape, a.dtype) for name, a in other.arrays.items()
        }

    def test_a_stop_is_not_swallowed(self) -> None:
        run = RecordedRun(stop_at=1)
        try:
            self.make().execute(self.trajectory(), run)
        except Stopped:
            return
        assert not run.reports, "the executor reported, was told to stop, and went on"

    def test_a_batch_equals_its_members(self) -> None:
        executor = self.make()
        if isinstance(executor, BatchExecutor):
            runs = [RecordedRun(number=n, seed=3) for n in range(3)]
            results = dict(executor.execute_many([self.trajectory()] * 3, runs))
            alone = executor.execute(self.trajectory(), RecordedRun(seed=3))
            assert sorted(results) == [0, 1, 2]
            assert all(isinstance(result, Measurement) and same(result, alone) for result in results.values())
