"""Where a planner may ask: the atlas in unit coordinates, what was asked already, and finer points in between."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from scipy.spatial import KDTree
from scipy.stats import qmc

from zbo_orchestrator.model import Array, Evidence, Space, Status

Design = Literal["sobol", "maximin", "random"]
SAME = 1e-9
"""Points closer than this in the unit box are one point."""


def unit(space: Space, z: Array) -> Array:
    """z[m, d] scaled so that the latent box is the unit box."""
    return (z - space.lower) / (space.upper - space.lower)


def latent(space: Space, points: Array) -> Array:
    """The inverse of `unit`."""
    return space.lower + points * (space.upper - space.lower)


def spacing(space: Space) -> Array:
    """Distance [d] between neighbouring candidates in the unit box; of scattered ones, as if they formed a grid."""
    if space.shape is not None:
        return 1.0 / np.maximum(np.array(space.shape) - 1.0, 1.0)
    return np.full(space.dimension, float(len(space.candidates)) ** (-1.0 / space.dimension))


def distance(points: Array, others: Array) -> Array:
    """Distance [m] from each point to the nearest of the others, infinite where there are none."""
    if not len(others) or not len(points):
        return np.full(len(points), np.inf)
    return np.asarray(KDTree(others).query(points)[0])


def asked(evidence: Evidence) -> Array:
    """Every point ever proposed or recorded, [k, d] in the unit box."""
    return unit(evidence.space, np.concatenate([evidence.z, evidence.pending]))


def barred(evidence: Evidence, *, repeats: bool) -> Array:
    """The points [k, d] that must not be asked (again): all that were; with repeats, what is ruled out or pending."""
    if not repeats:
        return asked(evidence)
    barred = evidence.z[np.isin(evidence.status, (Status.REFUSED, Status.STOPPED, Status.VETOED))]
    return unit(evidence.space, np.concatenate([barred, evidence.pending]))


def finer(space: Space, centres: Array, count: int, rng: np.random.Generator) -> Array:
    """Certified z[r, d], up to `count` around each centre (unit box), from an eighth of a spacing to two away."""
    if space.certify is None or not count or not len(centres):
        return np.empty((0, space.dimension))
    shape = (len(centres), count, space.dimension)
    reach = 2.0 ** rng.uniform(-3, 1, shape[:2])[..., None] * spacing(space)
    points = (centres[:, None] + reach * rng.uniform(-1, 1, shape)).reshape(-1, space.dimension)
    z = latent(space, points[((points > 0) & (points < 1)).all(axis=1)])
    return z[(np.asarray(space.certify(z)) >= 0).all(axis=1)] if len(z) else z


def sequence(space: Space, design: Design, seed: int) -> Iterator[int]:
    """Every feasible candidate's index once, in the order of the design: position k depends on the seed alone.

    sobol    scrambled Sobol points of the box, each moved to its nearest candidate where that is feasible
    maximin  from a random start, always the candidate farthest from those before
    random   a random permutation
    """
    feasible = np.flatnonzero(space.feasible)
    rng = np.random.default_rng(seed)
    match design:
        case "sobol":
            return _sobol(space, feasible, rng)
        case "maximin":
            return _maximin(unit(space, space.candidates[feasible]), feasible, rng)
        case "random":
            return map(int, rng.permutation(feasible))


def _sobol(space: Space, feasible: Array, rng: np.random.Generator) -> Iterator[int]:
    tree = KDTree(unit(space, space.candidates))
    engine = qmc.Sobol(space.dimension, scramble=True, rng=rng)
    rest = rng.permutation(feasible)
    left = set(map(int, feasible))
    for _ in range(4 + 4 * len(space.candidates) // 256):
        for index in map(int, tree.query(engine.random(256))[1]):
            if index in left:
                left.remove(index)
                yield index
    # What 4 Sobol points a candidate missed follows in random order.
    yield from (int(index) for index in rest if int(index) in left)


def _maximin(points: Array, feasible: Array, rng: np.random.Generator) -> Iterator[int]:
    if not len(points):
        return
    pick, nearest = int(rng.integers(len(points))), np.full(len(points), np.inf)
    for _ in range(len(points)):
        yield int(feasible[pick])
        nearest = np.minimum(nearest, np.linalg.norm(points - points[pick], axis=1))
        nearest[pick] = -1.0
        pick = int(nearest.argmax())


def designed(evidence: Evidence, design: Design, seed: int, n: int) -> Array:
    """Up to n unasked candidates [<= n, d] of the design, from position `evidence.proposed` on, then from its start.

    One at a time or all at once, the points come out the same.
    """
    space, position = evidence.space, evidence.proposed
    seen = asked(evidence)
    taken = distance(unit(space, space.candidates), seen) <= SAME
    order = sequence(space, design, seed)
    skipped = list(itertools.islice(order, position))
    fresh = (index for index in itertools.chain(order, skipped) if not taken[index])
    return space.candidates[list(itertools.islice(fresh, n))]
