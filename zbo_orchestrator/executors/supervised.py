"""An executor in a child process of its own: what it leaks, breaks or crashes stays there.

Where it drives an instrument that can be made safe, a guardian stands by: whatever happens to this process and to the
child, the instrument ends in its safe state (docs/decisions/0010-below-prefect.md).
"""

from __future__ import annotations

import queue

from zbo_orchestrator.arming import Arming, Stranger
from zbo_orchestrator.executors.child import Child, Overdue
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.guardian import Guardian
from zbo_orchestrator.executors.messages import Ended, Permit, adding
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.instrument import Abortable, Connected, Description, Safe, Staged
from zbo_orchestrator.model import (
    ExecutionError,
    Executor,
    FatalError,
    Measurement,
    RefusedError,
    Run,
    Trajectory,
    TransientError,
    ZboError,
)


def drives(executor: Executor) -> bool:
    """Whether an executor holds an instrument, and so wants a process of its own that connects and closes it."""
    return isinstance(bare(executor), Safe | Connected | Staged)


class Supervised:
    """Runs each trial in a child process that is kept for the next one; as many at once as there are callers.

    A child that dies is a `TransientError` with its exit code, and the next trial gets a new child. Every error crosses
    the process boundary with its class; one that is not ours is a bug and stops the campaign. A trial that does not
    end, or must, is asked to stop, aborted, its instrument made safe, its process terminated and killed, each step
    within its time-out; its error tells what it took. Raises `FatalError` where the instrument cannot be made safe, and
    `Stranger` where it is not the one that `arming` (None: any) says.
    """

    def __init__(
        self,
        executor: Executor,
        timeouts: Timeouts | None = None,
        words: str = "a campaign",
        arming: Arming | None = None,
    ) -> None:
        self._executor = executor
        self._timeouts = timeouts or Timeouts()
        self._words, self._arming = words, arming
        self._safe = isinstance(bare(executor), Safe)
        self._idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
        self._guardian: Guardian | None = None
        self.description: Description | None = None
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def start(self) -> None:
        """Connect ahead of the first trial, to know the instrument's `description`."""
        self._release(self._claim())

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        child = self._claim()
        try:
            ended = child.run(trajectory, run, self._cut)
        except EOFError as gone:
            raise self._with_safe_state(TransientError(child.fate)) from gone
        except Overdue as overdue:
            raise overdue.outcome(f"{overdue}; {self._stop(child, str(overdue), hung=overdue.hung)}") from None
        except BaseException as interrupt:
            interrupt.add_note(self._interrupted(child, interrupt))
            raise
        finally:
            self._release(child)
        return self._result(child, ended)

    def close(self) -> None:
        """End the idle children, leave the instrument in its safe state and let the guardian go."""
        try:
            while not self._idle.empty():
                self._idle.get().close()
        finally:
            if self._guardian is not None:
                self._hand_back()

    # --- children

    def _claim(self) -> Child:
        while not self._idle.empty():
            child = self._idle.get()
            if child.alive and not self._cut():
                return child
            child.end()
        return self._hire()

    def _hire(self) -> Child:
        child = Child(self._executor, self._timeouts, self._permit() if self._safe else None, self._arming)
        try:
            self.description = child.ready().description
        except EOFError as gone:
            raise self._with_safe_state(TransientError(child.fate)) from gone
        except Stranger:
            child.end()
            self._leave_alone()
            raise
        except BaseException as error:
            child.end()
            self._with_safe_state(error)
            raise
        return child

    def _release(self, child: Child) -> None:
        if child.alive:
            self._idle.put(child)

    # --- ends

    def _result(self, child: Child, ended: Ended) -> Measurement:
        outcome = ended.outcome
        if isinstance(outcome, Measurement):
            return outcome
        assert outcome is not None
        if not ended.safe:
            child.end()
            raise self._with_safe_state(outcome)
        if not isinstance(outcome, ZboError):
            child.end()
        raise outcome

    def _interrupted(self, child: Child, interrupt: BaseException) -> str:
        """This process is to stop, or cannot go on: so does the trial."""
        if self._safe:
            return self._stop(child, f"the campaign was interrupted ({type(interrupt).__name__})")
        return child.end()

    def _stop(self, child: Child, reason: str, *, hung: bool = False) -> str:
        """Ask, abort, safe state, terminate, kill; what it took, in words. Raises what is more than a failed trial."""
        said: list[str] = []
        ended = None if hung else self._ended(child, reason, said)
        if ended is None or not ended.safe:
            if self._guardian is not None and self._guardian.alive:
                said.append(self._attempt())
            said.append(child.end())
            if self._safe:
                said.append(self._make_safe())  # whatever the child did before it ended
        outcome = ended.outcome if ended is not None else None
        if isinstance(outcome, BaseException) and not isinstance(outcome, ExecutionError):
            raise adding(outcome, "; ".join(said))
        return "; ".join(said)

    def _ended(self, child: Child, reason: str, said: list[str]) -> Ended | None:
        """The trial's end, where asking for it or aborting it brings it about."""
        steps = [("asked to stop", child.ask, self._timeouts.ask)]
        if isinstance(bare(self._executor), Abortable):
            steps.append(("aborted", child.abort, self._timeouts.abort))
        try:
            for word, step, wait in steps:
                ended = step(reason)
                if ended is not None:
                    said.append(f"{word}, ended{_with(ended, reason)}")
                    return ended
                said.append(f"{word}, no answer in {wait:g} s")
        except EOFError:
            said.append(child.fate)
        return None

    # --- the guardian

    def _cut(self) -> str:
        """Why no trial may go on; empty where it may."""
        return "" if self._guardian is None or self._guardian.alive else self._guardian.fate

    def _attended(self) -> Guardian:
        """The guardian; a new one, which makes the instrument safe, where there is none that answers."""
        if self._guardian is None or not self._guardian.alive:
            self._guardian = Guardian(self._executor, self._words, self._timeouts, self._arming)
        return self._guardian

    def _permit(self) -> Permit:
        try:
            return self._attended().permit()
        except EOFError:
            self._dismiss()
            return self._attended().permit()

    def _dismiss(self) -> None:
        """Kill a guardian that does not answer."""
        if self._guardian is not None:
            self._guardian.end()

    def _hand_back(self) -> None:
        """Let the guardian go from an instrument that is safe, or leave it alone with one that is not."""
        try:
            self._make_safe()
            self._leave_alone()
        finally:
            if self._guardian is not None:
                self._guardian.leave()
                self._guardian = None

    def _leave_alone(self) -> None:
        """Let the guardian go without another word to the instrument."""
        if self._guardian is not None:
            self._guardian.release()
            self._guardian = None

    def _make_safe(self) -> str:
        """The safe state as read back by the guardian, or by its successor."""
        if self._guardian is not None and self._guardian.alive:
            try:
                return self._guardian.make_safe()
            except EOFError:
                self._dismiss()
        return f"a new guardian found {self._attended().made.words}"

    def _attempt(self) -> str:
        """The same while the child may still be driving; a failure is told, since more follows."""
        assert self._guardian is not None
        try:
            return self._guardian.make_safe()
        except (FatalError, EOFError) as refused:
            return str(refused)

    def _with_safe_state(self, error: BaseException) -> BaseException:
        return adding(error, self._make_safe()) if self._safe and not isinstance(error, RefusedError) else error


def _with(ended: Ended, reason: str) -> str:
    """What the child said at its end, beyond the reason it was given."""
    said = str(ended.outcome).removeprefix(f"{reason}; ")
    return f" ({said})" if isinstance(ended.outcome, BaseException) else " by itself"
