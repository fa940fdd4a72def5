"""The roles as Prefect tasks: seen and timed from outside, otherwise themselves.

Nothing travels through Prefect: no caching (it could answer with an earlier measurement), no retries (they are
recorded attempts of the loop), no parameters to copy or hash (a model or a device must never be a task's input).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from zbo_orchestrator.campaign import Campaign
from zbo_orchestrator.model import (
    Array,
    BatchExecutor,
    Decoder,
    DecoderRecipe,
    Evaluator,
    Evidence,
    ExecutionError,
    Executor,
    Measurement,
    Plan,
    Planner,
    Report,
    Run,
    RunWithin,
    Score,
    Stop,
    Trajectory,
)


class _Call:
    """A call that Prefect does not look into."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __call__(self) -> Any:
        return self._call()


@task(cache_policy=NO_CACHE, retries=0, persist_result=False, log_prints=False)
def step(call: _Call) -> Any:
    """One call of a role; a failed trial is a result that shows in the task's state, not the task's own failure."""
    try:
        return call()
    except ExecutionError as error:
        return Completed(name=type(error).__name__, message=str(error), data=error)


def observe(name: str, run_name: str, call: Callable[[], Any]) -> Any:
    """Make a call as the task run `run_name` of a task `name`."""
    state: State[Any] = step.with_options(name=name, task_run_name=run_name)(_Call(call), return_state=True)
    result = state.result()
    if isinstance(result, ExecutionError):
        raise result
    return result


@dataclass(frozen=True, slots=True)
class ObservedPlanner:
    inner: Planner

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        return observe("plan", f"plan {evidence.proposed}", lambda: self.inner.plan(evidence, n))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class ObservedDecoder:
    inner: Decoder

    @property
    def box(self) -> tuple[Array, Array]:
        return self.inner.box

    def decode(self, z: Array) -> Trajectory:
        return observe("decode", f"decode {len(z)}", lambda: self.inner.decode(z))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class ObservedRecipe:
    inner: DecoderRecipe

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]:
        return self.inner.learn(library, seed, report)

    def restore(self, arrays: Mapping[str, Array]) -> Decoder:
        return ObservedDecoder(self.inner.restore(arrays))


@dataclass(frozen=True, slots=True)
class ObservedEvaluator:
    inner: Evaluator

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return observe("evaluate", "evaluate", lambda: self.inner.evaluate(trajectory, measurement))  # type: ignore[no-any-return]


@dataclass(slots=True)
class LoggedRun(RunWithin):
    """A `Run` whose reports reach the task run's log, at most one every `every` seconds."""

    every: float = 5.0
    last: float = 0.0

    def report(self, step: int, of: int, **values: float) -> None:
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            said = ", ".join(f"{name} {value:.5g}" for name, value in values.items())
            get_run_logger().info("trial %d: step %d of %d%s", self.number, step, of, f": {said}" if said else "")
        self.inner.report(step, of, **values)


NAMELESS: Mapping[int, str] = MappingProxyType({})


class ObservedExecutor:
    """Each trial is a task run, wherever it runs; it is called by its number where it has no name."""

    def __init__(self, inner: Executor, names: Mapping[int, str] = NAMELESS) -> None:
        self._inner = inner
        self._names = names
        self.repeatable = bool(getattr(inner, "repeatable", False))

    def _called(self, run: Run) -> str:
        return self._names.get(run.number, str(run.number))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        name = f"execute {self._called(run)}" + (f" (attempt {run.attempt})" if run.attempt > 1 else "")
        return observe("execute", name, lambda: self._inner.execute(trajectory, LoggedRun(run)))  # type: ignore[no-any-return]


class ObservedBatchExecutor(ObservedExecutor):
    """A batch is one task run."""

    _inner: BatchExecutor

    def __init__(self, inner: BatchExecutor, names: Mapping[int, str] = NAMELESS) -> None:
        super().__init__(inner, names)
        self.capacity = inner.capacity

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        logged = [LoggedRun(run) for run in runs]
        name = f"execute {self._called(runs[0])} to {self._called(runs[-1])}"
        yield from observe("execute", name, lambda: list(self._inner.execute_many(trajectories, logged)))


def observed_executor(inner: Executor, names: Mapping[int, str] = NAMELESS) -> Executor:
    """The same executor, its trials seen by the flow run that they are called in."""
    if isinstance(inner, BatchExecutor):
        return ObservedBatchExecutor(inner, names)
    return ObservedExecutor(inner, names)


def observed(campaign: Campaign) -> Campaign:
    """The same campaign, its roles seen by the flow run that it is called in."""
    return replace(
        campaign,
        planner=ObservedPlanner(campaign.planner),
        recipe=ObservedRecipe(campaign.recipe),
        executor=observed_executor(campaign.executor),
        evaluator=ObservedEvaluator(campaign.evaluator),
    )
