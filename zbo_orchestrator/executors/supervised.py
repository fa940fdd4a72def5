"""An executor in a child process of its own: what it leaks, breaks or crashes stays there.

The child is spawned, not forked: a forked one would inherit the history's lock and torch's threads. It ends with
its parent, however that ends, and leaves Ctrl-C to it.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from zbo_orchestrator.model import (
    ExecutionError,
    Executor,
    Measurement,
    Run,
    Stopped,
    Trajectory,
    TransientError,
    ZboError,
)

_SPAWN = multiprocessing.get_context("spawn")
_GO_ON = None
"""The answer to a report of a trial that may go on; the other one is `Stopped`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """A run's plain data, on its way to the child."""

    trajectory: Trajectory
    number: int
    attempt: int
    seed: int
    scratch: Path


class Supervised:
    """Runs each trial in a child process that is kept for the next one; as many at once as there are callers.

    A child that dies is a `TransientError` with its exit code, and the next trial gets a new child.
    Every error crosses the process boundary with its class; one that is not ours is a bug and stops the campaign.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        child = self._claim()
        try:
            measurement = child.execute(trajectory, run)
        except ZboError:
            self._release(child)
            raise
        except BaseException:
            child.end()
            raise
        self._release(child)
        return measurement

    def close(self) -> None:
        """End the idle children."""
        while not self._idle.empty():
            self._idle.get().end()

    def _claim(self) -> _Child:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _Child(self._executor)

    def _release(self, child: _Child) -> None:
        if child.alive:
            self._idle.put(child)


class _Child:
    """The parent's end of one child process."""

    def __init__(self, executor: Executor) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, executor), daemon=True, name="zbo-executor")
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        try:
            self._connection.send(_Order(trajectory, run.number, run.attempt, run.seed, run.scratch))
            return self._follow(run)
        except (EOFError, BrokenPipeError, ConnectionResetError) as gone:
            self._process.join()
            raise TransientError(f"the executor's process ended with exit code {self._process.exitcode}") from gone

    def end(self) -> None:
        self._process.terminate()
        self._process.join()
        self._connection.close()

    def _follow(self, run: Run) -> Measurement:
        """Pass progress on, and the answer back, until the trial ends."""
        while True:
            message = self._connection.recv()
            if isinstance(message, Measurement):
                return message
            if isinstance(message, BaseException):
                raise message
            try:
                run.report(*message[:2], **message[2])
            except Stopped as stopped:
                self._connection.send(stopped)
            except BaseException:
                self.end()  # it waits for an answer that nobody has
                raise
            else:
                self._connection.send(_GO_ON)


class _Inbox:
    """The child's end: orders and answers to reports, read in a thread: the parent's death is noticed at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[Stopped | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if isinstance(message, _Order):
                    self.orders.put(message)
                else:
                    self.answers.put(message)
        except (EOFError, OSError):
            os._exit(0)  # the parent is gone: nobody is left to tell


@dataclass(slots=True)
class _ChildRun:
    """The `Run` that the executor sees in the child.

    A report waits for its answer: a stop falls on the step it was decided at, as in the parent's own process.
    """

    number: int
    attempt: int
    seed: int
    scratch: Path
    _inbox: _Inbox
    _connection: Connection

    def report(self, step: int, of: int, **values: float) -> None:
        self._connection.send((step, of, values))
        stopped = self._inbox.answers.get()
        if stopped is not None:
            raise stopped


def _serve(connection: Connection, executor: Executor) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox = _Inbox(connection)
    while True:
        order = inbox.orders.get()
        run = _ChildRun(order.number, order.attempt, order.seed, order.scratch, inbox, connection)
        connection.send(_outcome(executor, order, run))


def _outcome(executor: Executor, order: _Order, run: _ChildRun) -> Any:
    try:
        return executor.execute(order.trajectory, run)
    except BaseException as error:  # noqa: BLE001 (raised again in the parent)
        if not isinstance(error, ExecutionError):
            error.add_note("raised in the executor's process")
        return error
