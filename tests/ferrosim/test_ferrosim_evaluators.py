"""What measurements are worth: known curls, polarisations and loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zbo_ferrosim.evaluators import TotalCurl, TotalPolarization
from zbo_orchestrator.evaluators.loop_area import LoopArea
from zbo_orchestrator.model import Channel, ConfigurationError, ExecutionError, Measurement, Trajectory
from zbo_orchestrator.testing import EvaluatorContract

TRAJECTORY = Trajectory(np.zeros((4, 1)), 1.0, (Channel("field"),))
CURL = np.array([[1.0, -2.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, -1.0]])
PHASE = np.linspace(0, 2 * np.pi, 4001)


def measurement(lag: float = 0.5, **changes: Any) -> Measurement:
    """A 3 x 3 lattice whose x follows E = 10 sin(phase) as P = 18 sin(phase - lag), and whose y lies still."""
    wave, answer = 10 * np.sin(PHASE), 18 * np.sin(PHASE - lag)
    arrays = {
        "curl": CURL,
        "polarization": np.full((2, 3, 3), answer[-1] / 9),
        "total_polarization": np.stack([answer, np.full_like(answer, -2.0)]),
        "field": np.stack([wave, np.zeros_like(wave)]),
    }
    return Measurement(arrays | changes)


class TestTotalCurlContract(EvaluatorContract):
    make = staticmethod(TotalCurl)  # type: ignore[assignment]

    def case(self) -> tuple[Trajectory, Measurement]:
        return TRAJECTORY, measurement()


class TestTotalPolarizationContract(TestTotalCurlContract):
    make = staticmethod(TotalPolarization)  # type: ignore[assignment]


class TestLoopAreaContract(TestTotalCurlContract):
    make = staticmethod(LoopArea)  # type: ignore[assignment]


def test_total_curl_adds_magnitudes_and_tells_the_signs_apart() -> None:
    score = TotalCurl().evaluate(TRAJECTORY, measurement())
    assert score.value == 7
    assert score.terms == {"anticlockwise": 4.0, "clockwise": 3.0, "largest": 3.0}
    assert TotalCurl(power=2).evaluate(TRAJECTORY, measurement()).value == 15
    assert TotalCurl(margin=1).evaluate(TRAJECTORY, measurement()).value == 3


def test_total_polarization_by_component_and_time() -> None:
    def value(**options: Any) -> float:
        return TotalPolarization(**options).evaluate(TRAJECTORY, measurement()).value

    end = 18 * np.sin(-0.5)
    assert value() == pytest.approx(end)
    assert value(component="y") == -2
    assert value(component="magnitude") == pytest.approx(np.hypot(end, 2))
    assert value(when="swing") == pytest.approx(36, rel=1e-5)
    assert value(component="y", when="mean") == -2
    assert value(per_site=True) == pytest.approx(end / 9)


@pytest.mark.parametrize("lag", [0.5, 0.0, -0.5])
def test_loop_area_is_that_of_the_ellipse_and_positive_where_the_answer_lags(lag: float) -> None:
    score = LoopArea(per_site=False).evaluate(TRAJECTORY, measurement(lag))
    assert score.value == pytest.approx(np.pi * 10 * 18 * np.sin(lag), rel=1e-5, abs=1e-9)
    assert score.terms["fill"] == pytest.approx(np.pi / 4 * np.sin(lag), rel=1e-3, abs=1e-9)
    assert LoopArea().evaluate(TRAJECTORY, measurement(lag)).value == pytest.approx(score.value / 9)


def test_loop_area_of_a_component_that_lies_still_is_nothing() -> None:
    score = LoopArea(component="y").evaluate(TRAJECTORY, measurement())
    assert (score.value, score.terms["fill"]) == (0.0, 0.0)


def test_loop_area_leaves_out_the_start() -> None:
    whole, spike = measurement(), np.array(measurement().arrays["total_polarization"])
    spike[0, :10] = 500.0
    spoilt = measurement(total_polarization=spike)
    clean = LoopArea(skip=10).evaluate(TRAJECTORY, whole)
    assert LoopArea(skip=10).evaluate(TRAJECTORY, spoilt) == clean
    assert LoopArea().evaluate(TRAJECTORY, spoilt) != clean


@pytest.mark.parametrize(
    ("evaluator", "changes", "message"),
    [
        (TotalCurl(), {"curl": np.zeros(9)}, r"curl has shape \(9,\); wanted \[x, y\]"),
        (TotalCurl(), {"curl": np.full((3, 3), np.nan)}, "curl holds nan; wanted finite"),
        (TotalCurl(margin=2), {}, r"curl has shape \(3, 3\); wanted \[x, y\] of 5 or more"),
        (TotalPolarization(), {"total_polarization": np.zeros((3, 9))}, r"shape \(3, 9\); wanted \[2, time\]"),
        (TotalPolarization(), {"total_polarization": np.zeros((2, 0))}, r"shape \(2, 0\)"),
        (LoopArea(), {"field": np.zeros((2, 9))}, r"field \(2, 9\) against total_polarization \(2, 4001\)"),
        (LoopArea(skip=4000), {}, "with 4003 steps or more"),
        (LoopArea(), {"polarization": np.zeros((3, 3))}, r"polarization has shape \(3, 3\); wanted \[2, x, y\]"),
    ],
)
def test_what_cannot_be_scored_fails_the_trial(evaluator: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        evaluator.evaluate(TRAJECTORY, measurement(**changes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TotalCurl(power=3), "power is 3; wanted 1 or 2"),  # type: ignore[arg-type]
        (lambda: TotalCurl(margin=-1), "margin is -1"),
        (lambda: TotalPolarization(component="z"), "component is 'z'; wanted one of x, y, magnitude"),  # type: ignore[arg-type]
        (lambda: TotalPolarization(when="often"), "when is 'often'"),  # type: ignore[arg-type]
        (lambda: LoopArea(component="z"), "component is 'z'; wanted x or y"),  # type: ignore[arg-type]
        (lambda: LoopArea(skip=-1), "skip is -1"),
    ],
)
def test_impossible_options_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()
