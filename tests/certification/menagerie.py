"""The zoo in campaigns and under certification: quick time-outs, a trajectory, a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.model import Measurement, Report, Score, Trajectory
from zbo_orchestrator.testing.tame import CHANNELS

QUICK = Timeouts(trial=4.0, heartbeat=1.0, ask=0.2, abort=0.2, safe=5.0, terminate=0.3)
STEPS = 6


def bump(steps: int = STEPS) -> Trajectory:
    return Trajectory(np.sin(np.linspace(0, np.pi, steps))[:, None], 0.02, CHANNELS)


def echoes(volts: Trajectory, report: Report) -> Measurement:
    """A specimen that answers the volts."""
    return Measurement({"level": volts.values}, executed=volts)


class Level:
    """Scores the mean of what was measured."""

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return Score(float(measurement.arrays["level"].mean()))


def campaign(path: Path, animal: str, timeouts: dict[str, Any] | None = None, **sections: Any) -> Path:
    """A campaign file of two trials with an animal of the zoo for its executor."""
    options = sections.pop("executor", {})
    part = {"use": f"zbo_orchestrator.testing.zoo:{animal}", "panel": str(path / "panel"), **options}
    document = {
        "name": "zoo",
        "simulated": True,
        "budget": {"initial": 2, "total": 2},
        "decoder": {"use": "identity", "channels": [{"name": "bias", "unit": "V"}], "lower": [-1], "upper": [1]},
        "atlas": {"grid": [19]},
        "planner": {"use": "random"},
        "timeouts": {"heartbeat": 2, "ask": 0.2, "abort": 0.2, "terminate": 0.3, "lease": 8, **(timeouts or {})},
        "executor": part,
        "evaluator": {"use": "menagerie:Level"},
        **sections,
    }
    file = path / "zoo.yaml"
    file.write_text(yaml.safe_dump(document))
    return file
