"""The words: what they refuse, what they keep."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zbo_orchestrator import model
from zbo_orchestrator.model import (
    Channel,
    Evidence,
    ExecutionError,
    Goal,
    Measurement,
    Plan,
    Proposal,
    Score,
    Space,
    Status,
    Trajectory,
    Trial,
    ZboError,
)
from zbo_orchestrator.testing import bowl

FIELD = (Channel("field", "V"),)


def errors() -> list[type[ZboError]]:
    return [kind for kind in vars(model).values() if isinstance(kind, type) and issubclass(kind, ZboError)]


@pytest.mark.parametrize("kind", errors())
def test_every_error_survives_pickling_with_its_words(kind: type[ZboError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("the stage sits at 3 mm; wanted 0 to 2")))
    assert type(copy) is kind
    assert str(copy) == "the stage sits at 3 mm; wanted 0 to 2"


@given(arrays.arrays(float, arrays.array_shapes(min_dims=3, max_dims=3, max_side=5)))
def test_a_batch_is_a_leading_axis(values: np.ndarray) -> None:
    channels = tuple(Channel(f"c{i}") for i in range(values.shape[-1]))
    batch = Trajectory(values, 0.5, channels)
    assert batch.steps == values.shape[1]
    assert batch.duration == 0.5 * batch.steps
    assert len(batch.time) == batch.steps
    for index in range(len(values)):
        np.testing.assert_array_equal(batch[index].values, values[index])


def test_values_keep_their_own_read_only_copy() -> None:
    mine = np.zeros((3, 1))
    trajectory = Trajectory(mine, 1.0, FIELD)
    mine[:] = 7
    assert trajectory.values.sum() == 0
    with pytest.raises(ValueError, match="read-only"):
        trajectory.values[0, 0] = 1


def test_a_value_travels_between_processes() -> None:
    trial = Trial(Proposal(3, np.array([0.1, 0.2])), Trajectory(np.ones((2, 1)), 1.0, FIELD), Score(2.0, {"a": 1.0}))
    copy = pickle.loads(pickle.dumps(trial))
    assert (copy.number, copy.value, copy.status) == (3, 2.0, Status.SCORED)
    np.testing.assert_array_equal(copy.trajectory.values, trial.trajectory.values)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Trajectory(np.zeros(3), 1.0, FIELD), r"shape \(3,\); wanted \[\.\.\., step, 1 channels\]"),
        (lambda: Trajectory(np.zeros((3, 1)), 0.0, FIELD), "dt is 0.0; wanted a positive number"),
        (lambda: Space([0.0], [0.0], [[0.0]], [[1.0]], ("l",)), r"wanted lower\[d\] < upper\[d\]"),
        (lambda: Space([0.0], [1.0], [[0.0]], [[1.0, 2.0]], ("l",)), r"wanted \[1, 1\]"),
        (lambda: Space([0.0], [1.0], [[0.0]], [[1.0]], ("l",), (4,)), r"\(4,\) does not hold 1 candidates"),
        (lambda: Plan(np.zeros((2, 2)), ("only one reason",)), "1 reasons"),
        (lambda: Plan(np.zeros((0, 2)), ()), r"n > 0"),
        (lambda: Measurement({"a": np.zeros((2, 2))}, {"a": ("x",)}), "one axis for each"),
    ],
)
def test_what_has_the_wrong_shape_is_refused_with_the_shape_wanted(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_evidence_of_another_dimension_is_refused() -> None:
    empty = np.empty((0, 3))
    with pytest.raises(ValueError, match="z has shape"):
        Evidence(bowl(), empty, [], [], [], np.empty((0, 2)), 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_a_failed_trial(value: float) -> None:
    with pytest.raises(ExecutionError, match="wanted a finite number"):
        Score(value)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_goal_knows_which_way_is_better(value: float, target: float) -> None:
    assert Goal(True, target).reached(value) == (value >= target)
    assert Goal(False, target).reached(value) == (value <= target)
    assert Goal(True).gain(value) == -Goal(False).gain(value)


def test_every_outcome_has_its_status() -> None:
    trajectory = Trajectory(np.zeros((1, 1)), 1.0, FIELD)
    outcomes = [
        (Score(1.0, {}), Status.SCORED),
        (ExecutionError("x"), Status.FAILED),
        (model.RefusedError("x"), Status.REFUSED),
        (model.Stopped("x"), Status.STOPPED),
        (model.TransientError("x"), Status.TRANSIENT),
    ]
    for outcome, status in outcomes:
        assert Trial(Proposal(0, np.zeros(1)), trajectory, outcome).status is status
