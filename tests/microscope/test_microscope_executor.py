"""The microscope: which loop a position gives, what lies outside, batches, time, noise."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from films import COLUMNS, ROWS, SIZE, at, film, microscope
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_microscope.executor import MicroscopeExecutor
from zbo_orchestrator.instrument import Checked, Described
from zbo_orchestrator.model import (
    Channel,
    ConfigurationError,
    Measurement,
    RefusedError,
    Stopped,
    Trajectory,
)
from zbo_orchestrator.testing import ExecutorContract, RecordedRun

with TemporaryDirectory() as folder:
    EXECUTOR = microscope(Path(folder))
    """It holds the film in memory: the file may go."""


class TestMicroscopeKeepsTheContract(ExecutorContract):
    def make(self) -> MicroscopeExecutor:
        return EXECUTOR

    def trajectory(self) -> Trajectory:
        return at(1.0, 0.8)


class TestNoisyMicroscopeKeepsTheContract(TestMicroscopeKeepsTheContract):
    @pytest.fixture(autouse=True)
    def noisy(self, tmp_path: Path) -> None:
        self.executor = microscope(tmp_path, noise=0.1)

    def make(self) -> MicroscopeExecutor:
        return self.executor


@given(st.floats(0, SIZE[0]), st.floats(0, SIZE[1]))
@settings(deadline=None)
def test_a_position_is_measured_at_the_nearest_point_and_the_measurement_says_which(x: float, y: float) -> None:
    measurement = EXECUTOR.execute(at(x, y), RecordedRun())
    assert measurement.executed is not None
    there = measurement.executed.values[0]
    assert abs(there[0] - x) <= SIZE[0] / (COLUMNS - 1) / 2 * (1 + 1e-9)
    assert abs(there[1] - y) <= SIZE[1] / (ROWS - 1) / 2 * (1 + 1e-9)
    column, row = np.rint(there / SIZE * (COLUMNS - 1, ROWS - 1)).astype(int)
    assert np.array_equal(measurement.arrays["response"], EXECUTOR.recorded.response[row, column])
    assert np.array_equal(measurement.arrays["bias"], EXECUTOR.recorded.bias)


def test_channels_are_known_by_their_names() -> None:
    swapped = Trajectory(np.array([[0.4, 3.5]]), 1.0, (Channel("y"), Channel("x")))
    measurement = EXECUTOR.execute(swapped, RecordedRun())
    assert np.array_equal(measurement.arrays["response"], EXECUTOR.recorded.response[1, 7])
    assert measurement.executed is not None
    assert measurement.executed.values[0] == pytest.approx([0.4, 3.5])


@pytest.mark.parametrize(("x", "y"), [(4.001, 1.0), (-0.01, 1.0), (1.0, 2.5), (1.0, float("nan"))])
def test_a_position_outside_is_refused_with_the_numbers_and_fails_alone_in_a_batch(x: float, y: float) -> None:
    words = f"x = {x:g} um, y = {y:g} um lies outside .*film.npz; wanted x in 0 .. 4 and y in 0 .. 2"
    for call in (EXECUTOR.check, lambda trajectory: EXECUTOR.execute(trajectory, RecordedRun())):
        with pytest.raises(RefusedError, match=words):
            call(at(x, y))
    results = dict(EXECUTOR.execute_many([at(0, 0), at(x, y), at(4, 2)], [RecordedRun() for _ in range(3)]))
    assert [type(results[index]) for index in range(3)] == [Measurement, RefusedError, Measurement]


def test_it_describes_itself_as_harmless_and_its_limits_are_those_it_refuses_by() -> None:
    assert isinstance(EXECUTOR, Described)
    assert isinstance(EXECUTOR, Checked)
    described = EXECUTOR.describe()
    assert described.simulated
    assert [(channel.name, channel.unit) for channel in described.channels] == [("x", "um"), ("y", "um")]
    EXECUTOR.check(at(*SIZE))
    described.envelope.refuse(at(*SIZE))
    with pytest.raises(RefusedError, match=r"x\.upper by 0\.1"):
        described.envelope.refuse(at(SIZE[0] + 0.1, 0.0))


@pytest.mark.parametrize(
    "trajectory",
    [
        Trajectory(np.zeros((1, 1)), 1.0, (Channel("x"),)),
        Trajectory(np.zeros((1, 2)), 1.0, (Channel("x"), Channel("z"))),
        Trajectory(np.zeros((3, 2)), 1.0, (Channel("x"), Channel("y"))),
    ],
)
def test_what_is_no_position_is_a_fault_of_the_campaign(trajectory: Trajectory) -> None:
    with pytest.raises(ConfigurationError, match="wanted 1 of x and y"):
        EXECUTOR.execute(trajectory, RecordedRun())


def test_the_modelled_time_is_measured_and_slept_only_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    assert EXECUTOR.execute(at(0, 0), RecordedRun()).arrays["seconds"] == 2.35
    assert slept == []
    patient = microscope(tmp_path, seconds=1.5, sleep=True)
    dict(patient.execute_many([at(0, 0), at(1, 1)], [RecordedRun(), RecordedRun(stop_at=1)]))
    assert slept == [1.5], "what is stopped before its loop takes no time"


def test_a_batch_goes_on_without_a_stopped_member() -> None:
    runs = [RecordedRun(), RecordedRun(stop_at=1), RecordedRun()]
    results = dict(EXECUTOR.execute_many([at(0, 0)] * 3, runs))
    assert [type(results[index]) for index in range(3)] == [Measurement, Stopped, Measurement]


def test_noise_has_its_deviation_and_follows_from_seed_and_point(tmp_path: Path) -> None:
    noisy = microscope(tmp_path, noise=0.25)

    def error(x: float, seed: int) -> np.ndarray:
        runs = RecordedRun(seed=seed), RecordedRun()
        measured, true = (which.execute(at(x, 0), run) for which, run in zip((noisy, EXECUTOR), runs, strict=True))
        return np.asarray(measured.arrays["response"] - true.arrays["response"])

    errors = np.stack([error(x, seed) for x in (0, 1, 2, 3) for seed in range(5)])
    assert errors.std() == pytest.approx(0.25, rel=0.1)
    assert abs(np.corrcoef(errors) - np.eye(20)).max() < 0.35


@pytest.mark.parametrize("options", [{"seconds": -1.0}, {"noise": -0.1}, {"noise": float("nan")}])
def test_impossible_options_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    (name,) = options
    with pytest.raises(ConfigurationError, match=f"{name} is .*; wanted a finite number of at least 0"):
        MicroscopeExecutor(scan=film(tmp_path), **options)  # type: ignore[arg-type]
