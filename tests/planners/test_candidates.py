"""Where planners may ask, and the designs they begin with."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import empty, grid, ring, scattered, told

from zbo_orchestrator.model import Array
from zbo_orchestrator.planners.candidates import Design, designed, distance, finer, latent, sequence, spacing, unit

DESIGNS: tuple[Design, ...] = ("sobol", "maximin", "random")


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("space", [grid(40), grid(15, 15, feasible=ring), scattered(4, 200)], ids=["1d", "ring", "4d"])
def test_a_sequence_holds_every_feasible_candidate_once(design: Design, space: object) -> None:
    order = list(sequence(space, design, 3))  # type: ignore[arg-type]
    assert sorted(order) == list(np.flatnonzero(space.feasible))  # type: ignore[attr-defined]
    assert order == list(sequence(space, design, 3))  # type: ignore[arg-type]
    assert order != list(sequence(space, design, 4))  # type: ignore[arg-type]


@given(st.sampled_from(DESIGNS), st.integers(0, 50), st.lists(st.integers(1, 4), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_design_is_the_same_however_it_is_asked_for(design: Design, seed: int, batches: list[int]) -> None:
    evidence = empty(grid(9, 9, feasible=ring))
    at_once = designed(evidence, design, seed, sum(batches))
    parts = []
    for n in batches:
        z = designed(evidence, design, seed, n)
        parts.append(z)
        evidence = told(evidence, z, np.zeros(len(z)))
    assert np.array_equal(np.concatenate(parts), at_once)


@pytest.mark.parametrize("design", ["sobol", "maximin"])
def test_twenty_points_fill_space_better_than_random_ones(design: Design) -> None:
    space = grid(60, 60, feasible=ring)
    feasible = space.candidates[space.feasible]

    def hole(kind: Design) -> float:
        holes = []
        for seed in range(8):
            z = space.candidates[list(itertools.islice(sequence(space, kind, seed), 20))]
            holes.append(distance(feasible, z).max())
        return float(np.mean(holes))

    assert hole(design) < 0.9 * hole("random")


def test_a_point_injected_by_hand_is_not_asked_again() -> None:
    evidence = empty(grid(4, 4))
    order = designed(evidence, "sobol", 0, 16)
    injected = told(evidence, order[[1]], np.zeros(1))
    rest = designed(injected, "sobol", 0, 16)
    assert len(rest) == 15
    assert not (rest[:, None] == order[1]).all(axis=-1).any()


def test_pending_points_are_not_asked_again() -> None:
    evidence = empty(grid(4, 4))
    pending = replace(evidence, pending=designed(evidence, "random", 0, 15), proposed=15)
    assert len(designed(pending, "random", 0, 5)) == 1


@pytest.mark.parametrize("d", [1, 2, 3])
def test_finer_points_are_certified_near_their_centre_and_inside_the_box(d: int) -> None:
    asked: list[Array] = []

    def certify(z: Array) -> Array:
        asked.append(z)
        return np.stack([z[:, 0] - 0.5, np.ones(len(z))], axis=1)

    space = grid(*[11] * d, certify=certify)
    centres = np.array([[0.5] * d, [1.0] * d])
    z = finer(space, centres, 50, np.random.default_rng(0))
    assert len(z) > 20
    assert (z[:, 0] >= 0.5).all()
    assert ((z >= space.lower) & (z <= space.upper)).all()
    assert {tuple(row) for row in z} <= {tuple(row) for row in np.concatenate(asked)}
    reach = np.abs(unit(space, z)[:, None] - centres).max(axis=-1).min(axis=1)
    assert (reach <= 2 * spacing(space).max()).all()
    assert (reach < 0.5 * spacing(space).max()).any()
    assert not len(finer(replace(space, certify=None), centres, 50, np.random.default_rng(0)))


def test_unit_coordinates_go_there_and_back() -> None:
    space = scattered(3, 50)
    points = unit(space, space.candidates)
    assert ((points >= 0) & (points <= 1)).all()
    assert np.allclose(latent(space, points), space.candidates, atol=1e-14)
