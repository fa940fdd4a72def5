"""The atlas: every candidate decoded and measured, and an empty one explained."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from curves import silent, waves
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.decoders.atlas import Support, certificate, chart
from zbo_orchestrator.decoders.identity import Identity
from zbo_orchestrator.decoders.linear import Linear
from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.model import Array, Channel, ConfigurationError, Decoder, Trajectory

AXES = tuple(Channel(name) for name in "xyzuv")


def square(dimension: int = 2) -> Decoder:
    recipe = Identity(AXES[:dimension], (0.0,) * dimension, (1.0,) * dimension)
    return recipe.restore(recipe.learn(None, 0, silent))


def test_margins_of_a_direct_search_are_distances_to_the_walls() -> None:
    space = chart(square(), Envelope({"x": Limits(0.2, 0.9)}, duration=3.0), shape=(11, 6))
    assert space.shape == (11, 6)
    assert space.limits == ("finite", "x.lower", "x.upper", "x.slew", "y.lower", "y.upper", "y.slew", "duration")
    x, y = space.candidates.T
    np.testing.assert_allclose(space.candidates[:6], np.stack([np.zeros(6), np.linspace(0, 1, 6)], axis=1))
    np.testing.assert_allclose(space.margins[:, 1], x - 0.2)
    np.testing.assert_allclose(space.margins[:, 2], 0.9 - x)
    np.testing.assert_array_equal(space.margins[:, -1], 2.0)
    np.testing.assert_array_equal(space.feasible, (x >= 0.2) & (x <= 0.9))
    assert y.max() == 1


@settings(deadline=None)
@given(count=st.integers(1, 600), seed=st.integers(0, 9))
def test_certifying_points_equals_decoding_and_measuring_them(count: int, seed: int) -> None:
    library = waves()
    decoder = Linear().restore(Linear().learn(library, 0, silent))
    envelope = Envelope({"field": Limits(-1.2, 1.2, slew=6.0)})
    space = chart(decoder, envelope, shape=(7, 7))
    z = np.random.default_rng(seed).uniform(space.lower, space.upper, (count, 2))
    assert space.certify is not None
    np.testing.assert_array_equal(space.certify(z), envelope.margins(decoder.decode(z)))


def test_charted_margins_are_the_ones_found_again_bit_for_bit() -> None:
    decoder = Linear().restore(Linear().learn(waves(), 0, silent))
    space = chart(decoder, Envelope({"field": Limits(-1.2, 1.2, slew=6.0)}), shape=(20, 20))
    assert space.certify is not None
    for index in (0, 133, 399):
        np.testing.assert_array_equal(space.certify(space.candidates[index][None])[0], space.margins[index])
    copied = pickle.loads(pickle.dumps(space.certify))
    np.testing.assert_array_equal(copied(space.candidates), space.margins)


def test_default_layouts_by_dimension() -> None:
    envelope = Envelope()
    assert chart(square(1), envelope).shape == (1000,)
    assert chart(square(2), envelope).shape == (100, 100)
    scattered = chart(square(5), envelope, candidates=1000, seed=4)
    assert scattered.shape is None
    assert scattered.candidates.shape == (1000, 5)
    halves = np.abs(np.mean(scattered.candidates < 0.5, axis=0) - 0.5)
    assert halves.max() < 0.02, "Sobol points are spread more evenly than random ones"
    again, other = (chart(square(5), envelope, candidates=1000, seed=seed) for seed in (4, 5))
    np.testing.assert_array_equal(again.candidates, scattered.candidates)
    assert not np.array_equal(other.candidates, scattered.candidates)
    assert chart(square(3), envelope, shape=(2, 3, 4)).shape == (2, 3, 4)


@dataclass
class Broken:
    """A decoder whose left half is not a number."""

    box: tuple[Array, Array] = (np.zeros(1), np.ones(1))

    def decode(self, z: Array) -> Trajectory:
        return Trajectory(np.where(z < 0.5, np.nan, z)[:, None], 1.0, AXES[:1])


def test_points_that_decode_to_no_number_are_infeasible() -> None:
    space = chart(Broken(), Envelope({"x": Limits(0.0, 0.8)}), shape=(11,))
    np.testing.assert_array_equal(space.feasible, [False] * 5 + [True] * 4 + [False] * 2)
    assert not np.isnan(space.margins).any()


def test_an_empty_region_names_the_limit_that_empties_it() -> None:
    with pytest.raises(ConfigurationError, match=r"none of 100 candidates keeps y.lower \(the nearest misses by 1\)"):
        chart(square(), Envelope({"x": Limits(0.2, 0.9), "y": Limits(lower=2.0)}), shape=(10, 10))


@dataclass
class Seesaw:
    """A decoder with y up where x is down."""

    box: tuple[Array, Array] = (np.zeros(1), np.ones(1))

    def decode(self, z: Array) -> Trajectory:
        return Trajectory(np.stack([z, 1 - z], axis=-1), 1.0, AXES[:2])


def test_an_empty_region_names_limits_that_only_together_leave_nothing() -> None:
    envelope = Envelope({"x": Limits(0.6, 0.9), "y": Limits(0.6, 0.9)})
    with pytest.raises(ConfigurationError, match=r"keeps x.lower and y.lower together \(the nearest misses by 0.1\)"):
        chart(Seesaw(), envelope, shape=(11,))


def test_the_duration_is_a_limit_too() -> None:
    with pytest.raises(ConfigurationError, match="keeps duration"):
        chart(square(), Envelope(duration=0.5), shape=(5, 5))


def test_the_certificate_counts_what_each_limit_rules_out() -> None:
    space = chart(square(), Envelope({"x": Limits(0.25), "y": Limits(upper=0.75)}), shape=(5, 5))
    text = certificate(space)
    assert "25 candidates (grid 5 x 5)" in text
    assert "Feasible: 16 of 25 (64.0%)" in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("  ") and "." in line}
    assert rows["x.lower"] == ["5", "(20.0%)", "4", "-0.25", "0"]
    assert rows["y.upper"] == ["5", "(20.0%)", "4", "-0.25", "0"]
    assert "x.upper" not in rows, "limits that are not set are not listed"
    assert "No limit is set" not in text


def test_the_certificate_says_where_nothing_is_limited() -> None:
    assert "No limit is set" in certificate(chart(square(), Envelope(), shape=(5, 5)))


@pytest.mark.parametrize("shape", [(10,), (10, 1), (2, 2, 2)])
def test_a_grid_of_another_dimension_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="wanted 2 numbers of at least 2"):
        chart(square(), Envelope(), shape=shape)


def test_no_candidates_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="0 candidates"):
        chart(square(3), Envelope(), candidates=0)


def test_a_support_keeps_to_the_neighbourhood_of_the_librarys_codes() -> None:
    codes = np.array([[0.2, 0.2], [0.8, 0.5]])
    space = chart(square(), Envelope(), shape=(21, 21), support=Support(codes, 0.15))
    assert space.limits[-1] == "support"
    nearest = np.linalg.norm(space.candidates[:, None] - codes, axis=-1).min(axis=1)
    np.testing.assert_array_equal(space.feasible, nearest <= 0.15)
    assert space.certify is not None
    np.testing.assert_allclose(space.certify(np.array([[0.2, 0.3], [0.5, 0.9]]))[:, -1], [0.05, 0.15 - 0.5], atol=1e-12)


def test_a_support_needs_codes() -> None:
    with pytest.raises(ConfigurationError, match=r"atlas support is 0\.1; wanted none"):
        Support(np.empty((0, 2)), 0.1)
