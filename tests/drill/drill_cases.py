"""What a drill breaks in the instrument, and what has to come of it."""

from __future__ import annotations

import re
from math import inf

import pytest
from drill_campaign import TRIALS, Drill, Saboteur
from waiting import eventually

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.model import FatalError, Status

SCORED, FAILED, TRANSIENT, INTERRUPTED = Status.SCORED, Status.FAILED, Status.TRANSIENT, Status.INTERRUPTED
PASSING = {
    "drop": TRANSIENT,
    "hang": TRANSIENT,
    "late": TRANSIENT,
    "garbage": TRANSIENT,
    "restart": TRANSIENT,
    "refuse": FAILED,
    "nan": FAILED,
}
"""Faults that a trial fails by, and its status."""
FATAL = {
    "ignore-abort": (("ignore-abort",), "was told to switch off and reads output 1 on = 1"),
    "drop, then wrong-identity": (("drop", "wrong-identity"), "is 'ANOTHER,INSTRUMENT,1,1.0'"),
}
"""Faults that end the campaign: what is ordered, and what is said then."""


def passing_fault(fault: str, drill: Drill) -> None:
    """Once: the trial fails, the campaign goes on. For good: it pauses after two failures, and goes on once mended."""
    drill, status = drill.of(trials=6), PASSING[fault]
    saboteur = Saboteur(drill.bench, {0: ((fault,), 1), 2: ((fault,), inf)})
    drill.run(saboteur)
    seconds = max(map(drill.bench.off_after, drill.bench.faults.moments))
    drill.tell(fault, status.name.lower(), f"{seconds:.3f} s", "went on; paused, mended, went on")
    drill.went_on(SCORED, status, SCORED, status, status, SCORED)
    record = drill.record
    pauses = [event["data"]["reason"] for event in record.events if event["kind"] == "pause"]
    assert pauses == ["2 trials in a row failed"]
    assert saboteur.safe == [True] * 7, "each time a trial was recorded, and in the pause"
    assert all("output 1 on=0, output 1 offset=0" in record.trial(number).attempts[-1].error for number in (1, 3, 4))


def fatal_fault(fault: str, drill: Drill) -> None:
    """The campaign ends; a guardian left alone tries on, so that the output is off as soon as the fault is gone."""
    faults, said = FATAL[fault]
    with pytest.raises(FatalError, match=re.escape(said)):
        drill.run(Saboteur(drill.bench, {0: (faults, inf)}))
    assert drill.bench.on, "this fault keeps everybody from switching off"
    drill.bench.faults.clear()
    assert eventually(lambda: drill.bench.safe), "nobody saw to the instrument once it could be made safe"
    drill.tell(fault, "interrupted", "once mended", "ended; went on when run again")
    drill.run(Watcher())
    drill.went_on(SCORED, INTERRUPTED, SCORED)


def stranger(drill: Drill) -> None:
    """Another instrument answers: it is left alone, and the campaign begins once the right one is there."""
    drill.bench.faults.order("wrong-identity")
    with pytest.raises(FatalError, match=r"'ANOTHER,INSTRUMENT,1,1\.0'"):
        drill.run(Watcher())
    assert drill.bench.times_on == 0
    drill.bench.faults.clear()
    drill.tell("wrong-identity", "none", "never on", "refused; went on when run again")
    drill.run(Watcher())
    drill.went_on(*[SCORED] * TRIALS)
