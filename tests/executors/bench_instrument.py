"""A bench supply whose front panel is a file: its output can be read, and its faults set, from any process.

It obeys no lower fencing number than the highest it has met, and notes every command with what became of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Channel, ExecutionError, FatalError, Measurement, Run, Score, Stopped, Trajectory

VOLTS = (Channel("bias", "V"),)
STEPS = 20
NEW = json.dumps({"output": 0, "fence": 0, "faults": [], "log": [], "drives": 0, "refused": 0})


def wave(level: float = 1.0, steps: int = STEPS) -> Trajectory:
    return Trajectory([[level]] * steps, 0.01, VOLTS)


@dataclass(frozen=True)
class Panel:
    """The supply itself: whoever is killed while it changes leaves it as it was or as it should be."""

    file: Path

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text() if self.file.exists() else NEW))

    def change(self, how: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        with self.held():
            state = self.state
            how(state)
            part = self.file.with_suffix(".part")
            part.write_text(json.dumps(state))
            part.replace(self.file)
        return state

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else changes it meanwhile, so that a process may be stopped without keeping the others from it."""
        with self.file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def command(self, number: int, word: str, **values: Any) -> dict[str, Any]:
        """Do as told, unless a higher number was met: then raise, having noted it."""

        def obey(state: dict[str, Any]) -> None:
            obeyed = number >= state["fence"]
            state["refused"] += not obeyed
            if obeyed:
                state.update(values, fence=number)
                state["drives"] += word == "drive"
                if [word, number, os.getpid()] != (state["log"] or [None])[-1]:
                    state["log"].append([word, number, os.getpid()])

        state = self.change(obey)
        if state["fence"] > number:
            raise ExecutionError(f"{word} refused: number {number}, after {state['fence']}")
        return state

    def faulty(self, *faults: str) -> None:
        self.change(lambda state: state.update(faults=faults))

    @property
    def output(self) -> int:
        return int(self.state["output"])

    def pids(self, word: str) -> list[int]:
        """The processes that gave this command, in their order."""
        return [pid for said, _, pid in self.state["log"] if said == word]


@dataclass
class BenchSupply:
    """Holds each value for `dwell` seconds; what else it does, its panel's faults say."""

    panel: str
    dwell: float = 0.005
    ramp: float = 0.0
    """Seconds that the safe state takes to reach."""
    steps: int = 1
    """Values held at least; the last one is held on."""
    good: int = 2
    """Values held before it misbehaves."""

    def __post_init__(self) -> None:
        self.number = 0
        self._busy = False
        self._aborted: list[str] = []

    @property
    def resource(self) -> str:
        return f"bench:{self.panel}"

    def describe(self) -> Description:
        return Description(f"BENCH,{self.panel}", VOLTS, Envelope({"bias": Limits(-5, 5)}), simulated=True)

    def fence(self, number: int) -> None:
        self.number = number

    def connect(self) -> None:
        self._say("connect")

    def stage(self) -> None:
        self._say("stage")

    def unstage(self) -> None:
        self._say("unstage")

    def close(self) -> None:
        self._say("close")

    def abort(self, reason: str) -> None:
        if "deaf" not in self._faults():
            self._aborted.append(reason)

    def safe_state(self) -> Mapping[str, float]:
        self._say("ramp")
        time.sleep(self.ramp)
        if "unsafe" in self._faults():
            raise FatalError("the output relay is welded: output=1")
        return {"output": self._say("safe", output=0)["output"]}

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        if self._busy:
            raise ExecutionError("a trial is running; wanted one at a time")
        self._busy = True
        try:
            return self._driven(trajectory, run)
        finally:
            self._busy = False

    def _driven(self, trajectory: Trajectory, run: Run) -> Measurement:
        self._aborted.clear()
        steps = max(self.steps, trajectory.steps)
        for step in range(steps):
            self._say("drive", output=1)
            time.sleep(self.dwell)
            if step == self.good:
                self._misbehave(self._faults())
            try:
                run.report(step + 1, steps, level=float(trajectory.values[min(step, trajectory.steps - 1), 0]))
            except Stopped:
                if "stubborn" not in self._faults():
                    raise
            if self._aborted:
                raise Stopped(self._aborted[0])
        self._say("off", output=0)
        return Measurement({"level": trajectory.values, "pid": [os.getpid()]})

    def _misbehave(self, faults: list[str]) -> None:
        if "fail" in faults:
            raise ExecutionError("the sample is loose")
        if "bug" in faults:
            raise ZeroDivisionError("a bug")
        if "die" in faults:
            os.kill(os.getpid(), signal.SIGKILL)
        if "freeze" in faults:
            os.kill(os.getpid(), signal.SIGSTOP)
        if "undying" in faults:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while "hang" in faults:
            threading.Event().wait(0.005)
            self._say("drive", output=1)
            if self._aborted:
                raise FatalError("the interlock is open") if "interlock" in faults else Stopped(self._aborted[0])

    def _faults(self) -> list[str]:
        return list(Panel(Path(self.panel)).state["faults"])

    def _say(self, word: str, **values: Any) -> dict[str, Any]:
        return Panel(Path(self.panel)).command(self.number, word, **values)


class Sleeper:
    """No instrument: sleeps for as many seconds as its first value says, and reports nothing."""

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        time.sleep(float(trajectory.values[0, 0]))
        return Measurement({"level": trajectory.values})


class Level:
    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return Score(float(measurement.arrays["level"].mean()))
