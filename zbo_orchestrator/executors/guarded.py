"""The envelope at the door: nothing that breaks a limit reaches an executor. It refuses; it never clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.model import (
    BatchExecutor,
    ExecutionError,
    Executor,
    Measurement,
    RefusedError,
    Run,
    Trajectory,
)


def guarded(executor: Executor, envelope: Envelope) -> Executor:
    """The same executor behind the envelope; one that takes batches still does."""
    return GuardedBatch(executor, envelope) if isinstance(executor, BatchExecutor) else Guarded(executor, envelope)


class Guarded:
    """Runs a trajectory only if it keeps to the envelope; raises `RefusedError` before anything moves."""

    def __init__(self, executor: Executor, envelope: Envelope) -> None:
        self._executor = executor
        self._envelope = envelope
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        self._envelope.refuse(trajectory)
        return self._executor.execute(trajectory, run)

    @property
    def inner(self) -> Executor:
        """The executor itself, for what no decoder asks for."""
        return self._executor


class GuardedBatch(Guarded):
    """Refuses the members of a batch that break a limit and passes the others on as one batch."""

    _executor: BatchExecutor

    def __init__(self, executor: BatchExecutor, envelope: Envelope) -> None:
        super().__init__(executor, envelope)
        self.capacity = executor.capacity

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        refusals = [self._refusal(trajectory) for trajectory in trajectories]
        yield from ((index, refusal) for index, refusal in enumerate(refusals) if refusal)
        passed = [index for index, refusal in enumerate(refusals) if refusal is None]
        if passed:
            results = self._executor.execute_many([trajectories[i] for i in passed], [runs[i] for i in passed])
            yield from ((passed[index], result) for index, result in results)

    def _refusal(self, trajectory: Trajectory) -> RefusedError | None:
        try:
            self._envelope.refuse(trajectory)
        except RefusedError as refusal:
            return refusal
        return None
