"""Campaigns made up for the report, without a store: any dimension, any outcome, known maps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from zbo_orchestrator.model import Array, Budget, Channel, Goal, Space, Trajectory
from zbo_orchestrator.report.findings import Best, Findings, Maps, Measured, Trials

DT = 0.01


@dataclass(frozen=True)
class Waves:
    """A decoder with known curves: z0 is the growth, z1 the frequency, further ones shift it."""

    d: int
    steps: int = 300
    channels: int = 1

    @property
    def box(self) -> tuple[Array, Array]:
        return np.full(self.d, -2.0), np.full(self.d, 2.0)

    def decode(self, z: Array) -> Trajectory:
        t = np.linspace(0, 3, self.steps)
        frequency = 6 + (z[:, 1] if self.d > 1 else 0.0)
        phase = z[:, 2:].sum(axis=1)
        wave = np.exp(0.4 * z[:, :1] * t) * np.cos(
            np.asarray(frequency * np.ones(len(z)))[:, None] * t + phase[:, None]
        )
        values = np.stack([wave * 0.8**k for k in range(self.channels)], axis=-1)
        return Trajectory(values, DT, names(self.channels))


@dataclass(frozen=True)
class Direct:
    """A decoder for a direct search: one step, a channel a dimension."""

    d: int

    @property
    def box(self) -> tuple[Array, Array]:
        return np.full(self.d, -2.0), np.full(self.d, 2.0)

    def decode(self, z: Array) -> Trajectory:
        return Trajectory(z[:, None], 1.0, names(self.d))


def names(count: int) -> tuple[Channel, ...]:
    return tuple(Channel(name, "Ec") for name in ("field", "bias", "strain", "load")[:count])


def space(d: int, shape: tuple[int, ...] | None, scattered: int = 400) -> Space:
    lower, upper = np.full(d, -2.0), np.full(d, 2.0)
    axes = [np.linspace(-2, 2, n) for n in shape or ()]
    grid = np.array(list(product(*axes))) if shape else np.random.default_rng(0).uniform(-2, 2, (scattered, d))
    inside = 1.9**2 - np.sum((grid - 0.2) ** 2, axis=1) * (2 / d)
    return Space(lower, upper, grid, inside[:, None], ("field.upper",), shape)


def landscape(z: Array) -> Array:
    first = np.exp(-2.2 * np.sum((z - 0.6) ** 2, axis=1))
    return 5.0 * first + 2.5 * np.exp(-1.5 * np.sum((z + 0.8) ** 2, axis=1)) + 0.2 * np.sin(3 * z[:, 0])


def trials(where: Space, count: int, initial: int, statuses: dict[int, str], seed: int = 1) -> Trials:
    rng = np.random.default_rng(seed)
    pool = where.candidates[where.feasible]
    z = pool[rng.integers(len(pool), size=count)] if count else np.zeros((0, where.dimension))
    toward = np.linspace(0, 1, max(count - initial, 0)) ** 0.5
    target = pool[np.argmax(landscape(pool))]
    z[initial:] += toward[:, None] * (target - z[initial:]) * rng.uniform(0.3, 1, (len(toward), 1))
    status = tuple(statuses.get(number, "scored") for number in range(count))
    scored = np.array([each == "scored" for each in status], dtype=bool)
    waiting = np.array([each in {"proposed", "started"} for each in status], dtype=bool)
    at = 1.7e9 + np.arange(count, dtype=float)
    return Trials(
        number=np.arange(count),
        z=z,
        value=np.where(scored, landscape(z), np.nan) if count else np.zeros(0),
        noise=np.full(count, np.nan),
        status=status,
        plan=np.maximum(np.arange(count) - initial + 1, 0),
        attempts=np.where(waiting, 0, 1),
        seed=tuple(None if each else 7 for each in waiting),
        proposed_at=at,
        recorded_at=np.where(waiting, np.nan, at + 0.5),
        reason=tuple(
            "space-filling: initial design" if number < initial else
            f"exploit: predicted {landscape(z[number:number + 1])[0]:.3g} ± 0.2, expected improvement 0.03"
            for number in range(count)
        ),
        error=tuple("" if each in {"scored", "proposed", "started"} else f"{each}: field.upper" for each in status),
        terms={"curl": np.where(scored, landscape(z) if count else 0.0, np.nan)} if count else {},
    )  # fmt: skip


def maps(where: Space, made: Trials) -> Maps:
    plans = np.unique(made.plan[made.plan > 0])
    truth = landscape(where.candidates)
    layers: dict[str, list[Array]] = {"mean": [], "deviation": [], "acquisition": []}
    for plan in plans:
        seen = made.z[made.plan < plan]
        near = np.min(np.linalg.norm(where.candidates[:, None] - seen[None], axis=2), axis=1)
        deviation = np.where(where.feasible, 1 - np.exp(-near), np.nan)
        layers["mean"].append(np.where(where.feasible, truth * np.exp(-0.5 * near), np.nan))
        layers["deviation"].append(deviation)
        layers["acquisition"].append(np.log(deviation + 1e-9) * 4 + layers["mean"][-1])
    return Maps(plans, {name: np.array(rows, dtype=np.float32) for name, rows in layers.items()} if len(plans) else {})


def measured(n: int = 20, steps: int = 300) -> tuple[Measured, ...]:
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), indexing="ij")
    swirl = np.stack([-y, x + 0.3 * np.sin(5 * y)])
    loop = np.cos(np.linspace(0, 18, steps) - 0.7)
    return (
        Measured("polarization", swirl, ("component", "x", "y"), "C/m²"),
        Measured("curl", np.sin(3 * x) * np.cos(4 * y), ("x", "y"), "1/m"),
        Measured("intensity", np.hypot(x, y), ("row", "column")),
        Measured("total_polarization", np.stack([loop, 0.2 * loop**2], axis=1), ("step", "component"), "C/m²"),
        Measured("spectrum", np.exp(-(np.linspace(-3, 3, 90) ** 2)), ("frequency",), "V"),
        Measured("frames", np.stack([swirl * k for k in np.linspace(0.2, 1, 9)]), ("frame", "component", "x", "y")),
        Measured("temperature", np.array(300.0), (), "K"),
        Measured("comment", np.array("a <b>bold</b> word"), ()),
    )


def findings(
    d: int = 2,
    shape: tuple[int, ...] | None = (30, 30),
    count: int = 40,
    initial: int = 12,
    statuses: dict[int, str] | None = None,
    *,
    decoder: Waves | Direct | None = None,
    channels: int = 1,
    with_truth: bool = False,
    modelled: bool = True,
    name: str = "ferrosim-curl",
    maximize: bool = True,
    few: bool = False,
) -> Findings:
    where = space(d, shape)
    decoder = decoder or Waves(d, channels=channels)
    made = trials(where, count, initial, statuses or {})
    goal = Goal(maximize)
    best = None
    steps = decoder.decode(where.candidates[:1]).steps
    if made.scored.any():
        row = int(np.nanargmax(goal.gain(made.value)))
        proposed = decoder.decode(made.z[row : row + 1])[0]
        executed = Trajectory(proposed.values * 0.97 + 0.01, proposed.dt, proposed.channels)
        best = Best(row, proposed, executed, measured(steps=steps)[: 2 if few else None])
    codes = np.random.default_rng(2).normal(0, 0.9, (1500, d))
    library = decoder.decode(codes[:120])
    return Findings(
        name=name,
        goal=goal,
        budget=Budget(initial, max(count, initial)),
        state="finished" if count else "running",
        stop_reason="the budget of trials is spent" if count else "",
        trials=made,
        space=where,
        maps=maps(where, made) if modelled and count else Maps(np.zeros(0, dtype=int), {}),
        channels=library.channels,
        steps=steps,
        elapsed=93.0,
        best=best,
        codes=codes if steps > 1 else None,
        library=library if steps > 1 else None,
        families=tuple("modulated-sine" if k % 2 else "periodic" for k in range(120)) if steps > 1 else (),
        truth=np.where(where.feasible, landscape(where.candidates), np.nan) if with_truth else None,
        parameters=decoder.decode(made.z).values[:, 0] if steps == 1 and count else None,
        decoder=decoder,
        document={"name": name, "planner": {"use": "bayesian"}},
        provenance={"Commit": "ABC123", "seed": "7"},
    )
