"""Libraries: scaled as asked, noisy after scaling, seeded by family, and refused where they cannot serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.decoders.families import Cooldown, Family, File, ModulatedSine, Periodic, Segmented
from zbo_orchestrator.decoders.library import Bounds, draw_labelled, draw_library
from zbo_orchestrator.model import Channel, ConfigurationError, Trajectory

ONE = (Channel("field", "Ec"),)
TWO = (Channel("field", "Ec"), Channel("pressure", "Pa"))


def library(
    *families: Family,
    steps: int = 120,
    bounds: Bounds = (-1.0, 1.0),
    seed: int = 3,
    channels: tuple[Channel, ...] = ONE,
) -> Trajectory:
    return draw_library(families, steps=steps, dt=0.5, channels=channels, bounds=bounds, seed=seed)


@settings(deadline=None)
@given(lower=st.floats(-100, 100), width=st.floats(1e-3, 1e3), seed=st.integers(0, 2**32))
def test_scaling_each_curve_fills_the_bounds(lower: float, width: float, seed: int) -> None:
    bounds = (lower, lower + width)
    values = library(Periodic(count=9), Segmented(count=9, noise=0.0), bounds=bounds, seed=seed).values[..., 0]
    np.testing.assert_allclose(values.min(axis=1), bounds[0], atol=1e-9 * width + 1e-12)
    np.testing.assert_allclose(values.max(axis=1), bounds[1], atol=1e-9 * width + 1e-12)


def test_scaling_the_family_keeps_curves_in_proportion() -> None:
    raw = library(Periodic(count=50, scale="none"), bounds=(-1e9, 1e9)).values
    values = library(Periodic(count=50, scale="family")).values
    assert (values.min(), values.max()) == (pytest.approx(-1), pytest.approx(1))
    np.testing.assert_allclose((values + 1) / 2, (raw - raw.min()) / np.ptp(raw), atol=1e-12)


def test_the_published_order_is_draw_scale_noise_cut() -> None:
    """Valleti et al.: 1200 points, min-max scaled, N(0, 0.02) added, the first 900 kept."""
    quiet = library(ModulatedSine(count=400, points=1200, noise=0.0), steps=900).values[..., 0]
    noisy = library(ModulatedSine(count=400, points=1200, noise=0.02), steps=900).values[..., 0]
    whole = library(ModulatedSine(count=400, noise=0.0), steps=1200).values[..., 0]
    np.testing.assert_array_equal(quiet, whole[:, :900])
    assert (np.ptp(quiet, axis=1) < 1.99).any(), "a growing curve does not reach its bounds in the kept part"
    noise = noisy - quiet
    assert noise.std() == pytest.approx(0.02, rel=0.01)
    assert abs(noise.mean()) < 1e-3
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.2
    assert 1 < noisy.max() < 1.12, "noise comes after scaling, so it exceeds the bounds a little"


def test_noise_is_a_share_of_half_the_bounds_width() -> None:
    wide = (100.0, 300.0)
    difference = library(Segmented(count=200, noise=0.05), bounds=wide).values
    difference = difference - library(Segmented(count=200, noise=0.0), bounds=wide).values
    assert difference.std() == pytest.approx(0.05 * 100, rel=0.02)


def test_the_same_seed_draws_the_same_library_and_another_seed_another() -> None:
    families = Segmented(count=5), Periodic(count=5)
    assert np.array_equal(library(*families).values, library(*families).values)
    assert not np.isclose(library(*families, seed=4).values, library(*families).values).all(axis=(1, 2)).any()


def test_adding_a_family_leaves_the_others_as_they_were() -> None:
    alone = library(Segmented(count=5)).values
    beside = library(Periodic(count=3), Segmented(count=5), ModulatedSine(count=2)).values
    np.testing.assert_array_equal(beside[3:8], alone)


def test_two_families_of_one_kind_differ_and_are_told_apart() -> None:
    drawn = draw_labelled(
        [Segmented(count=2), Cooldown(count=1, scale="curve"), Segmented(count=2)],
        steps=120,
        dt=1.0,
        channels=ONE,
        bounds=(0, 1),
        seed=0,
    )
    assert drawn.labels == ("segmented", "segmented", "cooldown", "segmented 2", "segmented 2")
    assert not np.allclose(drawn.curves.values[:2], drawn.curves.values[3:])


def test_channels_are_drawn_independently_into_their_own_bounds() -> None:
    both = library(Segmented(count=300, noise=0.0), channels=TWO, bounds=[(0, 1), (-50, 50)])
    assert both.values.shape == (300, 120, 2)
    np.testing.assert_allclose(both.values.min(axis=(0, 1)), [0, -50], atol=1e-9)
    np.testing.assert_allclose(both.values.max(axis=(0, 1)), [1, 50], atol=1e-9)
    assert abs(np.corrcoef(both.values[:, 60].T)[0, 1]) < 0.2
    alone = library(Segmented(count=300, noise=0.0), bounds=(0, 1))
    np.testing.assert_array_equal(both.values[..., :1], alone.values)


def test_a_file_holds_all_channels_at_once(tmp_path: Path) -> None:
    curves = np.random.default_rng(0).uniform(-1, 1, (4, 120, 2))
    np.save(tmp_path / "curves.npy", curves)
    both = library(File(path=str(tmp_path / "curves.npy")), channels=TWO)
    np.testing.assert_array_equal(both.values, curves)
    with pytest.raises(ConfigurationError, match=r"file drew shape \(4, 120, 2\); wanted .* 1 channels"):
        library(File(path=str(tmp_path / "curves.npy")))


def test_curves_outside_the_bounds_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    curves = np.linspace(0, 1, 120) * np.array([[0.5], [2.0], [1.0]])
    np.save(tmp_path / "curves.npy", curves)
    kept = library(File(path=str(tmp_path / "curves.npy"), noise=0.5))
    assert len(kept.values) == 2
    assert "file: 1 of 3 curves leave the bounds" in caplog.text


def test_bounds_that_no_curve_meets_are_refused_with_what_was_met() -> None:
    with pytest.raises(ConfigurationError, match=r"cooldown: no curve keeps the bounds .* values run over 1 \.\. 50"):
        library(Cooldown(count=5), bounds=(0.0, 0.5))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_refused_with_their_place(tmp_path: Path, wrong: float) -> None:
    curves = np.zeros((3, 120))
    curves[1, 7] = wrong
    np.save(tmp_path / "curves.npy", curves)
    with pytest.raises(ConfigurationError, match=r"curve 1, step 7, channel 0 \(1 of 3 curves"):
        library(File(path=str(tmp_path / "curves.npy")))


def test_a_constant_curve_cannot_be_stretched(tmp_path: Path) -> None:
    np.save(tmp_path / "curves.npy", np.stack([np.arange(120.0), np.full(120, 3.0)]))
    with pytest.raises(ConfigurationError, match=r"constant curve \(1, 3 throughout\).*scale: curve"):
        library(File(path=str(tmp_path / "curves.npy"), scale="curve"))


@pytest.mark.parametrize(
    ("bounds", "said"),
    [((1.0, 1.0), "lower < upper"), ((0.0, np.inf), "finite"), ([(0, 1)] * 3, "for each of 1 channels")],
)
def test_impossible_bounds_are_refused(bounds: Bounds, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        library(Segmented(count=1), bounds=bounds)


def test_a_library_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no families"):
        library()
    with pytest.raises(ConfigurationError, match="0 steps"):
        library(Segmented(count=1), steps=0)
