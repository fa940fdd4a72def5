"""A trial on a Dask worker: what it says to its campaign, and waits to be told.

Dask's own messages carry it all, so a worker that the scheduler reaches is enough. A worker asks before it begins, and
is answered once per attempt: however often a scheduler starts a task, the trial runs once.
"""

from __future__ import annotations

import pickle
import queue
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from distributed import Worker, get_worker
from distributed.utils import sync

from zbo_orchestrator.executors.child_process import portable
from zbo_orchestrator.executors.messages import Report
from zbo_orchestrator.model import ConfigurationError, ExecutionError, Executor, Job, Measurement, Stopped

LOOK = 1.0
"""Seconds of silence after which either end asks the scheduler whether the other one is still there."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker is about to begin, and has the executor from an earlier trial or not; answered by `Leave`."""

    holds_executor: bool
    installed: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Begin; the pickled executor for a worker without it."""

    executor: bytes | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A report was heard; the error is what it is to raise."""

    error: ExecutionError | None


Message = Claim | Report
Reply = Leave | Heard
_R = TypeVar("_R", Leave, Heard)

_replies: dict[str, queue.SimpleQueue[Reply]] = {}
"""Where the trials that run here wait, by key."""
_executors: dict[str, Executor] = {}
"""The executor of the campaign that this worker served last, by digest: what it has loaded serves all its trials."""


def deliver(key: str, reply: Reply) -> None:
    """Hand a reply to the trial that waits for it, if it still does; called by the campaign's client."""
    waiting = _replies.get(key)
    if waiting is not None:
        waiting.put(reply)


def work(job: Job, topic: str, digest: str) -> Measurement | BaseException:
    """Run one attempt here, as a Dask task; an error is a value, so that it arrives with its class."""
    worker = get_worker()
    with _line(worker, topic) as line:
        try:
            executor = _executor(line, digest)
            with TemporaryDirectory(prefix=f"trial-{job.number}-", dir=worker.local_directory) as scratch:
                run = _WorkerRun(job.number, job.attempt, job.seed, Path(scratch), line)
                return executor.execute(job.trajectory, run)
        except BaseException as error:  # noqa: BLE001 (raised again in the campaign's process)
            return portable(error)


def dask_setup(_: Worker) -> None:
    """Called by Dask as one of our own worker processes starts: Ctrl-C is for the campaign, which then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def installed(dask_worker: Worker) -> str:
    """The versions of this package and of Python on a worker, and how many trials it would run at once."""
    return _told(dask_worker.state.nthreads)


def _told(threads: int) -> str:
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return f"zbo-orchestrator {version('zbo-orchestrator')}, {python}, --nthreads {threads}"


def compare(worker: str, theirs: str | Exception) -> None:
    """What a campaign pickles has to mean the same on a worker; raises `ConfigurationError` where it may not.

    Trials at once in one process would share the executor's state: a worker has one thread.
    """
    wanted = _told(threads=1)
    if theirs != wanted:
        raise ConfigurationError(f"worker {worker} has {theirs}; wanted {wanted}")


@dataclass(frozen=True, slots=True)
class _Line:
    """From a trial to its campaign: one question at a time."""

    worker: Worker
    topic: str
    key: str
    replies: queue.SimpleQueue[Reply] = field(default_factory=queue.SimpleQueue)

    def ask(self, message: Message, _: type[_R]) -> _R:
        """The reply; raises `Stopped` where nobody will give one."""
        event = {"key": self.key, "worker": self.worker.address, "message": pickle.dumps(message)}
        self.worker.log_event(self.topic, event)
        while True:
            try:
                return self.replies.get(timeout=LOOK)  # type: ignore[return-value]
            except queue.Empty:
                self._check_wanted()

    def _check_wanted(self) -> None:
        """A scheduler forgets the tasks of a client that is gone."""
        try:
            states = sync(self.worker.loop, self.worker.scheduler.get_task_status, keys=[self.key])
        except OSError as gone:
            raise Stopped("the scheduler is gone") from gone
        if states[self.key] != "processing":
            raise Stopped("the campaign's process is gone")


@contextmanager
def _line(worker: Worker, topic: str) -> Iterator[_Line]:
    line = _Line(worker, topic, str(worker.get_current_task()))
    _replies[line.key] = line.replies
    try:
        yield line
    finally:
        del _replies[line.key]


def _executor(line: _Line, digest: str) -> Executor:
    """Ask leave to begin; the executor to begin with."""
    held = _executors.get(digest)
    pickled = line.ask(Claim(held is not None, installed(line.worker)), Leave).executor
    if held is not None:
        return held
    assert pickled is not None
    try:
        executor: Executor = pickle.loads(pickled)
    except (ImportError, AttributeError) as missing:
        where = f"worker {line.worker.address}"
        raise ConfigurationError(f"{where} cannot load the executor: {missing}; wanted its package there") from missing
    _executors.clear()
    _executors[digest] = executor
    return executor


@dataclass(frozen=True, slots=True)
class _WorkerRun:
    """The `Run` that the executor sees on a worker; its scratch folder goes when the attempt ends.

    A report waits until the campaign has heard it: a stop falls on the step it was decided at, as in one process.
    """

    number: int
    attempt: int
    seed: int
    scratch: Path
    line: _Line

    def report(self, step: int, of: int, **values: float) -> None:
        error = self.line.ask(Report(step, of, values), Heard).error
        if error is not None:
            raise error
