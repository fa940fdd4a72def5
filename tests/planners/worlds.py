"""Small worlds with known answers, and evidence gathered in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from zbo_orchestrator.model import Array, Budget, Certify, Evidence, Goal, Plan, Planner, Space, Status, Stop

Outcome = tuple[float, Status]


def grid(*shape: int, feasible: Callable[[Array], Array] | None = None, certify: Certify | None = None) -> Space:
    """A grid over [-2, 3] x ... whose points are feasible where the mask says so (everywhere without one)."""
    d = len(shape)
    axes = [np.linspace(-2.0, 3.0, n) for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, d)
    return _space(points, shape, feasible, certify)


def scattered(d: int, count: int, *, certify: Certify | None = None) -> Space:
    """Uniformly scattered candidates in the same box."""
    return _space(np.random.default_rng(d).uniform(-2, 3, (count, d)), None, None, certify)


def _space(
    points: Array, shape: tuple[int, ...] | None, feasible: Callable[[Array], Array] | None, certify: Certify | None
) -> Space:
    d = points.shape[1]
    inside = np.ones(len(points), bool) if feasible is None else feasible(points)
    margins = np.where(inside, 1.0, -1.0)[:, None]
    return Space(np.full(d, -2.0), np.full(d, 3.0), points, margins, ("limit",), shape, certify)


def ring(z: Array) -> Array:
    """Feasible between two circles: neither convex nor simply connected."""
    radius = np.linalg.norm(z - 0.5, axis=1)
    return (radius > 0.8) & (radius < 2.2)


def waves(z: Array) -> Array:
    """A smooth function [m] with several maxima."""
    return np.sin(2 * z[:, 0]) + 0.5 * np.cos(3 * z[:, -1]) - 0.1 * np.square(z).sum(axis=1)


def empty(space: Space, *, initial: int = 5, total: int = 40, goal: Goal | None = None) -> Evidence:
    """Evidence before the first trial."""
    none, points = np.empty(0), np.empty((0, space.dimension))
    return Evidence(
        space, points, none, none, none, points, 0, goal=goal or Goal(), budget=Budget(initial=initial, total=total)
    )


def told(evidence: Evidence, z: Array, y: Array, status: Array | None = None) -> Evidence:
    """The evidence after further trials, none of them pending."""
    status = np.full(len(z), Status.SCORED) if status is None else status
    return replace(
        evidence,
        z=np.concatenate([evidence.z, z]),
        y=np.concatenate([evidence.y, np.where(status == Status.SCORED, y, np.nan)]),
        noise=np.full(len(evidence.y) + len(y), np.nan),
        status=np.concatenate([evidence.status, status]),
        proposed=evidence.proposed + len(z),
    )


def sampled(
    space: Space, count: int, *, seed: int = 0, f: Callable[[Array], Array] = waves, **options: int
) -> Evidence:
    """Evidence of `count` random scored trials."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(space.feasible))[:count]
    z = space.candidates[rows]
    return told(empty(space, **options), z, f(z))


def campaign(
    planner: Planner, evidence: Evidence, f: Callable[[Array], Outcome] | None = None, *, batch: int = 1
) -> Iterator[tuple[Evidence, Plan | Stop]]:
    """Each plan with the evidence it saw, ending with the stop; f(z[d]) says what comes of a trial."""
    f = f or (lambda z: (float(waves(z[None])[0]), Status.SCORED))
    while True:
        plan = planner.plan(evidence, batch)
        yield evidence, plan
        if isinstance(plan, Stop):
            return
        outcomes = [f(z) for z in plan.z]
        values, statuses = (np.array(column) for column in zip(*outcomes, strict=True))
        evidence = replace(told(evidence, plan.z, values, statuses), memory=plan.memory)
