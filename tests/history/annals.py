"""A small campaign to write histories of, and what two readers must agree on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zbo_orchestrator.history import Charter, History, Record
from zbo_orchestrator.model import (
    Array,
    Attempt,
    Budget,
    Channel,
    Evidence,
    ExecutionError,
    Goal,
    Measurement,
    Plan,
    Proposal,
    RefusedError,
    Score,
    Space,
    Stopped,
    Trajectory,
    TransientError,
    Trial,
)

STEPS = 9
CHANNELS = (Channel("field", "Ec"),)
IDENTITY = {"seed": 7, "planner": {"use": "bayesian", "acquisition": "ei"}, "decoder": {"layers": [3, 4]}}


def space() -> Space:
    axis = np.linspace(-1, 1, 5)
    candidates = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    margins = np.column_stack([1.2 - np.abs(candidates[:, 0]), 0.8 - candidates[:, 1]])
    return Space(
        np.array([-1.0, -1.0]), np.array([1.0, 1.0]), candidates, margins, ("field.upper", "field.slew"), (5, 5)
    )


def charter(**changes: object) -> Charter:
    rng = np.random.default_rng(5)
    facts: dict[str, object] = {
        "name": "annals",
        "goal": Goal(),
        "budget": Budget(4, 20),
        "identity": IDENTITY,
        "campaign": {"name": "annals", "width": 1, "seed": 7},
        "decoder": {
            "weights": rng.normal(size=(3, 4)).astype("f4"),
            "codes": rng.normal(size=(6, 2)),
            "channels": np.array(["field"]),
            "dt": np.array(0.1),
        },
        "space": space(),
        "library": Trajectory(rng.normal(size=(6, STEPS, 1)), 0.1, CHANNELS),
        "families": ("sine",) * 4 + ("step",) * 2,
        "notes": {"sample": "A"},
        "repeatable": True,
    }
    return Charter(**{**facts, **changes})  # type: ignore[arg-type]


def found(path: Path, **changes: object) -> History:
    return History.create(path, charter(**changes))


def plan(rng: np.random.Generator, n: int = 1, *, maps: bool = True) -> Plan:
    names = ("mean", "deviation", "acquisition") if maps else ()
    memory = {"best": rng.normal(), "scales": rng.random(2).tolist(), "rounds": int(rng.integers(9))}
    reasons = tuple(f"because of µ = {rng.normal():.3g}" for _ in range(n))
    return Plan(rng.uniform(-1, 1, (n, 2)), reasons, {name: rng.normal(size=25) for name in names}, memory)


def trajectory(rng: np.random.Generator) -> Trajectory:
    return Trajectory(rng.normal(size=(STEPS, 1)), 0.1, CHANNELS)


def measurement(rng: np.random.Generator, executed_steps: int = STEPS) -> Measurement:
    return Measurement(
        arrays={
            "image": rng.normal(size=(8, 20)),
            "counts": rng.integers(0, 9, size=5, dtype=np.int32),
            "spectrum": rng.normal(size=3) + 1j * rng.normal(size=3),
            "temperature": np.array(rng.normal()),
        },
        dims={"image": ("y", "x")},
        units={"image": "C/m2"},
        executed=Trajectory(rng.normal(size=(executed_steps, 1)), 0.2, CHANNELS),
    )


OUTCOMES = (ExecutionError, RefusedError, Stopped, TransientError)


def trial(proposal: Proposal, rng: np.random.Generator, failure: type[ExecutionError] | None = None) -> Trial:
    attempts = tuple(Attempt(n, int(rng.integers(1 << 40)), n + 0.25, n + 0.5, "late" * (n - 1)) for n in (1, 2))
    if failure is not None:
        return Trial(proposal, trajectory(rng), failure(f"no: {rng.normal():.3g}"), None, attempts)
    score = Score(rng.normal(), {"curl": rng.normal(), "energy": rng.normal()}, float(rng.random()))
    return Trial(proposal, trajectory(rng), score, measurement(rng, int(rng.integers(4, 14))), attempts)


def filled(path: Path, trials: int = 6, **changes: object) -> list[Trial]:
    """Write a history of so many recorded trials, the third one refused, and one more proposal; return the trials."""
    rng = np.random.default_rng(11)
    written = []
    with found(path, **changes) as history:
        (proposal,) = history.propose(plan(rng))
        for number in range(trials):
            written.append(trial(proposal, rng, RefusedError if number == 2 else None))
            with history.transaction():
                history.record(written[-1])
                history.evidence()
                (proposal,) = history.propose(plan(rng))
    return written


# --- equality, bit for bit ---


def assert_same_trial(one: Trial, other: Trial) -> None:
    assert one.number == other.number
    assert type(one.outcome) is type(other.outcome)
    assert repr(one.outcome) == repr(other.outcome)
    assert one.attempts == other.attempts
    same(one.proposal.z, other.proposal.z)
    assert_same_trajectory(one.trajectory, other.trajectory)
    assert (one.measurement is None) == (other.measurement is None)
    if one.measurement is not None and other.measurement is not None:
        assert_same_measurement(one.measurement, other.measurement)


def assert_same_measurement(one: Measurement, other: Measurement) -> None:
    assert dict(one.dims) == dict(other.dims)
    assert set(one.arrays) == set(other.arrays)
    for name, values in one.arrays.items():
        assert values.dtype == other.arrays[name].dtype
        same(values, other.arrays[name])
    assert (one.executed is None) == (other.executed is None)
    if one.executed is not None and other.executed is not None:
        assert_same_trajectory(one.executed, other.executed)


def assert_same_trajectory(one: Trajectory, other: Trajectory) -> None:
    same(one.values, other.values)
    assert (one.dt, one.channels) == (other.dt, other.channels)


def assert_same_evidence(one: Evidence, other: Evidence) -> None:
    for name in ("z", "y", "noise", "status", "pending"):
        same(getattr(one, name), getattr(other, name))
    for name in ("proposed", "memory", "goal", "budget", "elapsed"):
        assert getattr(one, name) == getattr(other, name), name


def same(one: Array, other: Array) -> None:
    assert one.shape == other.shape
    assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def assert_holds(record: Record, trials: list[Trial]) -> None:
    """The record holds just these trials."""
    for written, read in zip(trials, record.trials(), strict=True):
        assert_same_trial(written, read)
