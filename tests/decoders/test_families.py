"""Each family draws the curves its formula promises, and refuses options that cannot work."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.decoders.families import Cooldown, Family, ModulatedSine, Periodic, Segmented
from zbo_orchestrator.model import ConfigurationError

COUNT = 300


def drawn(family: Family, steps: int = 120, seed: int = 0) -> np.ndarray:
    curves = family.draw(np.random.default_rng(seed), steps)
    assert curves.shape == (COUNT, steps, 1)
    return curves[..., 0]


def test_cooldown_covers_its_one_parameter_from_slow_and_high_to_fast_and_low() -> None:
    curves = drawn(Cooldown(count=COUNT))
    curves = curves[np.argsort(-curves[:, 0])]
    slowest, fastest = curves[0], curves[-1]
    assert (slowest[:21] == 50).all()
    assert slowest[60] == pytest.approx(50 - 45 / 2)
    assert (slowest[100:] == 5).all()
    assert (fastest[:2] == 30).all()
    assert (fastest[2:] == 1).all()
    np.testing.assert_allclose(np.diff(curves[:, 0]), -20 / (COUNT - 1))
    assert (np.diff(curves, axis=1) <= 0).all()


def test_cooldown_takes_the_curves_in_another_order_for_another_seed() -> None:
    family = Cooldown(count=COUNT)
    assert not np.array_equal(drawn(family, seed=0), drawn(family, seed=1))
    np.testing.assert_array_equal(np.sort(drawn(family, seed=0)[:, 0]), np.sort(drawn(family, seed=1)[:, 0]))


@settings(deadline=None)
@given(knots=st.integers(0, 4))
def test_segmented_is_straight_between_its_knots(knots: int) -> None:
    curves = drawn(Segmented(count=COUNT, knots=knots, height=(2.0, 3.0)))
    assert curves.min() >= 2
    assert curves.max() <= 3
    bends = (np.abs(np.diff(curves, n=2)) > 1e-9).sum(axis=1)
    assert bends.max() <= 2 * knots  # a knot between two instants bends the curve at both
    assert knots == 0 or bends.max() >= knots


def test_periodic_starts_at_its_amplitude_and_drifts() -> None:
    flat = drawn(Periodic(count=COUNT, growth=(0, 0), drift=(0, 0), frequency=(pi, pi)))
    x = np.linspace(0, 2, 120)
    np.testing.assert_allclose(flat, flat[:, :1] * np.cos(pi * x), atol=1e-9)
    logs = np.log(flat[:, 0])
    assert logs.mean() == pytest.approx(1, abs=0.2)
    assert logs.std() == pytest.approx(1, abs=0.2)
    # at x = 2 the cosine is back where it was: what is left of the difference is growth and drift
    moved = drawn(Periodic(count=COUNT, growth=(0.5, 0.5), drift=(-1, -1), frequency=(pi, pi)))
    np.testing.assert_allclose(moved[:, -1], moved[:, 0] * np.exp(1) - 2)


def test_modulated_sine_follows_its_formula_within_the_published_ranges() -> None:
    family = ModulatedSine(count=COUNT)
    amplitude, growth, frequency, offset = family.parameters(np.random.default_rng(0))
    for values, lower, upper in [
        (amplitude, 0, 0.75),
        (growth, -2.75, 2.75),
        (frequency, 2 * pi, 8 * pi / 3),
        (offset, -0.5, 0.5),
    ]:
        assert values.min() == pytest.approx(lower, abs=(upper - lower) / 20)
        assert values.max() == pytest.approx(upper, abs=(upper - lower) / 20)
    t = np.linspace(0, 4, 120)
    np.testing.assert_array_equal(drawn(family), amplitude * np.exp(growth * t) * np.cos(frequency * t) + offset)


def test_modulated_sine_draws_more_points_than_the_library_keeps() -> None:
    family = ModulatedSine(count=COUNT, points=160)
    assert family.draw(np.random.default_rng(0), 120).shape == (COUNT, 160, 1)
    with pytest.raises(ConfigurationError, match="points is 160; wanted at least the library's 161"):
        family.draw(np.random.default_rng(0), 161)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (lambda: ModulatedSine(count=1, growth=(1, -1)), "growth runs from 1 to -1"),
        (lambda: Periodic(count=1, drift=(1, -1)), "drift runs from 1 to -1"),
        (lambda: Segmented(count=1, height=(50, 1)), "height runs from 50 to 1"),
        (lambda: Cooldown(count=1, plateau=(-1, 5)), "plateau is .* wanted none below 0"),
        (lambda: Cooldown(count=1, ramp=(0, 5)), "ramp is .* wanted both above 0"),
        (lambda: Cooldown(count=1).draw(np.random.default_rng(), 99), "up to 100 steps; wanted at most .* 99"),
    ],
)
def test_options_that_cannot_work_are_refused(options: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        options()  # type: ignore[operator]
