"""Clusters of discs that touch or nearly so, grown one disc at a time, all of them at once."""

from __future__ import annotations

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError

Ends = tuple[float, float]

MARGIN = 0.03
"""Free rim of the frame, as a share of its side."""

PLACES = 32
"""Places tried for each disc: at a random side of a random disc of its cluster."""

LOOSENESS = 1.2
"""Radii by which chance may outweigh closeness to the cluster's middle; with 0 the shapes repeat."""

ATTEMPTS = 100


def drawn_clusters(
    rng: np.random.Generator, sizes: Array, radius: Ends, gap: Ends, offset: float
) -> tuple[Array, Array]:
    """Centres [n, disc, 2] and radii [n, disc] (0 where a cluster has fewer) of sizes[n] discs in a frame of side 1.

    A disc is a `gap` away from the one it was put beside, as a share of the sum of their radii, and no closer to any
    other than the least gap; none reaches the frame's rim. `offset` is how far a cluster's middle is from the frame's
    at most. Raises `ConfigurationError` where no room is found.
    """
    n, most = len(sizes), int(sizes.max())
    centres, radii = np.zeros((n, most, 2)), np.zeros((n, most))
    left = np.arange(n)
    for _ in range(ATTEMPTS):
        centres[left], radii[left], whole = _grown(rng, sizes[left], most, radius, gap)
        left = left[~whole]
        if not len(left):
            return _put_in_frame(rng, centres, radii, offset), radii
    raise ConfigurationError(
        f"no room for {sizes[left[0]]} discs of radius {radius} (shares of the side); wanted smaller ones"
    )


def _grown(rng: np.random.Generator, sizes: Array, most: int, radius: Ends, gap: Ends) -> tuple[Array, Array, Array]:
    """Centres about the first disc, radii, and which clusters found a place for every disc."""
    n = len(sizes)
    radii = rng.uniform(*radius, (n, most)) * (np.arange(most) < sizes[:, None])
    centres = np.zeros((n, most, 2))
    whole = np.ones(n, bool)
    for disc in range(1, most):
        places = _beside(rng, centres[:, :disc], radii[:, : disc + 1], gap)
        cost = _cost(rng, places, centres[:, :disc], radii[:, : disc + 1], gap)
        best = cost.argmin(axis=1)
        centres[:, disc] = places[np.arange(n), best]
        whole &= np.isfinite(cost[np.arange(n), best]) | (sizes <= disc)
    return centres, radii, whole


def _beside(rng: np.random.Generator, centres: Array, radii: Array, gap: Ends) -> Array:
    """Places [n, place, 2] for one more disc, each beside one of the discs there are."""
    n, discs = centres.shape[:2]
    parent = rng.integers(discs, size=(n, PLACES))
    row = np.arange(n)[:, None]
    away = (radii[row, parent] + radii[:, -1:]) * (1 + rng.uniform(*gap, (n, 1)))
    angle = rng.uniform(0, 2 * np.pi, (n, PLACES))
    return centres[row, parent] + away[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _cost(rng: np.random.Generator, places: Array, centres: Array, radii: Array, gap: Ends) -> Array:
    """What speaks against each place [n, place]: its distance from the cluster's middle; inf where it is taken."""
    away = np.linalg.norm(places[:, :, None] - centres[:, None], axis=-1)
    taken = (away < (radii[:, None, :-1] + radii[:, None, -1:]) * (1 + gap[0] - 1e-9)).any(axis=-1)
    reach = _across(places, centres, radii)
    far = np.linalg.norm(places - centres.mean(axis=1, keepdims=True), axis=-1)
    chance = LOOSENESS * radii[:, -1:] * rng.uniform(size=far.shape)
    return np.where(taken | (reach > 1 - 2 * MARGIN), np.inf, far + chance)


def _across(places: Array, centres: Array, radii: Array) -> Array:
    """The longer side [n, place] of the box about a cluster with one more disc at each of the places."""
    lower, upper = _box(centres, radii[:, :-1])
    new = radii[:, -1, None, None]
    box = np.maximum(upper[:, None], places + new) - np.minimum(lower[:, None], places - new)
    return np.asarray(box.max(axis=-1))


def _box(centres: Array, radii: Array) -> tuple[Array, Array]:
    """Corners [n, 2] of the box about each cluster's discs; those of radius 0 are none."""
    there = (radii > 0)[..., None]
    lower = np.where(there, centres - radii[..., None], np.inf).min(axis=1)
    upper = np.where(there, centres + radii[..., None], -np.inf).max(axis=1)
    return lower, upper


def _put_in_frame(rng: np.random.Generator, centres: Array, radii: Array, offset: float) -> Array:
    """Each cluster with its box in the middle of the frame, or a little off, as far as there is room."""
    lower, upper = _box(centres, radii)
    room = (1 - 2 * MARGIN - (upper - lower)) / 2
    move = rng.uniform(-1, 1, room.shape) * np.minimum(room, offset)
    return np.asarray(centres + (0.5 + move - (lower + upper) / 2)[:, None])
