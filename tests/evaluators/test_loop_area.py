"""The area of a loop, whatever the arrays are called: polygons with known areas, symmetries, several cycles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.evaluators.loop_area import LoopArea
from zbo_orchestrator.model import Array, Channel, ConfigurationError, ExecutionError, Measurement, Trajectory
from zbo_orchestrator.testing import EvaluatorContract

POSITION = Trajectory(np.zeros((1, 2)), 1.0, (Channel("x"), Channel("y")))
SQUARE = np.array([[0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 3.0, 3.0]])
"""2 V wide and 3 high, gone round against the clock."""


def loop(points: Array, **more: Array) -> Measurement:
    return Measurement({"bias": points[0], "response": points[1], **more})


def area(points: Array, **options: int) -> float:
    return LoopArea(**options).evaluate(POSITION, loop(points)).value  # type: ignore[arg-type]


class TestLoopAreaKeepsTheContract(EvaluatorContract):
    make = staticmethod(LoopArea)  # type: ignore[assignment]

    def case(self) -> tuple[Trajectory, Measurement]:
        return POSITION, loop(SQUARE)


def test_a_loop_on_one_axis_needs_no_component_and_no_sites() -> None:
    score = LoopArea().evaluate(POSITION, loop(SQUARE))
    assert score.value == 6
    assert score.terms == {"bias_span": 2.0, "response_span": 3.0, "fill": 1.0}
    assert area(SQUARE[:, ::-1]) == -6


radii = st.lists(st.floats(0.1, 5), min_size=3, max_size=40).map(np.array)


@given(radii, st.integers(0, 40), st.tuples(st.floats(-9, 9), st.floats(-9, 9)), st.floats(0.1, 3))
@settings(deadline=None)
def test_area_of_a_polygon_does_not_depend_on_start_or_place_and_scales(
    radii: Array, start: int, shift: tuple[float, float], scale: float
) -> None:
    angle = 2 * np.pi * np.arange(len(radii)) / len(radii)
    points = radii * np.stack([np.cos(angle), np.sin(angle)])
    triangles = 0.5 * np.sin(2 * np.pi / len(radii)) * (radii * np.roll(radii, -1)).sum()
    assert area(points) == pytest.approx(triangles)
    moved = scale * np.roll(points, start, axis=1) + np.array(shift)[:, None]
    assert area(moved) == pytest.approx(scale**2 * triangles, rel=1e-6, abs=1e-9)


def test_several_cycles_count_as_one_on_average() -> None:
    wide = np.concatenate([SQUARE, 2 * SQUARE], axis=1)
    assert area(wide, cycles=2) == pytest.approx((6 + 24) / 2)
    assert area(wide) == pytest.approx(30)


def test_arrays_of_any_name_are_scored_where_the_campaign_names_them() -> None:
    strain = Measurement({"bias": SQUARE[0], "response": SQUARE[1], "stress": 5 * SQUARE[0], "strain": SQUARE[1]})
    named = LoopArea(arrays=("stress", "strain")).evaluate(POSITION, strain)
    assert named.value == 30
    assert named.terms["stress_span"] == 10


@pytest.mark.parametrize(
    ("evaluator", "measurement", "message"),
    [
        (LoopArea(), Measurement({"bias": SQUARE[0]}), "measured were bias; wanted field and .* or bias and response"),
        (LoopArea(arrays=("bias", "strain")), loop(SQUARE), "nothing measured is called strain; there is bias, resp"),
        (LoopArea(), loop(SQUARE[:, :2]), r"bias \(2,\) against response \(2,\); wanted equal shapes with 3 steps"),
        (LoopArea(), loop(np.array([[0, 1, np.nan], [0, 1, 2]])), "bias holds nan; wanted finite numbers"),
        (LoopArea(), Measurement({"bias": np.zeros((3, 4)), "response": np.zeros((3, 4))}), r"wanted \[time\] or \[2,"),
    ],
)
def test_what_cannot_be_scored_fails_the_trial(evaluator: LoopArea, measurement: Measurement, message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        evaluator.evaluate(POSITION, measurement)


def test_impossible_cycles_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="cycles is 0; wanted at least 1"):
        LoopArea(cycles=0)
