"""The routine, task by task, on an executor in a supervised child."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from functools import partial

from zbo_orchestrator.certification import processes
from zbo_orchestrator.certification.cards import Check
from zbo_orchestrator.certification.rehearsal import Outcome, Rehearsal, outcome
from zbo_orchestrator.certification.routine import ROUTINE, Task
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.instrument import Safe
from zbo_orchestrator.model import Executor, FatalError, Trajectory, ZboError
from zbo_orchestrator.testing.promises import Broken, Seen, Untestable
from zbo_orchestrator.testing.runs import RecordedRun, scratch

_PROMISES = (*(task.keep for task in ROUTINE), processes.found_safe)
_FOUND_SAFE = len(ROUTINE)
_STILL = "it moves the instrument, and nothing was to"
_UNSAFE = "it is not Safe (see zbo_orchestrator.instrument): there is no output to look after"


def rehearsal(executor: Executor) -> Rehearsal:
    """The executor as it is to be supervised for an examination."""
    return Rehearsal(executor, _PROMISES)


class Examination:
    """Checks of one executor; after a `FatalError` nothing more is tried."""

    def __init__(self, supervised: Supervised, executor: Executor, trajectory: Trajectory, *, still: bool) -> None:
        self._supervised, self._executor, self._trajectory, self._still = supervised, executor, trajectory, still
        self._passed: set[str] = set()
        self._fatal = ""

    def checks(self, begun: Callable[[str], object]) -> Iterator[Check]:
        """`begun` is told what comes next."""
        for number, task in enumerate(ROUTINE):
            begun(f"{task.section}: {task.name}")
            yield self._judged(task.section, task.name, self._untried(task), partial(self._kept, number))
        for name, struck_by in processes.SIGNALS.items():
            begun(f"process: {name}")
            yield self._judged("process", name, self._unstruck(), partial(self._struck, struck_by))

    def end(self) -> Check:
        """Leave the instrument in its safe state and let it go."""
        self._fatal = ""
        return self._judged("process", "safe at the end", "", self._closed)

    def _judged(self, section: str, name: str, untried: str, attempt: Callable[[], Outcome]) -> Check:
        """What an attempt came to, or why there was none."""
        try:
            found = Outcome("untested", Seen(reason)) if (reason := self._fatal or untried) else attempt()
        except Untestable as why:
            found = Outcome("untested", Seen(str(why)))
        except Broken as broken:
            found = Outcome("failed", Seen(str(broken)))
        except FatalError as fatal:
            self._fatal = f"the instrument cannot be trusted after {name!r}"
            found = Outcome("failed", Seen(f"FatalError: {fatal}"))
        except ZboError as error:
            found = Outcome("failed", Seen(f"{type(error).__name__}: {error}"))
        if found.verdict == "passed":
            self._passed.add(name)
        return Check(section, name, found.verdict, found.seen.said, found.seen.seconds)

    # --- why not

    def _untried(self, task: Task) -> str:
        if self._still and task.moves:
            return _STILL
        missing = [name for name in task.needs if name not in self._passed]
        return f"it needs: {', '.join(missing)}" if missing else ""

    def _unstruck(self) -> str:
        if not isinstance(self._executor, Safe):
            return _UNSAFE
        return _STILL if self._still else ""

    # --- attempts

    def _kept(self, number: int) -> Outcome:
        with scratch() as folder:
            return outcome(self._supervised.execute(self._trajectory, RecordedRun(number, scratch=folder)))

    def _struck(self, struck_by: signal.Signals) -> Outcome:
        ended = processes.survives(self._supervised, self._trajectory, struck_by)
        found = self._kept(_FOUND_SAFE)
        if found.verdict == "failed":
            raise Broken(f"{ended.said}; then {found.seen.said}")
        return Outcome("passed", Seen(f"{ended.said}; {found.seen.said}"))

    def _closed(self) -> Outcome:
        self._supervised.close()
        return Outcome("passed", Seen("closed"))
