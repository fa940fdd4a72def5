"""Synthetic micrographs show as many discs as their label says, whole, apart, unevenly lit and noisy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from zbo_jrvae.clusters import MARGIN, drawn_clusters
from zbo_jrvae.images import Particles
from zbo_orchestrator.model import ConfigurationError

CLEAN = {"noise": 0.0, "dose": 1e9, "shading": 0.0, "blur": (0.0, 0.0), "normalise": "none"}


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(1, 7),
    radius=st.floats(0.02, 0.12),
    gap=st.floats(0, 0.1),
    offset=st.floats(0, 1),
)
def test_discs_lie_beside_one_another_in_the_frame(
    seed: int, most: int, radius: float, gap: float, offset: float
) -> None:
    sizes = np.arange(20) % most + 1
    centres, radii = drawn_clusters(np.random.default_rng(seed), sizes, (0.8 * radius, radius), (0.0, gap), offset)
    np.testing.assert_array_equal((radii > 0).sum(axis=1), sizes)
    for size, places, reaches in zip(sizes, centres, radii, strict=True):
        middle, reach = places[:size], reaches[:size]
        assert (middle - reach[:, None]).min() > MARGIN - 1e-9
        assert (middle + reach[:, None]).max() < 1 - MARGIN + 1e-9
        apart = np.linalg.norm(middle[:, None] - middle, axis=-1) / (reach[:, None] + reach)
        np.fill_diagonal(apart, np.inf)
        assert apart.min() > 1 - 1e-6
        assert size == 1 or apart.min(axis=1).max() < 1 + gap + 1e-6


def test_the_label_is_the_number_of_discs_in_the_image() -> None:
    images = Particles(count=140, radius=(0.07, 0.08), separation=(0.3, 0.4), **CLEAN).load(None, 0)
    seen = [label(image > 0.35)[1] for image in images.pixels]
    np.testing.assert_array_equal(seen, images.labels)
    assert np.bincount(images.labels).tolist() == [0] + [20] * 7


def test_clusters_lie_in_every_direction_about_the_middle() -> None:
    pixels = Particles(count=300, classes=(2,), **CLEAN).load(None, 0).pixels
    y, x = np.mgrid[-47.5:48, -47.5:48]
    shown = pixels > 0.35
    middle = np.stack([(shown * axis).sum(axis=(1, 2)) / shown.sum(axis=(1, 2)) for axis in (y, x)])
    assert np.abs(middle).max() < 0.05 * 96
    tilt = np.arctan2((shown * 2 * x * y).sum(axis=(1, 2)), (shown * (x**2 - y**2)).sum(axis=(1, 2)))
    counts, _ = np.histogram(tilt, bins=6, range=(-np.pi, np.pi))
    assert counts.min() > 25


def test_images_are_seeded_scaled_and_of_the_size_asked_for() -> None:
    one, other = (Particles(count=70, classes=(4, 1), side=32).load(None, seed) for seed in (0, 1))
    again = Particles(count=70, classes=(4, 1), side=32, normalise="none").load(None, 0)
    assert one.pixels.shape == (70, 32, 32)
    assert sorted(one.labels.tolist()) == [1] * 35 + [4] * 35
    np.testing.assert_array_equal(one.labels, again.labels)
    low, high = again.pixels.min(axis=(1, 2), keepdims=True), again.pixels.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(one.pixels, (again.pixels - low) / (high - low), atol=1e-6)
    assert len(np.unique(np.concatenate([one.pixels, other.pixels]), axis=0)) == 140  # none drawn twice
    assert again.pixels.min() >= 0
    assert again.pixels.max() <= 1


def test_noise_is_the_detectors_and_grows_with_the_light() -> None:
    clean, noisy = (drawn(noise=noise, dose=dose) for noise, dose in ((0.0, 1e9), (0.03, 200.0)))
    for dark in (True, False):
        there = (clean > 0.15) & (clean < 0.25) if dark else (clean > 0.5) & (clean < 0.7)
        expected = np.sqrt(clean[there].mean() / 200 + 0.03**2)
        assert (noisy - clean)[there].std() == pytest.approx(expected, rel=0.03)
        assert (noisy - clean)[there].mean() == pytest.approx(0, abs=0.002)


def test_light_falls_off_evenly_across_an_image_and_by_its_own_measure() -> None:
    light = drawn(shading=0.3) / drawn(shading=0.0)
    np.testing.assert_allclose(np.diff(light, n=2, axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(np.diff(light, n=2, axis=2), 0, atol=1e-4)
    reach = light.max(axis=(1, 2)) - 1
    assert 0.25 < reach.max() <= 0.3 + 1e-3
    assert reach.min() < 0.05


def test_defocus_softens_edges_and_keeps_the_light() -> None:
    sharp, soft = drawn(), drawn(blur=(0.02, 0.02))
    assert np.abs(np.diff(soft)).max() < 0.5 * np.abs(np.diff(sharp)).max()
    np.testing.assert_allclose(soft.mean(axis=(1, 2)), sharp.mean(axis=(1, 2)), rtol=1e-3)


def test_discs_differ_in_brightness_and_are_brightest_at_the_rim() -> None:
    single = Particles(count=60, classes=(1,), offset=0.0, **CLEAN).load(None, 0).pixels
    rims, middles = single.max(axis=(1, 2)), single[:, 47:49, 47:49].mean(axis=(1, 2))
    np.testing.assert_allclose(middles / rims, 0.7, atol=0.05)
    assert rims.min() == pytest.approx(0.5, abs=0.04)
    assert rims.max() == pytest.approx(0.8, abs=0.04)


def drawn(**options: object) -> np.ndarray:
    return Particles(count=60, **{**CLEAN, **options}).load(None, 0).pixels


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"radius": (0.1, 0.05)}, r"radius runs from 0.1 to 0.05; wanted lower <= upper"),
        ({"blur": (0.1, 0.05)}, r"blur runs from 0.1 to 0.05"),
        ({"classes": (1, 2, 1)}, r"classes are \(1, 2, 1\); wanted each once"),
        ({"radius": (0.1, 0.2)}, r"7 discs of radius \(0.1, 0.2\) reach over 1.32 of the side; .* at most 0.8"),
        ({"radius": (0.0, 0.1)}, r"wanted a radius above 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Particles(**options)


def test_what_finds_no_room_is_refused_rather_than_tried_for_ever() -> None:
    with pytest.raises(ConfigurationError, match=r"no room for 7 discs of radius \(0.3, 0.3\)"):
        drawn_clusters(np.random.default_rng(0), np.array([7]), (0.3, 0.3), (0.0, 0.0), 0.0)
