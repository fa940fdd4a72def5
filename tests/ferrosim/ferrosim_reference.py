"""Runs of the original simulator, where their files are at hand, and a lattice in plain NumPy to compare with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from zbo_ferrosim import FerroSim
from zbo_orchestrator.model import Array

some = settings(max_examples=25, deadline=None)
"""How many examples a property gets, and no race against the clock."""

DATA = Path(os.environ.get("ZBO_DATA", Path(__file__).parents[2] / "../shared/data")) / "ferrosim_reference"
RUNS = (
    "rhombohedral",
    "square_sine",
    "tetragonal_process",
    "tetragonal_process_stochastic",
    "tetragonal_random_bond",
    "tetragonal_weak",
    "uniaxial_sine",
)


def reference(name: str) -> dict[str, Array]:
    """One recorded run, by key."""
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no reference run {path.name} in {DATA}: set ZBO_DATA to the folder that holds ferrosim_reference")
    with np.load(path) as file:
        return dict(file)


def lattice_of(run: dict[str, Array], **changes: object) -> FerroSim:
    """The lattice of a recorded run; its Landau terms are the defaults."""
    options = {
        "n": int(run["n"]),
        "mode": str(run["mode"]),
        "coupling": run["k"],
        "depolarization": float(run["dep_alpha"]),
        "gamma": float(run["gamma"]),
        "defects": run["defects"],
        "initial_polarization": run["initial_polarization"],
        "update": "published" if run["stochastic"] else "all",
    }
    return FerroSim(**(options | changes))  # type: ignore[arg-type]


def plain(sim: FerroSim, fields: Array, time: Array) -> tuple[Array, Array]:
    """The final polarisation [2, n, n] and the totals [2, step], in the kernel's order of operations.

    Each product and sum is rounded once, so that a kernel that fused or reordered any would differ in the last bit.
    """
    n, (b, c, move_x, move_y, depolarization) = sim.n, sim.constants
    x, y = (np.ascontiguousarray(sim.initial_polarization[..., axis]) for axis in range(2))
    dx, dy = (sim.forces[:, axis].reshape(n, n) for axis in range(2))
    stiffness, pull = (sim.springs[:, part].reshape(n, n) for part in range(2))
    applied, intervals = fields * sim.coercive_field, np.diff(time, prepend=time[0])
    totals = np.zeros((2, len(time)))
    totals[:, 0] = sim.initial_polarization.reshape(-1, 2).sum(0)
    for step in range(1, len(time)):
        ex, ey = applied[step] - depolarization * totals[:, step - 1]
        xx, yy = x * x, y * y
        rate_x = (ex + dx) + pull * near(x) - x * (stiffness + (b * xx + c * yy))
        rate_y = (ey + dy) + pull * near(y) - y * (stiffness + (b * yy + c * xx))
        x, y = x + (intervals[step] * move_x) * rate_x, y + (intervals[step] * move_y) * rate_y
        totals[:, step] = np.cumsum(x)[-1], np.cumsum(y)[-1]
    return np.stack([x, y]), totals


def near(p: Array) -> Array:
    """The sum over four neighbours, zeros beyond the edges."""
    q = np.pad(p, 1)
    return (q[:-2, 1:-1] + q[2:, 1:-1]) + (q[1:-1, :-2] + q[1:-1, 2:])
