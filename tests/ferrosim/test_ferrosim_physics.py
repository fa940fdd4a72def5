"""The polynomial, its minima, the curl and the disorder."""

from __future__ import annotations

import numpy as np
import pytest

from zbo_ferrosim import FerroSim, curl
from zbo_ferrosim.physics import LANDAU, MODES, Mode, defect_fields, polynomial, random_bonds, remnant
from zbo_orchestrator.model import Array


def density(mode: Mode, p: Array) -> Array:
    a, b, c = polynomial(mode, np.array(LANDAU[mode]))
    x, y = p[..., 0] ** 2, p[..., 1] ** 2
    return np.asarray(a / 2 * (x + y) + b / 4 * (x**2 + y**2) + c / 2 * x * y)


@pytest.mark.parametrize("mode", MODES)
def test_the_remnant_state_is_the_deepest_point_of_the_landau_energy(mode: Mode) -> None:
    start = remnant(mode, np.array(LANDAU[mode]))
    axis = np.linspace(-1.5, 1.5, 301)
    square = np.stack(np.meshgrid(axis, axis), -1)
    reachable = square[:, 150] if mode == "uniaxial" else square
    assert (start <= 0).all()
    assert start.any()
    assert density(mode, start) <= density(mode, reachable).min() + 1e-9


def test_a_lattice_without_a_well_starts_unpoled() -> None:
    assert not remnant("tetragonal", np.array([1.6, 12.2, 40.0])).any()


@pytest.mark.parametrize("mode", MODES)
def test_the_remnant_state_stays_where_nothing_pulls_at_it(mode: Mode) -> None:
    sim = FerroSim(4, mode, coupling=0.0, depolarization=0.0)
    final = sim.final_polarization(np.zeros((200, 2)), np.arange(200) * 0.01)
    assert np.allclose(final, np.moveaxis(sim.initial_polarization, -1, 0), atol=1e-12)


def test_curl_of_a_vortex_is_twice_its_spin_away_from_the_edges() -> None:
    i, j = np.meshgrid(np.arange(7.0), np.arange(7.0), indexing="ij")
    rotating = 0.5 * np.stack([-(j - 3), i - 3])
    assert np.allclose(curl(rotating)[1:-1, 1:-1], 1.0)
    assert np.allclose(curl(np.stack([i, j]))[1:-1, 1:-1], 0.0)
    assert np.allclose(curl(np.stack([rotating, -rotating]))[1], -curl(rotating))


def test_curl_wants_two_components() -> None:
    with pytest.raises(ValueError, match=r"\(3, 5, 5\); wanted \[\.\.\., 2, n, n\]"):
        curl(np.zeros((3, 5, 5)))


def test_defects_have_the_strength_and_share_asked_for_and_repeat() -> None:
    fields = defect_fields(100, 2.0, 0.25, seed=3)
    pinned = fields.any(axis=1)
    assert abs(pinned.mean() - 0.25) < 0.02
    assert abs(fields[pinned].std() - 2.0) < 0.05
    assert np.array_equal(fields, defect_fields(100, 2.0, 0.25, seed=3))
    assert not np.array_equal(fields, defect_fields(100, 2.0, 0.25, seed=4))


def test_bonds_scatter_around_one_and_never_repel() -> None:
    assert abs(random_bonds(100, 0.2, seed=1).mean() - 1) < 0.01
    assert abs(random_bonds(100, 0.2, seed=1).std() - 0.2) < 0.01
    assert random_bonds(100, 3.0, seed=1).min() == 0
