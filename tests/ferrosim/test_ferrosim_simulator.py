"""The simulator: agreement with the original, symmetries, energies, and what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import pytest
from ferrosim_reference import RUNS, lattice_of, plain, reference, some
from hypothesis import given
from hypothesis import strategies as st

from zbo_ferrosim import FerroSim, curl
from zbo_ferrosim.lanes import compiled
from zbo_ferrosim.physics import MODES, Mode
from zbo_orchestrator.model import Array, ConfigurationError, ExecutionError

TIME = np.arange(60) * 0.004


def drive(seed: int = 0, count: int | None = None, steps: int = 60) -> Array:
    shape = (steps, 2) if count is None else (count, steps, 2)
    return np.random.default_rng(seed).normal(0, 3, shape)


def lattice(mode: Mode = "tetragonal", **changes: Any) -> FerroSim:
    rng = np.random.default_rng(11)
    options = {
        "n": 5,
        "coupling": 2.0,
        "depolarization": 0.2,
        "defects": rng.normal(0, 1, (25, 2)),
        "initial_polarization": rng.normal(0, 0.3, (5, 5, 2)),
    }
    return FerroSim(mode=mode, **(options | changes))


# --- agreement -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
def test_agrees_with_the_original(name: str) -> None:
    run = reference(name)
    sim = lattice_of(run)
    ended = sim.run(run["field"], run["time"])
    assert np.allclose(sim.landau, run["alpha"], rtol=0, atol=0)
    assert abs(sim.coercive_field - run["coercive_field"]) < 1e-12
    assert np.abs(ended.polarization - run["final_polarization"]).max() < 1e-12
    assert np.abs(ended.total_polarization - run["total_polarization"]).max() < 1e-12
    assert np.abs(curl(ended.polarization) - run["final_curl"]).max() < 1e-12
    assert abs(np.abs(curl(ended.polarization)).sum() - run["sum_abs_curl"]) < 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_every_operation_is_the_plain_one_bit_for_bit(mode: Mode) -> None:
    sim = lattice(mode, coupling=np.random.default_rng(2).uniform(1, 3, 25), gamma=0.7)
    ended = sim.run(drive(), TIME)
    final, totals = plain(sim, drive(), TIME)
    assert np.array_equal(ended.polarization, final)
    assert np.array_equal(ended.total_polarization[:, 1:], totals[:, 1:])


# --- independence ----------------------------------------------------------------------------------


@some
@given(
    members=st.lists(st.integers(0, 5), min_size=1, max_size=21),
    threads=st.integers(1, 3),
    update=st.sampled_from(["all", "published"]),
)
def test_a_run_is_the_same_alone_anywhere_in_a_batch_on_any_threads(
    members: list[int], threads: int, update: str
) -> None:
    sim, fields = lattice(update=update), drive(count=6)
    batch = sim.final_polarization(fields[members], TIME, threads=threads)
    alone = {member: sim.final_polarization(fields[member], TIME) for member in set(members)}
    assert all(np.array_equal(each, alone[member]) for each, member in zip(batch, members, strict=True))


def test_callers_in_several_threads_do_not_disturb_one_another() -> None:
    sim, fields = lattice(), drive(count=40)
    alone = sim.final_polarization(fields, TIME, threads=1)
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: sim.final_polarization(fields, TIME), range(12)))
    assert all(np.array_equal(answer, alone) for answer in answers)


def test_kernels_work_where_nothing_can_be_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "ZipCacheLocator")  # finds no folder for a plain file

    def double(values: Array) -> None:
        values[0] *= 2

    values = np.array([1.5])
    compiled(double)(values)
    assert values[0] == 3.0


def test_leading_axes_are_kept_even_where_empty() -> None:
    sim, fields = lattice(), drive(count=6)
    assert sim.final_polarization(fields.reshape(2, 3, 60, 2), TIME).shape == (2, 3, 2, 5, 5)
    assert sim.final_polarization(fields[:0], TIME).shape == (0, 2, 5, 5)
    ended = sim.run(fields.reshape(2, 3, 60, 2), TIME, frames=[0, 7], energies=True)
    assert ended.frames.shape == (2, 3, 2, 2, 5, 5)
    assert ended.total_polarization.shape == (2, 3, 2, 60)
    assert ended.energies["total"].shape == (2, 3, 60)
    assert np.array_equal(ended.polarization.reshape(6, 2, 5, 5), sim.final_polarization(fields, TIME))


@pytest.mark.parametrize("update", ["all", "published"])
def test_looking_on_changes_nothing(update: str) -> None:
    sim = lattice(update=update)
    ended = sim.run(drive(), TIME, frames=[-1, 0, 7], energies=True)
    assert np.array_equal(ended.polarization, sim.final_polarization(drive(), TIME))
    assert np.array_equal(ended.frames[0], ended.polarization)
    assert np.array_equal(ended.frames[1], np.moveaxis(sim.initial_polarization, -1, 0))
    assert np.array_equal(ended.frames[2], sim.final_polarization(drive()[:8], TIME[:8]))


def test_survives_pickling() -> None:
    sim = lattice()
    copy = pickle.loads(pickle.dumps(sim))
    assert np.array_equal(copy.final_polarization(drive(), TIME), sim.final_polarization(drive(), TIME))


# --- physics ---------------------------------------------------------------------------------------


@some
@given(mode=st.sampled_from(MODES), seed=st.integers(0, 99))
def test_everything_turned_round_gives_the_opposite_polarisation(mode: Mode, seed: int) -> None:
    sim = lattice(mode)
    turned = lattice(mode, defects=-sim.defects, initial_polarization=-sim.initial_polarization)
    assert np.array_equal(turned.final_polarization(-drive(seed), TIME), -sim.final_polarization(drive(seed), TIME))


@some
@given(mode=st.sampled_from([mode for mode in MODES if mode != "uniaxial"]), seed=st.integers(0, 99))
def test_a_quarter_turn_of_everything_turns_the_polarisation(mode: Mode, seed: int) -> None:
    def turn(p: Array) -> Array:
        """[..., i, j, 2] by a quarter: site (i, j) moves to (-j, i), and (x, y) becomes (-y, x)."""
        rotated = np.rot90(p, axes=(0, 1))
        return np.stack([-rotated[..., 1], rotated[..., 0]], -1)

    sim, fields = lattice(mode), drive(seed)
    turned = lattice(
        mode,
        defects=turn(sim.defects.reshape(5, 5, 2)).reshape(25, 2),
        initial_polarization=turn(sim.initial_polarization),
    )
    final = np.moveaxis(sim.final_polarization(fields, TIME), 0, -1)
    there = turned.final_polarization(np.stack([-fields[:, 1], fields[:, 0]], -1), TIME)
    assert np.allclose(np.moveaxis(there, 0, -1), turn(final), atol=1e-11)


def test_in_uniaxial_only_y_moves() -> None:
    sim = lattice("uniaxial")
    final = sim.final_polarization(drive(), TIME)
    assert np.array_equal(final[0], sim.initial_polarization[..., 0])
    assert not np.array_equal(final[1], sim.initial_polarization[..., 1])


def test_uncoupled_sites_do_not_feel_one_another() -> None:
    sim = lattice(coupling=0.0, depolarization=0.0)
    start = sim.initial_polarization.copy()
    start[0, 0] += 0.5
    other = lattice(coupling=0.0, depolarization=0.0, initial_polarization=start)
    differs = (sim.final_polarization(drive(), TIME) != other.final_polarization(drive(), TIME)).any(axis=0)
    assert differs[0, 0]
    assert differs.sum() == 1


@some
@given(mode=st.sampled_from(MODES), seed=st.integers(0, 99), coupling=st.floats(0, 20))
def test_the_energy_falls_under_a_constant_field(mode: Mode, seed: int, coupling: float) -> None:
    fields = np.broadcast_to(drive(seed)[0], (60, 2))
    total = lattice(mode, coupling=coupling).run(fields, np.arange(60) * 1e-3, energies=True).energies["total"]
    assert (np.diff(total[1:]) <= 1e-12 * np.abs(total).max()).all()
    assert total[-1] < total[1]


@some
@given(mode=st.sampled_from(MODES), seed=st.integers(0, 99))
def test_the_rate_is_minus_gamma_times_the_gradient_of_the_energy(mode: Mode, seed: int) -> None:
    sim, field = lattice(mode, gamma=0.7), drive(seed)[0]
    p = np.moveaxis(sim.initial_polarization, -1, 0)
    dt = 1e-6
    rate = (sim.final_polarization(np.stack([field, field]), np.array([0.0, dt])) - p) / dt
    step = np.zeros((50, 2, 5, 5))
    step.reshape(50, 50)[np.arange(50), np.arange(50)] = 1e-5
    up, down = (sim.energies(p + sign * step, field)["total"] for sign in (1, -1))
    gradient = ((up - down) / 2e-5).reshape(2, 5, 5)
    moves = np.s_[1:] if mode == "uniaxial" else np.s_[:]
    assert np.allclose(rate[moves], -0.7 * gradient[moves], atol=1e-6)


def test_the_published_rule_moves_a_quarter_of_the_sites() -> None:
    sim = lattice(update="published")
    early, late = sim.run(drive(), TIME, frames=[1, 2]).frames
    whole = lattice().run(drive(), TIME, frames=[1]).frames[0]
    assert np.array_equal(early, whole)
    resting = np.isclose(late - early, early - np.moveaxis(sim.initial_polarization, -1, 0), atol=1e-14).all(axis=0)
    assert resting.sum() == 25 - 25 // 4


# --- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["all", "published"])
def test_a_blow_up_names_its_step_and_the_knob(update: str) -> None:
    fields = np.zeros((60, 2))
    fields[30:, 0] = 1e6
    with pytest.raises(ExecutionError, match=r"at step 30 of 60 \(t = 0\.12\).*\(1e\+06, 0\) Ec"):
        lattice(update=update, initial_polarization=None).final_polarization(fields, TIME)
    with pytest.raises(ExecutionError, match=r"gamma x 2 x coupling x dt is 8, wanted below 2"):
        lattice(update="all", coupling=1000.0).final_polarization(drive(), TIME)


def test_a_blow_up_in_the_last_step_is_seen() -> None:
    fields = np.zeros((60, 2))
    fields[-1, 0] = 1e6
    with pytest.raises(ExecutionError, match="at step 59 of 60"):
        lattice().final_polarization(fields, TIME)


def test_a_blow_up_in_a_batch_names_the_member() -> None:
    fields = drive(count=12).reshape(3, 4, 60, 2).copy()
    fields[2, 1, 20:] = 1e9
    with pytest.raises(ExecutionError, match=r"member \(2, 1\) of the batch: the lattice blew up"):
        lattice().final_polarization(fields, TIME)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 1}, "n is 1; wanted a whole number of at least 2"),
        ({"n": 4.0}, "n is 4.0"),
        ({"mode": "cubic"}, "mode is 'cubic'; wanted one of squareelectric"),
        ({"update": "some"}, "update is 'some'; wanted one of all, published"),
        ({"coupling": np.nan}, "coupling holds nan; wanted finite"),
        ({"coupling": np.ones(24)}, r"coupling has shape \(24,\); wanted \(\) or \(25,\)"),
        ({"coupling": "strong"}, "coupling is 'strong'; wanted numbers"),
        ({"depolarization": np.inf}, "depolarization holds inf"),
        ({"gamma": 0.0}, "gamma is 0.0; wanted a positive"),
        ({"landau": (1.0, 2.0)}, r"landau has shape \(2,\); wanted \(3,\)"),
        ({"landau": (-1.0, 0.0, 0.0)}, "alpha2 = 0.0; wanted a positive"),
        ({"landau": (0.0, 1.0, 0.0)}, "alpha1 = 0"),
        ({"defects": np.zeros((5, 5, 2))}, r"defects has shape \(5, 5, 2\); wanted \(25, 2\)"),
        ({"initial_polarization": np.zeros((25, 2))}, r"initial_polarization has shape \(25, 2\)"),
        ({"initial_polarization": np.full((5, 5, 2), 11.0)}, "reaches 11; wanted at most 10"),
    ],
)
def test_a_lattice_that_cannot_be_is_refused(changes: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        lattice(**changes)


@pytest.mark.parametrize(
    ("fields", "time", "message"),
    [
        (np.zeros((60, 3)), TIME, r"fields have shape \(60, 3\); wanted \[\.\.\., 60, 2\]"),
        (np.zeros((59, 2)), TIME, r"wanted \[\.\.\., 60, 2\]"),
        (np.full((60, 2), np.nan), TIME, "fields hold nan"),
        (np.zeros((60, 2)), TIME[::-1], "wanted it to rise"),
        (np.zeros((1, 2)), TIME[:1], "at least 2 steps"),
    ],
)
def test_a_drive_that_does_not_fit_is_refused(fields: Array, time: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lattice().final_polarization(fields, time)


def test_a_frame_beyond_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"frame 60 of a run of 60 steps; wanted -60 .. 59"):
        lattice().run(drive(), TIME, frames=[60])
