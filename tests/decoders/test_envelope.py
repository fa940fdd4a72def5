"""The envelope: margins in the limited quantity's own unit, and refusals that say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.model import Channel, ConfigurationError, RefusedError, Trajectory

XY = (Channel("x", "V"), Channel("y"))
ENVELOPE = Envelope({"x": Limits(-1.0, 2.0, slew=10.0), "y": Limits(upper=5.0)}, duration=1.0)


def one(x: list[float], y: list[float] | None = None, dt: float = 0.1) -> Trajectory:
    return Trajectory(np.stack([x, y or [0.0] * len(x)], axis=-1), dt, XY)


def test_margins_are_distances_to_each_limit() -> None:
    margins = dict(zip(ENVELOPE.names(one([0.0])), ENVELOPE.margins(one([0.0, 0.5, -0.25], [4, 1, 2])), strict=True))
    assert margins == {
        "finite": np.inf,
        "x.lower": 0.75,
        "x.upper": 1.5,
        "x.slew": pytest.approx(10 - 7.5),
        "y.lower": np.inf,
        "y.upper": 1.0,
        "y.slew": np.inf,
        "duration": pytest.approx(0.7),
    }


@settings(deadline=None)
@given(values=arrays(np.float64, array_shapes(min_dims=3, max_dims=3, max_side=6).map(lambda s: (*s[:2], 2))))
def test_margins_are_never_nan_and_refusal_agrees_with_them(values: np.ndarray) -> None:
    batch = Trajectory(values, 0.1, XY)
    margins = ENVELOPE.margins(batch)
    assert not np.isnan(margins).any()
    for index, row in enumerate(margins):
        assert ENVELOPE.margins(batch[index]).tolist() == row.tolist()
        if (row >= 0).all():
            ENVELOPE.refuse(batch[index])
        else:
            with pytest.raises(RefusedError, match="outside the envelope"):
                ENVELOPE.refuse(batch[index])


def test_a_refusal_names_every_broken_limit_and_by_how_much() -> None:
    with pytest.raises(RefusedError) as refused:
        ENVELOPE.refuse(one([0, 2.5] * 6))
    assert str(refused.value) == "outside the envelope: x.upper by 0.5, x.slew by 15, duration by 0.2"


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_value_that_is_not_a_number_is_refused_with_its_place(wrong: float) -> None:
    with pytest.raises(RefusedError, match=rf"1 values are not finite, the first is y = {wrong} at step 2"):
        ENVELOPE.refuse(one([0, 0, 0], [0, 0, wrong]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (lambda: Limits(1.0, 1.0), "wanted lower < upper"),
        (lambda: Limits(lower=np.nan), "wanted lower < upper"),
        (lambda: Limits(slew=0.0), "slew 0.0; wanted a positive number"),
        (lambda: Envelope(duration=0.0), "duration 0.0; wanted a positive number"),
        (lambda: Envelope({"z": Limits()}).names(one([0.0])), r"limits channel 'z'; the trajectory has \['x', 'y'\]"),
    ],
)
def test_limits_that_cannot_work_are_refused(options: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        options()  # type: ignore[operator]


def test_step_and_energy_are_limited_and_named_only_where_they_are_set() -> None:
    pulse = one([0.0, 2.0, -1.0, 0.0], dt=0.5)
    limited = Envelope({"x": Limits(step=2.5, energy=2.0)})
    margins = dict(zip(limited.names(pulse), limited.margins(pulse), strict=True))
    assert list(margins)[1:6] == ["x.lower", "x.upper", "x.slew", "x.step", "x.energy"]
    assert margins["x.step"] == 2.5 - 3.0
    assert margins["x.energy"] == 2.0 - (4 + 1) * 0.5
    assert "y.energy" not in margins
    with pytest.raises(RefusedError, match=r"^outside the envelope: x.step by 0.5, x.energy by 0.5$"):
        limited.refuse(pulse)


LIMITS = st.builds(
    Limits,
    lower=st.floats(-5, -1),
    upper=st.floats(1, 5),
    slew=st.floats(1, 100),
    step=st.floats(1, 10) | st.just(np.inf),
    energy=st.floats(1, 10) | st.just(np.inf),
)
ENVELOPES = st.builds(Envelope, st.dictionaries(st.sampled_from(["x", "y"]), LIMITS), st.floats(0.1, 2))


@settings(deadline=None)
@given(ENVELOPES, ENVELOPES, arrays(np.float64, (4, 2), elements=st.floats(-6, 6)))
def test_the_stricter_of_two_envelopes_allows_what_both_allow(a: Envelope, b: Envelope, values: np.ndarray) -> None:
    trajectory = Trajectory(values, 0.1, XY)
    both = all((envelope.margins(trajectory) >= 0).all() for envelope in (a, b))
    assert (a.stricter(b).margins(trajectory) >= 0).all() == both


def test_envelopes_that_leave_a_channel_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"leave channel 'x' nothing: range 3.0 .. 2.0"):
        Envelope({"x": Limits(lower=3.0, upper=9.0)}).stricter(ENVELOPE)
