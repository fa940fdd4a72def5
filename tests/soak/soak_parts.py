"""A simulator that fails by plan, and a planner that forgets nothing: the parts of the campaign that is soaked."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from zbo_orchestrator.model import (
    Evidence,
    ExecutionError,
    Measurement,
    Plan,
    Run,
    Score,
    Stop,
    Trajectory,
    TransientError,
)
from zbo_orchestrator.planners.stopping import allowance, spent

JOURNAL = "SOAK_JOURNAL"
"""The environment's name for the file that every attempt is written to as it begins: a line `number attempt`."""
FAULTS = (("fails", 0.06), ("transient", 0.08), ("crashes", 0.02), ("killed", 0.02))
"""What befalls an attempt, and how often."""


def fault(seed: int, number: int, attempt: int) -> str:
    """What befalls an attempt, whoever runs it and whenever; "" for nothing."""
    left = np.random.default_rng((seed, number, attempt)).random()
    for name, share in FAULTS:
        left -= share
        if left < 0:
            return name
    return ""


def height(x: float, y: float) -> float:
    """What the simulator measures: a hill with ripples."""
    return float(np.sin(3 * x) * np.cos(2 * y) - 0.1 * (x * x + y * y))


@dataclass(frozen=True)
class Faulty:
    """A simulator whose process crashes or is killed in mid-trial, and whose trials fail, as the attempt's number says.

    wait   seconds that a trial takes
    """

    wait: Annotated[float, Ge(0)] = 0.01
    seed: int = 0
    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        begun(run.number, run.attempt)
        run.report(0, 2)
        time.sleep(self.wait)
        match fault(self.seed, run.number, run.attempt):
            case "fails":
                raise ExecutionError(f"trial {run.number} diverged")
            case "transient":
                raise TransientError(f"no answer in attempt {run.attempt}")
            case "crashes":
                os._exit(9)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        run.report(2, 2)
        return Measurement({"height": np.array([height(*trajectory.values[0])])}, {"height": ("spot",)})


def begun(number: int, attempt: int) -> None:
    """Write an attempt into the journal, in one system call: a kill leaves a whole line or none."""
    if name := os.environ.get(JOURNAL):
        with Path(name).open("ab", buffering=0) as journal:
            journal.write(f"{number} {attempt}\n".encode())


@dataclass(frozen=True)
class Height:
    """The height itself."""

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return Score(float(measurement.arrays["height"][0]))


@dataclass(frozen=True)
class Chained:
    """Draws points by a digest of all the evidence: one row lost, doubled or out of order changes all that follow."""

    seed: int = 0

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop:
        if stop := spent(evidence):
            return stop
        n, links = allowance(evidence, n), int(evidence.memory.get("links", 0)) + 1
        rows = (evidence.z, evidence.y, evidence.noise, evidence.status, evidence.pending)
        facts = json.dumps([self.seed, evidence.proposed, dict(evidence.memory)], sort_keys=True).encode()
        digest = hashlib.sha256(b"|".join((facts, *(row.tobytes() for row in rows)))).digest()
        chosen = np.random.default_rng(list(digest)).choice(np.flatnonzero(evidence.space.feasible), n, replace=False)
        return Plan(evidence.space.candidates[chosen], (f"link {links}",) * n, memory={"links": links})
