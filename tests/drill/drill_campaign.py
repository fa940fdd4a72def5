"""The drill's campaign over the wire, the two ways to run it, and who breaks the instrument while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from drill_bench import PATIENCE, Bench
from drill_processes import processes
from waiting import eventually

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import History, Inbox, Record, Request, verify
from zbo_orchestrator.model import Status, Trial
from zbo_scpi.simulator.instrument import IDENTITY

TRIALS = 3
"""In all, where a drill breaks one thing."""
CAMPAIGN: dict[str, Any] = {
    "simulated": True,
    "breaker": {"failures": 2},
    "decoder": {
        "use": "identity",
        "channels": [{"name": "field", "unit": "V"}],
        "lower": [-1],
        "upper": [1],
        "dt": 0.2,
    },
    "atlas": {"grid": [11]},
    "planner": {"use": "random"},
    "timeouts": {"heartbeat": 3, "ask": 1, "abort": 1, "safe": 5, "terminate": 0.5},
    "evaluator": {"use": "total-curl"},
}
"""Trials of a fifth of a second, none tried again."""
EXECUTOR: dict[str, Any] = {
    "use": "scpi-waveform",
    "identity": IDENTITY,
    "outputs": [{"name": "field", "unit": "V"}],
    "timeout": PATIENCE,
    "reach": 2.0,
}


@dataclass(frozen=True)
class Drill:
    """One campaign on one bench.

    mark    what every process of the drill has in its surroundings
    tell    tell(fault, status, seconds, then): a row of the table
    lease   seconds that it waits for an instrument that is taken
    """

    way: Literal["direct", "Prefect"]
    bench: Bench
    folder: Path
    mark: str
    tell: Callable[[str, str, str, str], None]
    name: str = "drill"
    trials: int = TRIALS
    lease: float = 20.0

    @property
    def history(self) -> Path:
        return self.folder / self.name

    @property
    def record(self) -> Record:
        return Record.read(self.history)

    @property
    def file(self) -> Path:
        """The campaign file, written."""
        file = self.folder / f"{self.name}-{self.mark}.yaml"
        budget = {"initial": 1, "total": self.trials}
        executor = {**EXECUTOR, "resource": self.bench.simulator.resource}
        own = {"timeouts": {**CAMPAIGN["timeouts"], "lease": self.lease}, "budget": budget, "executor": executor}
        file.write_text(yaml.safe_dump({**CAMPAIGN, "name": self.name, **own}))
        return file

    def of(self, trials: int) -> Drill:
        """The same with another budget."""
        return replace(self, trials=trials)

    def hasty(self) -> Drill:
        """The same, which soon gives up an instrument that is taken."""
        return replace(self, lease=2.0)

    def other(self) -> Drill:
        """Another campaign that wants the same instrument."""
        return replace(self, way="direct", name="other", trials=1)

    # --- running it

    def run(self, watcher: Watcher) -> None:
        """In this process, to its end or to whatever ends it."""
        if self.way == "direct":
            conduct(load(self.file), self.history, watcher)
            return
        from zbo_flows.audience import AUDIENCE  # noqa: PLC0415 (Prefect reads its settings when imported)
        from zbo_flows.campaign import run_campaign  # noqa: PLC0415

        before = AUDIENCE.set(watcher)
        try:
            run_campaign(str(self.file), str(self.history))
        finally:
            AUDIENCE.reset(before)

    def command(self) -> subprocess.Popen[str]:
        """`zbo run` in a process of its own."""
        words = ["run", str(self.file), "--history", str(self.history), "--no-report"]
        return subprocess.Popen(
            [sys.executable, "-m", "zbo_orchestrator.cli", *words, *["--without-prefect"] * (self.way == "direct")],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def driving(self) -> subprocess.Popen[str]:
        """`zbo run`, which has got as far as its first waveform; that does not end by itself."""
        self.bench.hold()
        command = self.command()
        assert eventually(lambda: self.bench.driving or command.poll() is not None), "it does not come to drive"
        assert command.poll() is None, ended(command)
        return command

    # --- what is left of it

    def off(self, moment: float) -> str:
        """Seconds from a moment until the output was off, in words."""
        assert eventually(lambda: self.bench.safe, 20), "the output is still on"
        return f"{self.bench.off_after(moment):.3f} s"

    def leaves_nothing(self) -> None:
        assert eventually(lambda: not processes(self.mark)), f"left behind: {processes(self.mark)}"

    def went_on(self, *statuses: Status) -> None:
        """The history holds trials of these statuses, and is sound and finished."""
        record = self.record
        assert list(record.status) == list(statuses), record.errors
        assert record.state == "finished"
        assert verify(self.history) == []

    def goes_on(self, first: Status) -> None:
        """The same command brings the history, whose first trial was hit, to its end."""
        code, said = ended(self.command())
        assert code == 0, said
        self.went_on(first, *[Status.SCORED] * (self.trials - 1))


def ended(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code, and what it said on stderr."""
    _, said = command.communicate(timeout=120)
    return command.returncode, said


@dataclass
class Saboteur(Watcher):
    """Orders faults once trials are recorded, and mends all in every pause; notes whether the output was off then.

    after   faults to order after a trial, by its number, and how often each strikes
    """

    bench: Bench
    after: Mapping[int, tuple[tuple[str, ...], float]]
    safe: list[bool] = field(default_factory=list)
    _why: str = ""

    def recorded(self, history: History, trial: Trial) -> None:
        self.safe.append(self.bench.safe)
        if trial.number in self.after:
            faults, times = self.after[trial.number]
            self.bench.faults.order(*faults, times=times)

    def held(self, history: History, why: str) -> None:
        if why and not self._why:
            self.safe.append(self.bench.safe)
            self.bench.faults.clear()
            Inbox(history.path).put(Request("resume", "mended", "the drill"))
        self._why = why
