"""FerroSIM as executors: the contract, what is measured, batches, blow-ups, stops."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ferrosim_reference import reference, some
from hypothesis import given
from hypothesis import strategies as st

from zbo_ferrosim import curl
from zbo_ferrosim.block import Block
from zbo_ferrosim.executor import FieldExecutor, ParameterExecutor
from zbo_orchestrator.model import (
    Array,
    Channel,
    ConfigurationError,
    ExecutionError,
    Measurement,
    Stopped,
    Trajectory,
)
from zbo_orchestrator.testing import ExecutorContract, RecordedRun, same

FIELD = (Channel("field", "150 Ec"),)
BOTH = (Channel("field x"), Channel("field y"))
LATTICE = (Channel("coupling"), Channel("depolarization"))
NOWHERE = Path()


def curve(seed: int = 0, channels: tuple[Channel, ...] = FIELD, steps: int = 40, dt: float = 0.003) -> Trajectory:
    return Trajectory(np.random.default_rng(seed).uniform(-0.2, 0.2, (steps, len(channels))), dt, channels)


def small(**changes: Any) -> FieldExecutor:
    return FieldExecutor(
        **(
            {"n": 5, "coupling": 5.0, "hold_steps": 10, "frames": 3, "defect_share": 1.0, "defect_strength": 1.0}
            | changes
        )
    )


def small_parameters(**changes: Any) -> ParameterExecutor:
    return ParameterExecutor(**({"n": 5, "steps": 50, "hold_steps": 10, "frames": 3, "start": "remnant"} | changes))


def point(coupling: float, depolarization: float = 0.2) -> Trajectory:
    return Trajectory([[coupling, depolarization]], 1.0, LATTICE)


def ran(number: int = 0, seed: int = 0, **changes: Any) -> RecordedRun:
    return RecordedRun(number=number, seed=seed, scratch=NOWHERE, **changes)


class TestFieldContract(ExecutorContract):
    def make(self) -> FieldExecutor:
        return small(defect_strength=1.0, disorder="per-trial")

    def trajectory(self) -> Trajectory:
        return curve()


class TestParameterContract(ExecutorContract):
    def make(self) -> ParameterExecutor:
        return small_parameters(bond_spread=0.1)

    def trajectory(self) -> Trajectory:
        return point(10.0)


# --- what is measured ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tetragonal_process", "tetragonal_process_stochastic"])
def test_reproduces_the_process_study(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = reference(name)
    monkeypatch.setattr("zbo_ferrosim.specimen.defect_fields", lambda *_: run["defects"])
    values, dt = run["field"][:900, :1] / 150, 4 / 1199
    update = "published" if run["stochastic"] else "all"
    measurement = FieldExecutor(update=update).execute(Trajectory(values, dt, FIELD), ran())  # type: ignore[arg-type]
    assert np.abs(measurement.arrays["field"].T - run["field"]).max() < 1e-12
    assert np.abs(measurement.arrays["polarization"] - run["final_polarization"]).max() < 1e-11
    assert abs(np.abs(measurement.arrays["curl"]).sum() - run["sum_abs_curl"]) < 1e-10


def test_measures_what_it_says_under_names_axes_and_units() -> None:
    measurement = small().execute(curve(), ran())
    shapes = {name: array.shape for name, array in measurement.arrays.items()}
    assert shapes == {
        "polarization": (2, 5, 5),
        "curl": (5, 5),
        "total_polarization": (2, 50),
        "field": (2, 50),
        "frames": (3, 2, 5, 5),
        "frame_time": (3,),
    }
    assert {name: len(dims) for name, dims in measurement.dims.items()} == {n: len(s) for n, s in shapes.items()}
    assert measurement.units["field"] == "Ec"
    arrays = measurement.arrays
    assert np.array_equal(arrays["curl"], curl(arrays["polarization"]))
    assert np.array_equal(arrays["frames"][-1], arrays["polarization"])
    assert np.allclose(arrays["frame_time"], np.array([0, 24, 49]) * 0.003)
    assert np.allclose(arrays["total_polarization"][:, -1], arrays["polarization"].sum((1, 2)))


def test_what_was_executed_includes_the_hold() -> None:
    trajectory = curve()
    executed = small().execute(trajectory, ran()).executed
    assert executed is not None
    assert (executed.steps, executed.dt, executed.channels) == (50, trajectory.dt, FIELD)
    assert np.array_equal(executed.values[:40], trajectory.values)
    assert (executed.values[40:] == trajectory.values[-1]).all()


def test_the_axis_says_where_the_field_points() -> None:
    x, y = (small(axis=axis).execute(curve(), ran()).arrays["field"] for axis in ("x", "y"))
    assert np.array_equal(x, y[::-1])
    assert not x[1].any()
    both = small(axis="both", amplitude=2.0).execute(curve(channels=BOTH), ran()).arrays["field"]
    assert np.array_equal(both[:, :40], 2 * curve(channels=BOTH).values.T)


def test_no_frames_are_measured_where_none_are_asked_for() -> None:
    assert not {"frames", "frame_time"} & small(frames=0).execute(curve(), ran()).arrays.keys()
    assert len(small(frames=500).execute(curve(), ran()).arrays["frames"]) == 50


def test_parameters_set_the_lattice_whatever_their_order() -> None:
    executor = small_parameters()
    one = executor.execute(point(10.0, 0.2), ran())
    swapped = Trajectory([[0.2, 10.0]], 1.0, LATTICE[::-1])
    assert same(one, executor.execute(swapped, ran()))
    assert not same(one, executor.execute(point(10.0, 0.3), ran()))
    assert not same(one, executor.execute(point(11.0, 0.2), ran()))
    assert one.executed is not None
    assert one.executed.values.tolist() == [[10.0, 0.2]]


def test_a_triangle_rises_evenly_to_the_amplitude() -> None:
    field = small_parameters(waveform="triangle", cycles=1.0, steps=401, amplitude=8.0, axis="y").fields
    assert np.allclose(field[:101, 1], np.linspace(0, 8, 101))
    assert not field[:, 0].any()


# --- disorder --------------------------------------------------------------------------------------


def test_frozen_disorder_is_one_specimen_for_all_trials_and_per_trial_is_not() -> None:
    frozen = small(defect_strength=2.0, bond_spread=0.2, seed=4)
    assert same(frozen.execute(curve(), ran(0, seed=1)), frozen.execute(curve(), ran(1, seed=2)))
    assert not same(
        frozen.execute(curve(), ran()), small(defect_strength=2.0, bond_spread=0.2, seed=5).execute(curve(), ran())
    )
    fresh = small(defect_strength=2.0, disorder="per-trial")
    assert not same(fresh.execute(curve(), ran(0, seed=1)), fresh.execute(curve(), ran(1, seed=2)))
    assert same(fresh.execute(curve(), ran(0, seed=1)), fresh.execute(curve(), ran(1, seed=1)))


# --- batches ---------------------------------------------------------------------------------------


@some
@given(seeds=st.lists(st.integers(0, 4), min_size=1, max_size=19), mixed=st.booleans())
def test_a_batch_equals_its_members_bit_for_bit(seeds: list[int], mixed: bool) -> None:
    executor = small(defect_strength=1.0, disorder="per-trial")
    trajectories = [curve(seed, steps=40 + (mixed and seed % 2)) for seed in seeds]
    results = dict(executor.execute_many(trajectories, [ran(number, seed) for number, seed in enumerate(seeds)]))
    assert sorted(results) == list(range(len(seeds)))
    for number, seed in enumerate(seeds):
        result = results[number]
        assert isinstance(result, Measurement)
        assert same(result, executor.execute(trajectories[number], ran(seed=seed)))


def test_lattices_of_different_coupling_run_side_by_side() -> None:
    executor, couplings = small_parameters(), np.linspace(1, 50, 11)
    results = dict(executor.execute_many([point(each) for each in couplings], [ran(n) for n in range(11)]))
    alone = [executor.execute(point(each), ran()) for each in couplings]
    assert all(isinstance(results[n], Measurement) and same(results[n], alone[n]) for n in range(11))  # type: ignore[arg-type]


def test_one_lattice_that_blows_up_fails_alone() -> None:
    executor = small()
    wild = Trajectory(np.full((40, 1), 1e6), 0.003, FIELD)
    results = dict(executor.execute_many([curve(0), wild, curve(2)], [ran(n) for n in range(3)]))
    assert isinstance(results[1], ExecutionError)
    assert "blew up: at step 1 of 50" in str(results[1])
    for number in (0, 2):
        result = results[number]
        assert isinstance(result, Measurement)
        assert same(result, executor.execute(curve(number), ran()))
    with pytest.raises(ExecutionError, match="blew up"):
        executor.execute(wild, ran())


def test_the_error_of_a_blow_up_survives_pickling() -> None:
    with pytest.raises(ExecutionError) as raised:
        small().execute(Trajectory(np.full((40, 1), 1e6), 0.003, FIELD), ran())
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), str(copy)) == (ExecutionError, str(raised.value))


@pytest.mark.parametrize("report", [1, 2])
def test_a_stopped_trial_ends_alone(report: int) -> None:
    runs = [ran(0), ran(1, stop_at=report), ran(2)]
    ended = list(small().execute_many([curve(n) for n in range(3)], runs))
    assert sorted(number for number, _ in ended) == [0, 1, 2]
    results = dict(ended)
    assert isinstance(results[1], Stopped)
    assert isinstance(results[0], Measurement)
    assert isinstance(results[2], Measurement)


def test_every_run_hears_of_its_beginning_and_its_end() -> None:
    runs = [ran(n) for n in range(11)]
    list(small().execute_many([curve(n) for n in range(11)], runs))
    assert all([run.reports[0][:2], run.reports[-1][:2]] == [(0, 49), (49, 49)] for run in runs)


def test_a_long_run_gives_signs_of_life_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbo_ferrosim.block.HEARTBEAT", 0.01)
    run = ran(stop_at=4)
    endless = small(n=30, frames=0, hold_steps=400_000)
    with pytest.raises(Stopped):
        endless.execute(curve(), run)
    steps = [step for step, *_ in run.reports]
    assert steps == sorted(steps)
    assert steps[-1] < 400_000


def test_leaving_a_batch_cancels_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Block] = []
    start = Block.run
    monkeypatch.setattr(Block, "run", lambda block: (begun.append(block), start(block))[1])
    executor = small(n=20, frames=0, hold_steps=20_000)
    outcomes = executor.execute_many([curve(n) for n in range(64)], [ran(n) for n in range(64)])
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(begun) < 8
    assert any(block.step < 20_039 for block in begun)


def test_a_batch_wants_a_run_for_each_trajectory() -> None:
    with pytest.raises(ValueError, match="2 trajectories for 1 runs"):
        list(small().execute_many([curve(), curve()], [ran()]))


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1}, "n is 1"),
        ({"axis": "z"}, "axis is 'z'; wanted x, y or both"),
        ({"amplitude": np.inf}, "amplitude is inf"),
        ({"frames": -1}, "frames is -1; wanted at least 0"),
        ({"hold_steps": -1}, "hold_steps is -1"),
        ({"defect_strength": np.nan}, "defect_strength is nan"),
        ({"defect_share": 0.0}, "defect_share is 0.0; wanted above 0"),
        ({"start": "poled"}, "start is 'poled'; wanted one of zero, remnant"),
        ({"disorder": "some"}, "disorder is 'some'"),
        ({"landau": (1.0,)}, "landau has shape"),
    ],
)
def test_impossible_options_are_refused(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FieldExecutor(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"waveform": "square"}, "waveform is 'square'; wanted sine or triangle"),
        ({"axis": "both"}, "axis is 'both'; wanted x or y"),
        ({"steps": 1}, "in 1 steps; wanted a finite one in 2 or more"),
        ({"dt": 0.0}, "wanted positive, finite numbers"),
        ({"mode": "cubic"}, "mode is 'cubic'"),
    ],
)
def test_impossible_parameter_options_are_refused(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ParameterExecutor(**options)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros((40, 2)), ConfigurationError, r"axis x wants 1 channel\(s\); the trajectory has field x, field y"),
        (np.full((40, 1), np.nan), ExecutionError, "field is nan at step 0; wanted finite"),
        (np.zeros((3, 40, 1)), ValueError, r"trajectory has shape \(3, 40, 1\); wanted one"),
    ],
)
def test_a_trajectory_that_means_nothing_is_refused(values: Array, error: type[Exception], message: str) -> None:
    channels = FIELD if values.shape[-1] == 1 else BOTH
    with pytest.raises(error, match=message):
        small().execute(Trajectory(values, 0.003, channels), ran())


def test_a_single_step_without_hold_is_refused() -> None:
    with pytest.raises(ExecutionError, match="1 step and hold_steps is 0"):
        small(hold_steps=0).execute(curve(steps=1), ran())


def test_parameters_under_other_names_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"got 1 step.* of field x, field y; wanted 1 of coupling and depol"):
        small_parameters().execute(Trajectory([[1.0, 2.0]], 1.0, BOTH), ran())
