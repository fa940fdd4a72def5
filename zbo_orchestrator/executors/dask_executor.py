"""An executor whose trials run on the workers of a Dask cluster, each of them once."""

from __future__ import annotations

import hashlib
import pickle
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from distributed import CancelledError, Client, Future, KilledWorker

from zbo_orchestrator.executors.dask_worker import LOOK, Claim, Heard, Leave, Message, Reply, compare, deliver, work
from zbo_orchestrator.model import (
    ConfigurationError,
    ExecutionError,
    Executor,
    FatalError,
    Job,
    Measurement,
    Run,
    Trajectory,
    TransientError,
)


@dataclass(frozen=True, slots=True)
class _Event:
    """What a trial says, and on which worker."""

    worker: str
    message: Message


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the attempt came to."""

    value: Measurement | BaseException


_Inbox = queue.SimpleQueue[_Event | _Outcome | Exception]
"""Of one attempt; an error is Dask's."""


class DaskExecutor:
    """Runs each trial on some worker of a cluster; as many at once as there are callers.

    A trial runs once: the death of its worker is a `TransientError`, whatever the scheduler would do about it. Every
    error comes back with its class. Raises `FatalError` where the scheduler is gone, or there is no worker at all for
    `patience` seconds (None: one may come at any time).
    """

    def __init__(self, executor: Executor, client: Client, patience: float | None = None) -> None:
        self._client, self._patience = client, patience
        self._pickled = _pickled(executor)
        self._digest = hashlib.sha256(self._pickled).hexdigest()
        self._topic = f"zbo-{uuid4().hex}"
        self._inboxes: dict[str, _Inbox] = {}
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        key = f"trial-{run.number}-{run.attempt}-{uuid4().hex}"
        inbox = self._inboxes[key] = _Inbox()
        self._client.subscribe_topic(self._topic, self._hear)  # again: a scheduler that was restarted knows of nobody
        job = Job(run.number, run.attempt, run.seed, trajectory)
        future = self._client.submit(work, job, self._topic, self._digest, key=key, pure=False, retries=0)
        try:
            attempt = _Attempt(self._client, future, inbox, run, trajectory.steps, self._pickled, self._patience)
            outcome = attempt.outcome()
        finally:
            future.release()  # a worker that is still at it hears of that at its next report
            del self._inboxes[key]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Called in the client's own thread, for all trials."""
        _, said = event
        inbox = self._inboxes.get(said["key"])
        if inbox is not None:  # else the attempt was given up
            inbox.put(_Event(said["worker"], pickle.loads(said["message"])))


@dataclass(slots=True, eq=False)
class _Attempt:
    """One attempt, attended from the campaign's side."""

    client: Client
    future: Future
    inbox: _Inbox
    run: Run
    steps: int
    executor: bytes
    patience: float | None
    worker: str = ""
    """Where it runs; empty while no worker has begun."""
    staffed: float = field(default_factory=time.monotonic)
    """When there was any worker last."""

    def outcome(self) -> Measurement | BaseException:
        """Answer its worker until it ends."""
        self.client.loop.add_callback(self._fetch)
        while True:
            try:
                said = self.inbox.get(timeout=LOOK)
            except queue.Empty:
                self._check()
                continue
            match said:
                case _Event():
                    self._answer(said)
                case _Outcome(outcome):
                    return outcome
                case KilledWorker() | CancelledError():
                    raise self._lost() from said
                case OSError():
                    with self._asking():
                        raise said
                case bug:
                    raise bug

    async def _fetch(self) -> None:
        """Take the outcome home; the trial's thread watches its worker meanwhile, which may be lost with it."""
        try:
            self.inbox.put(_Outcome(await self.future))
        except Exception as error:  # noqa: BLE001 (raised in the trial's thread)
            self.inbox.put(error)

    def _answer(self, event: _Event) -> None:
        if not isinstance(event.message, Claim):
            self._reply(Heard(self._reported(event.message.step, event.message.of, **event.message.values)))
        elif self.worker:
            raise self._lost()  # started again by the scheduler; nobody answers that
        else:
            compare(event.worker, event.message.installed)  # it may have joined since the campaign began
            self.worker = event.worker
            self._reply(Leave(None if event.message.holds_executor else self.executor))

    def _reported(self, step: int, of: int, **values: float) -> ExecutionError | None:
        try:
            self.run.report(step, of, **values)
        except ExecutionError as error:
            return error
        return None

    def _reply(self, reply: Reply) -> None:
        """Not waited for: a worker that died a moment ago takes Dask half a minute to call unreachable."""
        self.client.loop.add_callback(self._deliver, reply)

    async def _deliver(self, reply: Reply) -> None:
        try:
            await self.client.run(deliver, self.future.key, reply, workers=[self.worker])
        except OSError as unreachable:
            self.inbox.put(unreachable)

    def _check(self) -> None:
        """After a silence: raise where its worker is gone, or none will come, or it is to stop before one does."""
        if self.client.status != "running":
            raise self._lost()
        if not self.worker:
            self.run.report(0, self.steps)
            self._check_staffed()
            return
        with self._asking():
            states = self.client.sync(self.client.scheduler.get_task_status, keys=[self.future.key])
        if states[self.future.key] not in {"processing", "memory", "erred"}:
            raise self._lost()

    def _check_staffed(self) -> None:
        now = time.monotonic()
        with self._asking():
            staffed = bool(self.client.nthreads())
        if staffed:
            self.staffed = now
        elif self.patience is not None and now - self.staffed > self.patience:
            raise FatalError(f"no worker of the cluster is left, and in {self.patience:g} s none has come back")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Whoever does not answer is lost: the worker, or the scheduler, which the client notices a moment later."""
        try:
            yield
        except OSError as silent:
            time.sleep(LOOK)
            raise self._lost() from silent

    def _lost(self) -> TransientError | FatalError:
        if self.client.status != "running":
            return FatalError("the Dask scheduler is gone; what was recorded is kept")
        return TransientError(f"worker {self.worker or 'that was about to begin'} was lost")


def _pickled(executor: Executor) -> bytes:
    try:
        return pickle.dumps(executor)
    except (pickle.PicklingError, TypeError, AttributeError) as stuck:
        raise ConfigurationError(f"executor: it cannot travel: {stuck}; wanted one that can be pickled") from stuck
