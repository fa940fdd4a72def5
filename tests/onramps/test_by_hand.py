"""A person as the executor: what is asked, what is told, and what a file may hold of it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from zbo_orchestrator.evaluators.told import Told
from zbo_orchestrator.executors import by_hand
from zbo_orchestrator.executors.by_hand import ByHand
from zbo_orchestrator.executors.result_files import read_result
from zbo_orchestrator.model import (
    Channel,
    ConfigurationError,
    ExecutionError,
    Measurement,
    Run,
    Stopped,
    Trajectory,
)
from zbo_orchestrator.testing import EvaluatorContract, ExecutorContract, RecordedRun, same

RAMP = Trajectory([[0.0], [0.1], [0.2]], dt=0.5, channels=(Channel("field", "kV/cm"),))


class Quick(ByHand):
    """A person who knows the answer at once."""

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        by_hand.tell(run.scratch, Measurement({"value": trajectory.values.sum()}))
        return super().execute(trajectory, run)


class TestByHandKeepsTheContract(ExecutorContract):
    def make(self) -> ByHand:
        return Quick()

    def trajectory(self) -> Trajectory:
        return RAMP


class TestToldKeepsTheContract(EvaluatorContract):
    def make(self) -> Told:
        return Told()

    def case(self) -> tuple[Trajectory, Measurement]:
        return RAMP, Measurement({"value": np.array(3.2), "noise": np.array(0.1)})


# --- the executor ---


def test_what_to_run_stands_in_a_file_until_the_wait_is_stopped() -> None:
    run = RecordedRun(stop_at=2)
    with pytest.raises(Stopped):
        ByHand().execute(RAMP, run)
    with (run.scratch / "trajectory.csv").open(newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["time", "field [kV/cm]"]
    assert np.array_equal(np.array(rows, dtype=float), np.column_stack([RAMP.time, RAMP.values]))
    assert [report[:2] for report in run.reports] == [(0, 3), (0, 3)]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]\w{0,8}", fullmatch=True), arrays("f8", array_shapes(min_dims=0))))
def test_what_is_told_arrives_bit_for_bit(told: dict[str, Any]) -> None:
    run = RecordedRun()
    measured = Measurement(told, units=dict.fromkeys(told, "mV"))
    by_hand.tell(run.scratch, measured)
    arrived = ByHand().execute(RAMP, run)
    assert same(arrived, measured)
    assert arrived.units == measured.units


def test_a_failure_that_is_told_is_the_trials_error_and_the_first_answer_stands() -> None:
    run = RecordedRun()
    by_hand.tell(run.scratch, "the contact came off")
    with pytest.raises(ConfigurationError, match="was told already"):
        by_hand.tell(run.scratch, Measurement({"value": np.array(1.0)}))
    with pytest.raises(ExecutionError, match="the contact came off"):
        ByHand().execute(RAMP, run)
    assert [file.name for file in run.scratch.iterdir() if file.suffix == ".part"] == []


@pytest.mark.parametrize("noise", [-0.1, np.inf])
def test_a_noise_that_is_none_cannot_be_scored(noise: float) -> None:
    with pytest.raises(ExecutionError, match="wanted one finite number, 0 or more"):
        Told().evaluate(RAMP, Measurement({"value": np.array(1.0), "noise": np.array(noise)}))


# --- files ---


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.csv", "x,y\n1,2\n1\n", "line 3 has 1 values; wanted 2"),
        ("a.csv", "x,y\n1,two\n", "line 2: could not convert string to float: 'two'"),
        ("a.csv", "1,2\n1,2\n", "heads a column '1'; wanted a name"),
        ("a.csv", "x,x [V]\n1,2\n", "wanted every name once"),
        ("a.csv", "x\n", "holds 1 rows"),
        ("a.npz", "not an archive", "cannot be read"),
        ("a.txt", "1", "ends in '.txt'; wanted .npz, .npy or .csv"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        read_result(tmp_path / name)
