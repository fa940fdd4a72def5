"""The contract of workers."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np

from zbo_orchestrator.model import Channel, ExecutionError, Executor, Job, Measurement, Trajectory, Workers


class WorkersContract:
    """What every kind of workers promises."""

    @abstractmethod
    def make(self, executor: Executor, scratch: Path) -> Workers: ...

    @abstractmethod
    def executor(self) -> Executor:
        """One that measures "echo", the trajectory's values, and raises ExecutionError for a negative first value."""

    @staticmethod
    def jobs(first_values: list[float]) -> list[Job]:
        from_value = {n: Trajectory(np.array([[v]]), 1.0, (Channel("field"),)) for n, v in enumerate(first_values)}
        return [Job(n, 1, n, trajectory) for n, trajectory in from_value.items()]

    def test_every_job_ends_once_with_its_own_result(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        workers.start(self.jobs([0.5, -1.0, 2.5]))
        results = list(workers.results())
        assert sorted(number for number, _ in results) == [0, 1, 2]
        by_number = dict(results)
        assert isinstance(by_number[1], ExecutionError)
        for number, value in ((0, 0.5), (2, 2.5)):
            measurement = by_number[number]
            assert isinstance(measurement, Measurement)
            assert measurement.arrays["echo"][0, 0] == value

    def test_jobs_may_be_added_while_results_are_read(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        jobs = self.jobs([0.0, 1.0, 2.0])
        workers.start(jobs[:1])
        seen = []
        for number, _ in workers.results():
            seen.append(number)
            workers.start(jobs[len(seen) : len(seen) + 1])
        assert seen == [0, 1, 2]

    def test_nothing_is_ready_once_every_result_was_read(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        assert not workers.ready()
        workers.start(self.jobs([0.0, 1.0]))
        assert len(list(workers.results())) == 2
        assert not workers.ready()

    def test_a_stopped_job_ends_or_is_withdrawn(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        workers.start(self.jobs([0.0, 1.0, 2.0]))
        for number in range(3):
            workers.stop(number, "enough")
        assert {number for number, _ in workers.results()} <= {0, 1, 2}
        assert list(workers.results()) == []

    def test_scratch_goes_when_the_trial_is_recorded(self, tmp_path: Path) -> None:
        workers = self.make(self.executor(), tmp_path)
        workers.start(self.jobs([0.0]))
        list(workers.results())
        assert (tmp_path / "0").is_dir()
        workers.forget(0)
        assert not (tmp_path / "0").exists()
