"""The envelope at the door: nothing that breaks a limit reaches an executor. It refuses; it never clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.instrument import Checked, Described, Description
from zbo_orchestrator.model import (
    BatchExecutor,
    Channel,
    ConfigurationError,
    ExecutionError,
    Executor,
    Measurement,
    RefusedError,
    Run,
    Trajectory,
)


def guarded(executor: Executor, envelope: Envelope, description: Description | None = None) -> Executor:
    """The same executor behind the envelope; one that takes batches still does."""
    kind = GuardedBatch if isinstance(executor, BatchExecutor) else Guarded
    return kind(executor, envelope, description)  # type: ignore[arg-type]


class Guarded:
    """Runs a trajectory only if the campaign's envelope, the instrument's own and its `check` allow it.

    Raises `RefusedError` before anything moves, and `ConfigurationError` where the trajectory's channels, or their
    units, are not the instrument's. An executor that describes itself is asked once, at its first trial; `description`
    is for one that lives in another process.
    """

    def __init__(self, executor: Executor, envelope: Envelope, description: Description | None = None) -> None:
        self._executor = executor
        self._envelope = envelope
        self._description = description
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        self._refuse(trajectory)
        return self._executor.execute(trajectory, run)

    @property
    def inner(self) -> Executor:
        """The executor itself, for what no decoder asks for."""
        return self._executor

    def _refuse(self, trajectory: Trajectory) -> None:
        if self._description is None and isinstance(self._executor, Described):
            self._description = self._executor.describe()
        self._envelope.refuse(trajectory)
        if self._description is not None:
            _compare(trajectory.channels, self._description)
            self._envelope.stricter(self._description.envelope).refuse(trajectory)
        if isinstance(self._executor, Checked):
            self._executor.check(trajectory)


class GuardedBatch(Guarded):
    """Refuses the members of a batch that break a limit and passes the others on as one batch."""

    _executor: BatchExecutor

    def __init__(self, executor: BatchExecutor, envelope: Envelope, description: Description | None = None) -> None:
        super().__init__(executor, envelope, description)
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
            self._refuse(trajectory)
        except RefusedError as refusal:
            return refusal
        return None


def bare(executor: Executor) -> Executor:
    """The executor behind a guard, or itself."""
    return executor.inner if isinstance(executor, Guarded) else executor


def _compare(channels: tuple[Channel, ...], description: Description) -> None:
    if channels != description.channels:
        raise ConfigurationError(
            f"the trajectory drives {_words(channels)}; {description.identity} wants {_words(description.channels)}"
        )


def _words(channels: tuple[Channel, ...]) -> str:
    return ", ".join(f"{channel.name} [{channel.unit or 'no unit'}]" for channel in channels)
