"""Where trials run: in the caller's thread, or in several threads (each of which may stand for a child process).

All keep to `model.Workers`. A job that was not begun when it is stopped is withdrawn: it has no result.
"""

from __future__ import annotations

import contextvars
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from zbo_orchestrator.model import BatchExecutor, ExecutionError, Executor, Job, Measurement, Stopped

Progress = Callable[[int, int, int, Mapping[str, float]], None]
"""progress(number, step, of, values): what a running trial says of itself; called in its own thread."""

Result = tuple[int, Measurement | ExecutionError]


def silent(number: int, step: int, of: int, values: Mapping[str, float]) -> None:
    """Hear nothing."""


@dataclass(slots=True)
class Handle:
    """The `model.Run` of one attempt."""

    number: int
    attempt: int
    seed: int
    scratch: Path
    progress: Progress = silent
    stopping: str = ""
    """Why the trial is to end; empty while it may go on. One writer, one reader: no lock."""

    def report(self, step: int, of: int, **values: float) -> None:
        self.progress(self.number, step, of, values)
        if self.stopping:
            raise Stopped(self.stopping)


@dataclass(slots=True)
class Scratch:
    """Folders that live as long as their trials do."""

    root: Path
    progress: Progress

    def handle(self, job: Job) -> Handle:
        folder = self.root / str(job.number)
        folder.mkdir(parents=True, exist_ok=True)
        return Handle(job.number, job.attempt, job.seed, folder, self.progress)

    def forget(self, number: int) -> None:
        folder = self.root / str(number)
        if folder.exists():
            shutil.rmtree(folder)


def sweep(root: Path, kept: Collection[int]) -> None:
    """Remove the folders of trials other than those kept, which a kill after a trial's record leaves behind."""
    for folder in root.glob("[0-9]*"):
        if folder.name.isdigit() and int(folder.name) not in kept:
            shutil.rmtree(folder)


def attempt(executor: Executor, job: Job, handle: Handle) -> Measurement | ExecutionError:
    """Execute one job; an `ExecutionError` is a result, anything else is not ours to catch."""
    try:
        return executor.execute(job.trajectory, handle)
    except ExecutionError as error:
        return error


class Inline:
    """Runs jobs one after another in the caller's thread, or as one program where the executor takes batches."""

    def __init__(self, executor: Executor, scratch: Path, progress: Progress = silent) -> None:
        self._executor = executor
        self._scratch = Scratch(scratch, progress)
        self._queue: deque[Job] = deque()

    def start(self, jobs: Sequence[Job]) -> None:
        self._queue.extend(jobs)

    def results(self) -> Iterator[Result]:
        while self._queue:
            yield from self._next()

    def ready(self) -> bool:
        """Never known: the next one of a batch may take as long as a trial."""
        return False

    def stop(self, number: int, reason: str) -> None:  # noqa: ARG002 (what runs here is over when it can be asked)
        self._queue = deque(job for job in self._queue if job.number != number)

    def forget(self, number: int) -> None:
        self._scratch.forget(number)

    def _next(self) -> Iterator[Result]:
        if len(self._queue) == 1 or not isinstance(self._executor, BatchExecutor):
            job = self._queue.popleft()
            yield job.number, attempt(self._executor, job, self._scratch.handle(job))
            return
        jobs = [self._queue.popleft() for _ in range(min(len(self._queue), self._executor.capacity))]
        handles = [self._scratch.handle(job) for job in jobs]
        for index, result in self._executor.execute_many([job.trajectory for job in jobs], handles):
            yield jobs[index].number, result


@dataclass(slots=True)
class _Running:
    handle: Handle
    future: Future[None]


class Threads:
    """Runs up to `width` jobs at once; results come as they end. The executor must bear being called so."""

    def __init__(self, executor: Executor, width: int, scratch: Path, progress: Progress = silent) -> None:
        self._executor = executor
        self._scratch = Scratch(scratch, progress)
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="trial")
        self._ended: dict[int, Measurement | ExecutionError | BaseException] = {}
        self._sign: SimpleQueue[None] = SimpleQueue()
        self._running: dict[int, _Running] = {}

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            handle = self._scratch.handle(job)
            # The caller's context goes along, so that an observer finds its flow run from within the trial.
            future = self._pool.submit(contextvars.copy_context().run, self._run, job, handle)
            self._running[job.number] = _Running(handle, future)

    def results(self) -> Iterator[Result]:
        while self._running or self._ended:
            # Ctrl-C may strike anywhere here. It must lose no result that the next call waits for, and hold no lock.
            while not self._ended:
                self._sign.get()
            number, *_ = tuple(self._ended)
            self._running.pop(number, None)
            result = self._ended.pop(number)
            if not isinstance(result, Measurement | ExecutionError):
                raise result
            yield number, result

    def ready(self) -> bool:
        return bool(self._ended)

    def stop(self, number: int, reason: str) -> None:
        running = self._running.get(number)
        if running is None:
            return
        running.handle.stopping = reason
        if running.future.cancel():
            del self._running[number]

    def forget(self, number: int) -> None:
        self._scratch.forget(number)

    def _run(self, job: Job, handle: Handle) -> None:
        try:
            self._end(job.number, attempt(self._executor, job, handle))
        except BaseException as bug:
            self._end(job.number, bug)
            raise

    def _end(self, number: int, result: Measurement | ExecutionError | BaseException) -> None:
        self._ended[number] = result
        self._sign.put(None)
