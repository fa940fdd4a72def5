"""Classes against labels: known counts, and what renumbering must not change."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.clustering import accuracy, adjusted_rand, agreement, aligned
from zbo_orchestrator.model import Array

PERMUTED = st.permutations(range(5)).map(np.array)


def assignments(models: int) -> st.SearchStrategy[Array]:
    """Classes 0 to 4 of 1 to 30 images [model, image]."""
    images = st.integers(1, 30)
    return images.flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 4), min_size=n, max_size=n), min_size=models, max_size=models)
    ).map(np.array)


@pytest.mark.parametrize(
    ("classes", "labels", "wanted"),
    [
        ([2, 2, 0, 0, 1, 1], [0, 0, 1, 1, 2, 2], 1.0),
        ([2, 2, 2, 0, 1, 1], [0, 0, 1, 1, 2, 2], 5 / 6),
        ([0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2], 2 / 6),
        ([0, 1, 2, 3, 4, 5], [7, 7, 7, 9, 9, 9], 2 / 6),
        ([0, 0, 1, 1, 2, 2], [7, 7, 7, 9, 9, 9], 4 / 6),
    ],
)
def test_accuracy_of_the_best_matching(classes: list[int], labels: list[int], wanted: float) -> None:
    assert accuracy(np.array(classes), np.array(labels)) == pytest.approx(wanted)


@settings(deadline=None)
@given(assignments(2))
def test_no_matching_does_better(both: Array) -> None:
    """Against every one of the 120 ways to number five classes."""
    classes, labels = both
    assert accuracy(classes, labels) == max(
        (np.array(numbers)[classes] == labels).mean() for numbers in permutations(range(5))
    )


@settings(deadline=None)
@given(assignments(2), PERMUTED, PERMUTED)
def test_numbers_of_classes_and_labels_are_only_names(both: Array, names: Array, others: Array) -> None:
    for figure in (accuracy, adjusted_rand):
        assert figure(names[both[0]], others[both[1]]) == pytest.approx(figure(*both))


def test_adjusted_rand_of_equal_crossed_and_nested_partitions() -> None:
    labels = np.array([0, 0, 1, 1])
    assert adjusted_rand(1 - labels, labels) == 1
    assert adjusted_rand(np.array([0, 1, 0, 1]), labels) == pytest.approx(-0.5)
    assert adjusted_rand(np.array([0, 0, 1, 2]), labels) == pytest.approx(4 / 7)


@settings(deadline=None)
@given(assignments(1), PERMUTED)
def test_aligning_undoes_a_renumbering(one: Array, names: Array) -> None:
    assert (aligned(names[one[0]], one[0]) == one[0]).all()


@settings(deadline=None)
@given(assignments(2))
def test_aligning_keeps_the_partition_and_agrees_on_as_many_images_as_can_be(both: Array) -> None:
    classes, reference = both
    renamed = aligned(classes, reference)
    assert adjusted_rand(renamed, classes) == 1
    assert set(renamed) <= set(range(5))
    assert (renamed == reference).mean() == pytest.approx(accuracy(classes, reference))


def test_a_class_without_a_partner_gets_a_number_that_the_reference_does_not_use() -> None:
    assert aligned(np.array([4, 4, 4, 2, 2, 9]), np.array([0, 0, 0, 2, 2, 2])).tolist() == [0, 0, 0, 2, 2, 1]


@settings(deadline=None)
@given(assignments(1), st.lists(PERMUTED, min_size=1, max_size=5))
def test_models_that_differ_in_numbering_only_agree_wholly(one: Array, names: list[Array]) -> None:
    assert (agreement(np.stack([numbers[one[0]] for numbers in names])) == 1).all()


def test_agreement_is_the_share_of_the_most_frequent_class() -> None:
    models = np.array([[0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 0, 0], [0, 0, 0, 1, 2, 2], [2, 2, 2, 0, 1, 1]])
    assert agreement(models).tolist() == [1, 1, 0.5, 1, 1, 1]
