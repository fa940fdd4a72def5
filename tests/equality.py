"""What it means for two histories to be equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zbo_orchestrator.history import open_history

STAMPS = {"proposed_at", "started_at", "recorded_at", "plan_at", "plan_elapsed"}
"""What differs between two equal campaigns: when."""


def assert_equal_histories(one: Path, other: Path) -> None:
    """Every proposal, trajectory, measurement, score, plan and map is the same, bit for bit."""
    with open_history(one) as first, open_history(other) as second:
        assert set(first.variables) == set(second.variables)
        for name in sorted(set(first.variables) - STAMPS):
            np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=str(name))
