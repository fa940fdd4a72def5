"""Processes hit in mid-trial, from outside: the campaign's own, its child, both; stopped, and resumed too late."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from drill_campaign import Drill, ended
from drill_processes import child, guardian, processes
from waiting import eventually

from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.model import Status

HITS: dict[str, tuple[dict[str, signal.Signals], Status, int]] = {
    "Ctrl-C": ({"campaign": signal.SIGINT}, Status.INTERRUPTED, 130),
    "SIGTERM": ({"campaign": signal.SIGTERM}, Status.INTERRUPTED, 130),
    "campaign killed": ({"campaign": signal.SIGKILL}, Status.INTERRUPTED, -9),
    "child killed": ({"child": signal.SIGKILL}, Status.TRANSIENT, 0),
    "both killed": ({"campaign": signal.SIGKILL, "child": signal.SIGKILL}, Status.INTERRUPTED, -9),
}
"""What is sent to whom, the status of the trial under way, and the exit code of the campaign's process."""


def hit(name: str, drill: Drill) -> None:
    """The output is off, nothing is left behind, and the campaign goes on: by itself, or by the same command."""
    signals, status, code = HITS[name]
    command = drill.driving()
    pids = {"campaign": command.pid, "child": child(drill.bench.simulator.resource)}
    moment = time.monotonic()
    for whom, number in signals.items():
        os.kill(pids[whom], number)
    seconds = drill.off(moment)
    drill.bench.let_go()
    assert ended(command)[0] == code
    drill.leaves_nothing()
    drill.tell(name, status.name.lower(), seconds, "went on by itself" if code == 0 else "went on when run again")
    if code != 0:
        drill.goes_on(status)
        return
    drill.went_on(status, *[Status.SCORED] * (drill.trials - 1))
    assert "safe state read back output 1 on=0" in drill.record.trial(0).attempts[-1].error


def stopped(drill: Drill) -> None:
    """Declared dead, and its instrument another campaign's by now: resumed, it neither drives nor disturbs."""
    bench, other, drill = drill.bench, drill.other(), drill.hasty()
    command = drill.driving()
    moment = time.monotonic()
    command.send_signal(signal.SIGSTOP)
    drivers = {child(bench.simulator.resource), guardian(bench.simulator.resource)}
    seconds = drill.off(moment)
    assert eventually(lambda: not drivers & {*processes(drill.mark)}), "nobody took it for dead"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(other.run, Watcher())
        assert eventually(lambda: bench.driving or running.done())
        switched = bench.times_on
        command.send_signal(signal.SIGCONT)
        code, said = ended(command)
        assert (code, bench.driving, bench.times_on) == (4, True, switched), said
        assert "the instrument is taken by the guardian of campaign other" in said
        bench.let_go()
        running.result()
    other.went_on(Status.SCORED)
    drill.tell("stopped, resumed when dead", "interrupted", seconds, "ended; went on when run again")
    drill.goes_on(Status.INTERRUPTED)
