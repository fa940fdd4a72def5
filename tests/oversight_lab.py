"""An apparatus that drifts: every trial reads higher than the one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zbo_orchestrator.model import Measurement, Run, Trajectory


@dataclass(frozen=True)
class Drifting:
    folder: Path
    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        return Measurement({"height": np.array([float(run.number)])})
