"""The child: runs an executor's trials, and makes its instrument safe when the campaign's process is gone or hung.

It is spawned, not forked: a forked one would inherit the history's lock and torch's threads. Ctrl-C it leaves to its
parent.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from zbo_orchestrator.arming import Arming
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.lease import Lease
from zbo_orchestrator.executors.line import Line
from zbo_orchestrator.executors.messages import (
    Abort,
    Answer,
    Close,
    Ended,
    Ending,
    Held,
    Order,
    Permit,
    Ready,
    Report,
    Waiting,
    adding,
    read_back,
)
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.instrument import Abortable, Connected, Described, Description, Fenced, Safe, Staged
from zbo_orchestrator.model import Executor, RefusedError, Stopped, ZboError


def serve(
    connection: Connection, executor: Executor, timeouts: Timeouts, permit: Permit | None, arming: Arming | None
) -> None:
    """Run orders until told to close; without a permit there is no instrument to make safe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = _Child(Line(connection), executor, timeouts, permit, arming)
    try:
        child.work()
    except EOFError:
        threading.Event().wait()  # the parent is gone: whoever listens makes safe and ends this process


@dataclass(slots=True, eq=False)
class _ChildRun:
    """The `Run` that the executor sees in the child.

    A report waits for its answer: a stop falls on the step it was decided at, as in the parent's own process. With an
    instrument in hand it does not wait for ever, unless it is told again and again that the trial is held.
    """

    number: int
    attempt: int
    seed: int
    scratch: Path
    _line: Line
    _patience: float | None
    answers: queue.SimpleQueue[Answer | Held] = field(default_factory=queue.SimpleQueue)

    def report(self, step: int, of: int, **values: float) -> None:
        try:
            self._line.send(Report(step, of, values))
            while isinstance(answer := self.answers.get(timeout=self._patience), Held):
                pass
        except EOFError as gone:
            raise Stopped("the campaign's process is gone") from gone
        except queue.Empty as silent:
            raise Stopped(f"the campaign did not answer a report for {self._patience:g} s") from silent
        if answer.stopped is not None:
            raise answer.stopped


class _Child:
    def __init__(
        self, line: Line, executor: Executor, timeouts: Timeouts, permit: Permit | None, arming: Arming | None
    ) -> None:
        self._line, self._executor, self._timeouts = line, executor, timeouts
        self._permit, self._arming = permit, arming
        self._device = bare(executor)
        self._orders: queue.SimpleQueue[Order | Close] = queue.SimpleQueue()
        self._run: _ChildRun | None = None
        self._idle = threading.Event()
        self._ramping = threading.Lock()
        self._lease: Lease | None = None

    def work(self) -> None:
        self._idle.set()
        threading.Thread(target=self._listen, daemon=True, name="inbox").start()
        if self._permit is not None:
            self._line.beat(self._timeouts.beat, busy=lambda: not self._idle.is_set())
        try:
            self._line.send(Ready(self._open()))
        except Exception as error:  # noqa: BLE001 (raised again in the parent)
            self._line.send(Ended(portable(error), safe=False))
            return
        while isinstance(order := self._orders.get(), Order):
            self._line.send(self._trial(order))
        try:
            self._shut()
        except Exception as error:  # noqa: BLE001 (raised again in the parent)
            self._line.send(Ended(portable(error)))
        else:
            self._line.send(Ended(None))

    # --- the instrument, where there is one

    def _open(self) -> Description | None:
        device = self._device
        if self._permit is not None:
            self._lease = Lease(self._permit.driver)
            self._lease.take(self._permit.words, self._timeouts.lease, lambda said: self._line.send(Waiting(said)))
            if isinstance(device, Fenced):
                device.fence(self._permit.number)
        if isinstance(device, Connected):
            device.connect()
        description = device.describe() if isinstance(device, Described) else None
        if self._arming is not None:
            self._arming.admit(description)
        if isinstance(device, Staged):
            device.stage()
        return description

    def _shut(self) -> None:
        if isinstance(self._device, Staged):
            self._device.unstage()
        if isinstance(self._device, Connected):
            self._device.close()

    def _trial(self, order: Order) -> Ended:
        patience = None if self._permit is None else self._timeouts.heartbeat
        self._run = _ChildRun(order.number, order.attempt, order.seed, order.scratch, self._line, patience)
        self._idle.clear()
        try:
            return Ended(self._executor.execute(order.trajectory, self._run))
        except BaseException as error:  # noqa: BLE001 (raised again in the parent)
            return self._failed(error)
        finally:
            self._run = None
            self._idle.set()

    def _failed(self, error: BaseException) -> Ended:
        """A trial that did not end well ends in the safe state, unless it was refused: then nothing moved."""
        told = portable(error)
        if self._permit is None or not isinstance(self._device, Safe) or isinstance(error, RefusedError):
            return Ended(told)
        self._line.send(Ending())
        try:
            return Ended(adding(told, self._made_safe(self._device)))
        except Exception as unsafe:  # noqa: BLE001 (told, and the guardian tries next)
            return Ended(adding(told, f"its process could not make it safe: {unsafe}"), safe=False)

    def _made_safe(self, device: Safe) -> str:
        """What the safe state read back; one thread at a time."""
        with self._ramping:
            return read_back(device.safe_state())

    # --- the parent

    def _listen(self) -> None:
        """Hand on what the parent says, in a thread: its death is noticed at once."""
        try:
            while True:
                match self._line.receive(None if self._permit is None else self._timeouts.beat):
                    case Order() | Close() as order:
                        self._orders.put(order)
                    case Answer() | Held() as answer:
                        self._answer(answer)
                    case Abort(reason):
                        self._abort(reason)
                    case None if self._line.silence > self._timeouts.heartbeat:
                        return self._bereft("the campaign's process is silent")
        except EOFError:
            return self._bereft("the campaign's process is gone")

    def _answer(self, answer: Answer | Held) -> None:
        if (run := self._run) is not None:  # else the trial has ended meanwhile
            run.answers.put(answer)

    def _abort(self, reason: str) -> None:
        if self._run is not None and isinstance(self._device, Abortable):
            # In a thread: one that hangs must not keep this one from listening.
            threading.Thread(target=self._device.abort, args=(reason,), daemon=True, name="abort").start()

    def _bereft(self, reason: str) -> None:
        """Stop, make safe and exit; the guardian sees to what cannot be done in time."""
        code = 0
        try:
            if self._permit is not None and isinstance(self._device, Safe):
                code = 1
                _exit_after(self._timeouts.abort + self._timeouts.safe)
                self._answer(Answer(Stopped(reason)))
                self._abort(reason)
                self._idle.wait(self._timeouts.abort / 2)
                self._made_safe(self._device)
                code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)


def _exit_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()


def portable(error: BaseException) -> BaseException:
    """The error with a note of where it was raised, or its text where it would not survive the journey."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    error.add_note(
        f"raised in the executor's process (pid {os.getpid()}), {place.filename}:{place.lineno}, {place.name}"
    )
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (whatever a class does wrong when it is pickled)
        told = _nearest(error)(f"{type(error).__name__}: {error}")
        told.__notes__ = error.__notes__
        return told
    return error


def _nearest(error: BaseException) -> type[BaseException]:
    """The class of ours that an error's class derives from, which survives any journey."""
    for kind in type(error).__mro__:
        if issubclass(kind, ZboError) and kind.__module__ == ZboError.__module__:
            return kind
    return RuntimeError
