"""How long it takes from the call of `abort` to outputs that read as safe."""

from __future__ import annotations

import threading
import time
from typing import Any

from zbo_orchestrator.instrument import Abortable, Healthy, Safe
from zbo_orchestrator.model import Stopped, Trajectory
from zbo_orchestrator.testing.meddling import BOUND, outcome_of, told
from zbo_orchestrator.testing.promises import Broken, Seen, Untestable
from zbo_orchestrator.testing.readings import left_safe, outputs

TRIES = 20
_POLL = 0.0005


def aborts_soon(instrument: Any, trajectory: Trajectory) -> Seen:
    """Abort trial after trial at its second report, and time each until the outputs read as safe."""
    if not isinstance(instrument, Abortable) or not isinstance(instrument, Safe):
        raise Untestable("it is not Abortable and Safe: there is no abort, or nothing to be read after it")
    safe = instrument.safe_state()
    readable = isinstance(instrument, Healthy) and bool(outputs(instrument, safe))
    stopwatches = [_Stopwatch(instrument, safe, watching=readable) for _ in range(TRIES)]
    for stopwatch in stopwatches:
        outcome = outcome_of(instrument, trajectory, stopwatch.begin, at=2)
        stopwatch.end()
        if not isinstance(outcome, Stopped):
            raise Broken(f"the aborted trial ended in {told(outcome)}; wanted Stopped")
    how = "its health" if readable else "its safe state, after the trial"
    return Seen(f"from the call to outputs that {how} reads as safe", tuple(each.seconds for each in stopwatches))


class _Stopwatch:
    """Runs from an abort until the outputs read as safe: by another thread, or once the trial is over."""

    def __init__(self, instrument: Any, safe: Any, *, watching: bool) -> None:
        self._instrument, self._safe, self._watching = instrument, safe, watching
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._began = 0.0
        self.seconds = float("nan")

    def begin(self) -> None:
        self._began = time.monotonic()
        self._instrument.abort("the latency is measured")
        if self._watching:
            self._watcher.start()

    def end(self) -> None:
        if self._watching:
            self._watcher.join(BOUND)
        else:
            left_safe(self._instrument, self._safe)
            self.seconds = time.monotonic() - self._began
        if not self.seconds >= 0:
            raise Broken(f"the outputs did not read as safe in {BOUND:g} s after an abort")

    def _watch(self) -> None:
        while time.monotonic() < self._began + BOUND:
            try:
                left_safe(self._instrument, self._safe)
            except Broken:
                time.sleep(_POLL)
            else:
                self.seconds = time.monotonic() - self._began
                return
