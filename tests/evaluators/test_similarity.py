"""DSSIM of many pairs against scikit-image pair by pair, and against the sums written out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from zbo_orchestrator import similarity
from zbo_orchestrator.model import Array


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape)


def looped(one: Array, other: Array, window: int = 5) -> float:
    alike = structural_similarity(one, other, win_size=window, data_range=1.0)
    return float(np.clip((1 - alike) / 2, 0, 1))


def between(manifolds: Array, window: int = 5) -> float:
    return similarity.between(similarity.moments(manifolds, window))


def within(manifolds: Array, pairs: int = 1000, seed: int = 0) -> Array:
    return similarity.within(similarity.moments(manifolds, 5), pairs, np.random.default_rng(seed))


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Array, Array, int]:
    """Two stacks of images [pair, y, x], from black to harsh, and a window that fits."""
    window = draw(st.sampled_from([3, 5, 7]))
    shape = (draw(st.integers(1, 4)), *(draw(st.integers(window, 17)) for _ in range(2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    one, other = (
        draw(st.sampled_from([0.0, 0.4, 1.0])) + draw(st.sampled_from([0.0, 1e-3, 1.0])) * rng.uniform(-1, 1, shape)
        for _ in range(2)
    )
    near = draw(st.sampled_from([0.0, 0.9, 1.0, -1.0]))
    return one, near * one + (1 - abs(near)) * other, window


@settings(deadline=None)
@given(stacks())
def test_every_pair_scores_as_scikit_image_scores_it(case: tuple[Array, Array, int]) -> None:
    one, other, window = case
    scores = similarity.ssim(similarity.moments(one, window), similarity.moments(other, window))
    wanted = [structural_similarity(a, b, win_size=window, data_range=1.0) for a, b in zip(one, other, strict=True)]
    assert scores == pytest.approx(np.array(wanted), abs=1e-10)


@settings(deadline=None)
@given(stacks())
def test_dissimilarity_is_symmetric_and_lies_between_0_for_equals_and_1(case: tuple[Array, Array, int]) -> None:
    one, other = (similarity.moments(images, case[2]) for images in case[:2])
    scores = similarity.dssim(one, other)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores == pytest.approx(similarity.dssim(other, one), abs=1e-12)
    assert similarity.dssim(one, one) == pytest.approx(0, abs=1e-12)


def test_single_precision_images_are_compared_in_double() -> None:
    images = (0.5 + 1e-4 * drawn(2, 9, 9)).astype(np.float32)
    moments = similarity.moments(images, 5)
    wanted = structural_similarity(*images.astype(np.float64), win_size=5, data_range=1.0)
    assert similarity.ssim(moments[0], moments[1]) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("block", [1, 500, 2**20])
def test_between_sums_over_pairs_of_classes_the_mean_over_cells(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "BLOCK", block)
    manifolds = drawn(4, 7, 9, 8)
    wanted = sum(
        np.mean([looped(manifolds[i, cell], manifolds[j, cell]) for cell in range(7)])
        for i, j in combinations(range(4), 2)
    )
    assert between(manifolds) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("block", [1, 500, 2**20])
def test_within_averages_over_all_pairs_of_cells_where_all_are_asked(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "BLOCK", block)
    manifolds = drawn(3, 6, 9, 8)
    wanted = [np.mean([looped(one, other) for one, other in combinations(images, 2)]) for images in manifolds]
    for pairs, seed in ((15, 0), (16, 1), (1000, 2)):
        assert within(manifolds, pairs, seed) == pytest.approx(np.array(wanted), abs=1e-10)


@settings(deadline=None)
@given(st.integers(1, 10), st.integers(0, 100))
def test_within_takes_no_pair_twice(pairs: int, seed: int) -> None:
    """Five cells of which one is striped: the mean counts the pairs with it, of which there are four in ten."""
    manifolds = np.zeros((2, 5, 6, 6))
    manifolds[:, 2, ::2] = 1.0
    apart = looped(manifolds[0, 0], manifolds[0, 2])
    striped = within(manifolds, pairs, seed) * pairs / apart
    assert striped == pytest.approx(np.full(2, round(striped[0])), abs=1e-9)
    assert max(0, pairs - 6) - 1e-9 <= striped[0] <= min(4, pairs) + 1e-9


def test_within_depends_on_the_seed_only_through_the_pairs_drawn() -> None:
    manifolds = drawn(2, 12, 8, 8)
    assert (within(manifolds, 20, 1) == within(manifolds, 20, 1)).all()
    assert (within(manifolds, 20, 1) != within(manifolds, 20, 2)).all()


@settings(deadline=None)
@given(st.permutations(range(4)))
def test_the_numbering_of_classes_does_not_matter(order: list[int]) -> None:
    manifolds = drawn(4, 6, 6, 6)
    assert between(manifolds[order]) == pytest.approx(between(manifolds), rel=1e-12)
    assert within(manifolds[order], 7) == pytest.approx(within(manifolds, 7)[order], rel=1e-12)


def test_classes_that_decode_to_the_same_images_are_not_apart() -> None:
    assert between(np.repeat(drawn(1, 5, 8, 8), 3, axis=0)) == pytest.approx(0, abs=1e-12)


def test_a_dead_class_is_alike_throughout() -> None:
    manifolds = drawn(2, 5, 8, 8)
    manifolds[0] = 0.7
    assert within(manifolds)[0] == pytest.approx(0, abs=1e-12)
    assert within(manifolds)[1] > 0.1
