"""A campaign's end of a child process (see `child_process`)."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from zbo_orchestrator.arming import Arming
from zbo_orchestrator.executors.child_process import serve
from zbo_orchestrator.executors.interlocked import POLL, InterlockedRun
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
)
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.model import ExecutionError, Executor, FatalError, Run, Stopped, Trajectory, TransientError

_SPAWN = multiprocessing.get_context("spawn")
_log = logging.getLogger(__name__)


class Overdue(Exception):  # noqa: N818 (a moment, and what the trial then becomes)
    """A trial that is to be ended by force, and the error it is recorded as."""

    def __init__(self, reason: str, outcome: type[ExecutionError], *, hung: bool = False) -> None:
        super().__init__(reason)
        self.outcome, self.hung = outcome, hung


@dataclass(frozen=True, slots=True)
class _Limit:
    """How long something may take, from now on."""

    of: str
    seconds: float | None
    outcome: type[ExecutionError] = ExecutionError
    """What the trial then becomes."""
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float | None:
        return None if self.seconds is None else max(0.0, self.began + self.seconds - time.monotonic())

    def later(self, seconds: float) -> _Limit:
        """The same, had it begun so much later."""
        return replace(self, began=self.began + seconds)


class Child:
    """One child process; raises `EOFError` wherever it turns out to be gone."""

    def __init__(
        self, executor: Executor, timeouts: Timeouts, permit: Permit | None, arming: Arming | None = None
    ) -> None:
        self._timeouts, self._permit = timeouts, permit
        ours, theirs = _SPAWN.Pipe()
        arguments = (theirs, executor, timeouts, permit, arming)
        self._process = _SPAWN.Process(target=serve, args=arguments, daemon=True, name="zbo-executor")
        self._process.start()
        theirs.close()
        self._line = Line(ours)
        if permit is not None:
            self._line.beat(timeouts.beat)

    def ready(self) -> Ready:
        """Wait until it is connected and staged; raises what went wrong in that."""
        patience = None if self._permit is None else self._timeouts.start + self._timeouts.lease
        while True:
            match self._line.receive(patience):
                case Ready() as ready:
                    return ready
                case Waiting(words):
                    _log.warning("%s", words)
                case Ended(BaseException() as error):
                    raise error
                case None:
                    raise FatalError(f"the executor's process was not ready in {patience} s")

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def fate(self) -> str:
        """How it ended, in words."""
        self._process.join(self._timeouts.terminate)
        return f"the executor's process ended with exit code {self._process.exitcode}"

    def run(self, trajectory: Trajectory, run: Run, cut: Callable[[], str]) -> Ended:
        """One trial to its end; `cut` says what else ends it. Raises `Overdue` where it is to be ended by force."""
        self._line.hear()
        self._line.send(Order(trajectory, run.number, run.attempt, run.seed, run.scratch))
        interlocked = isinstance(run, InterlockedRun)
        limit = _Limit("the trial", self._timeouts.trial)
        reporting: _Reporting | None = None
        while True:
            match self._line.receive(self._patience(limit, POLL if interlocked else None)):
                case Ended() as ended:
                    return ended
                case Report() as report:
                    reporting = _Reporting(_steps(report, run))
                case Ending():
                    limit = _Limit("making the instrument safe", self._timeouts.safe)
                case None:
                    self._check_heartbeat()
            if reason := cut() or (run.aborting() if isinstance(run, InterlockedRun) else ""):
                raise Overdue(reason, TransientError)
            if reporting is not None:
                self._line.send(answer := reporting.answer())
                if isinstance(answer, Held):
                    continue
                limit, reporting = self._after(answer, limit.later(reporting.held)), None
            if limit.left == 0:
                raise Overdue(f"time-out: {limit.of} took longer than {limit.seconds:g} s", limit.outcome)

    def _after(self, answer: Answer, limit: _Limit) -> _Limit:
        """The limit from an answer on: one that goes on when it was told to stop is ended by force."""
        if answer.stopped is None or limit.outcome is Stopped:
            return limit
        return _Limit(f"ending when asked to stop ({answer.stopped})", self._timeouts.ask, Stopped)

    def ask(self, reason: str) -> Ended | None:
        """Have the next report raise `Stopped`."""
        self._line.send(Answer(Stopped(reason)))
        return self._settled(self._timeouts.ask)

    def abort(self, reason: str) -> Ended | None:
        """Have the executor's `abort` called."""
        self._line.send(Abort(reason))
        return self._settled(self._timeouts.abort)

    def close(self) -> None:
        """Unstage, close the connection and end; by force, where it does not."""
        ended = None
        try:
            self._line.send(Close())
            ended = self._settled(self._timeouts.abort)
        except EOFError:  # it ended before it was told to
            _log.warning("%s", self.fate)
        finally:
            self.end()
        if ended is not None and isinstance(ended.outcome, BaseException):
            raise ended.outcome

    def end(self) -> str:
        """SIGTERM, then SIGKILL; what it took, in words."""
        said = "terminated"
        self._process.terminate()
        self._process.join(self._timeouts.terminate)
        if self._process.is_alive():
            said = f"terminated, no answer in {self._timeouts.terminate:g} s; killed"
            self._process.kill()
            self._process.join(self._timeouts.terminate)
        self._line.close()
        return said

    def _patience(self, limit: _Limit, poll: float | None) -> float | None:
        pauses = (limit.left, self._timeouts.beat if self._permit else None, poll)
        return min((pause for pause in pauses if pause is not None), default=None)

    def _check_heartbeat(self) -> None:
        if self._permit is not None and self._line.silence > self._timeouts.heartbeat:
            reason = f"the executor's process was silent for {self._timeouts.heartbeat:g} s"
            raise Overdue(reason, TransientError, hung=True)

    def _settled(self, seconds: float) -> Ended | None:
        """The trial's end, if it comes; reports are not answered any more."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message: Any = self._line.receive(left)
            if isinstance(message, Ended):
                return message
            if isinstance(message, Ending):
                deadline = time.monotonic() + self._timeouts.safe
        return None


@dataclass(slots=True, eq=False)
class _Reporting:
    """A report that is not answered as long as its trial is held."""

    steps: Iterator[str]
    held: float = 0.0
    """Seconds."""
    _began: float = field(default_factory=time.monotonic)

    def answer(self) -> Answer | Held:
        try:
            next(self.steps)
        except StopIteration:
            return Answer()
        except Stopped as stopped:
            return Answer(stopped)
        self.held = time.monotonic() - self._began
        return Held()


def _steps(report: Report, run: Run) -> Iterator[str]:
    """Hand the report on; then why the trial is held, as long as it is."""
    if isinstance(run, InterlockedRun):
        yield from run.reporting(report.step, report.of, **report.values)
    else:
        run.report(report.step, report.of, **report.values)
