"""Faults of the process that drives: killed or stopped in mid-trial, seen from the campaign's side."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

from zbo_orchestrator.certification.rehearsal import DRIVE
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.instrument import Healthy, Safe
from zbo_orchestrator.model import Trajectory, TransientError
from zbo_orchestrator.testing.promises import Broken, Seen, Untestable
from zbo_orchestrator.testing.readings import compare, outputs, words
from zbo_orchestrator.testing.runs import RecordedRun, scratch

SIGNALS = {"killed in mid-trial": signal.SIGKILL, "stopped in mid-trial": signal.SIGSTOP}


@dataclass
class _Struck(RecordedRun):
    """A run whose child gets a signal at its first report."""

    number: int = DRIVE
    signal: signal.Signals = signal.SIGKILL

    def report(self, step: int, of: int, **values: float) -> None:
        super().report(step, of, **values)
        if len(self.reports) == 1:
            os.kill(int(values["pid"]), self.signal)


def survives(executor: Supervised, trajectory: Trajectory, struck_by: signal.Signals) -> Seen:
    """The trial ends by `TransientError`, which tells what the guardian read back; raises `Broken` otherwise."""
    with scratch() as folder:
        run = _Struck(scratch=folder, signal=struck_by)
        try:
            executor.execute(trajectory, run)
        except TransientError as ended:
            if "safe state read back" not in str(ended):
                raise Broken(f"{ended}; wanted a safe state that was read back") from ended
            return Seen(str(ended))
    if not run.reports:
        raise Untestable("it reports nothing: nothing can be done in the middle of a trial")
    raise Broken("the trial of a child that was struck ended in a measurement")


def found_safe(instrument: Any, trajectory: Trajectory) -> Seen:  # noqa: ARG001 (a promise is given both)
    """Before anything is told to be safe, the outputs already read as if it had been."""
    if not isinstance(instrument, Safe) or not isinstance(instrument, Healthy):
        raise Untestable("it is not Safe and Healthy: only the guardian's read-back tells")
    names = dict.fromkeys(instrument.health(), 0.0)
    before = outputs(instrument, names)
    safe = instrument.safe_state()
    read = {name: value for name, value in before.items() if name in safe}
    compare(read, safe)
    return Seen(f"its health reads {words(read)}")
