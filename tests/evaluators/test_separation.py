"""The score of a joint VAE's manifolds: what counts, what is recorded, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest

from zbo_orchestrator import similarity
from zbo_orchestrator.evaluators.separation import ManifoldSeparation
from zbo_orchestrator.model import Array, Channel, ConfigurationError, ExecutionError, Measurement, Score, Trajectory
from zbo_orchestrator.testing import EvaluatorContract

TRAJECTORY = Trajectory(np.ones((4, 1)), 1.0, (Channel("beta_c"),))
LABELS = np.array([0, 0, 1, 1, 2, 2])


def manifolds(classes: int = 3, cells: int = 9) -> Array:
    return np.random.default_rng(0).random((classes, cells, 8, 8))


def posterior(assigned: list[int], classes: int = 3) -> Array:
    """Sharp but for a tenth, which the other classes share."""
    return 0.1 / classes + 0.9 * np.eye(classes)[assigned]


def measurement(**changes: Any) -> Measurement:
    """Three classes, six images of which the fourth is in the wrong class."""
    arrays = {"manifolds": manifolds(), "posterior": posterior([1, 1, 0, 1, 2, 2]), "labels": LABELS}
    return Measurement({name: values for name, values in (arrays | changes).items() if values is not None})


def score(evaluator: ManifoldSeparation | None = None, **changes: Any) -> Score:
    return (evaluator or ManifoldSeparation()).evaluate(TRAJECTORY, measurement(**changes))


class TestManifoldSeparationContract(EvaluatorContract):
    make = staticmethod(ManifoldSeparation)  # type: ignore[assignment]

    def case(self) -> tuple[Trajectory, Measurement]:
        return TRAJECTORY, measurement()


def test_a_campaign_finds_it_by_name() -> None:
    (found,) = entry_points(group="zbo.evaluators", name="manifold-separation")
    assert found.load() is ManifoldSeparation


def test_the_score_is_what_lies_between_classes_less_what_lies_within() -> None:
    moments = similarity.moments(manifolds(), 5)
    l1, l2 = similarity.between(moments), similarity.within(moments, 36, np.random.default_rng(0))
    both = score()
    assert both.value == pytest.approx(l1 - l2.sum())
    assert score(ManifoldSeparation(over_classes="sum")).value == pytest.approx(l1 - l2.sum())
    assert score(ManifoldSeparation(within=False)).value == pytest.approx(l1)
    assert score(ManifoldSeparation(between=False)).value == pytest.approx(l2.sum())
    assert both.terms["between"] == pytest.approx(l1)
    assert both.terms["within"] == pytest.approx(l2.sum())


def test_the_window_is_the_one_asked_for() -> None:
    assert score(ManifoldSeparation(window=7, within=False)).value == pytest.approx(
        similarity.between(similarity.moments(manifolds(), 7))
    )


@pytest.mark.parametrize("kept", [{"between": False}, {"within": False}])
def test_a_term_that_does_not_count_is_recorded_all_the_same(kept: dict[str, bool]) -> None:
    assert score(ManifoldSeparation(**kept)).terms == score().terms


def test_classes_that_separate_better_score_higher() -> None:
    rng, axis = np.random.default_rng(1), np.arange(8)
    pure = np.stack([np.add.outer(axis, 0 * axis) % 2, np.add.outer(0 * axis, axis) % 2, np.add.outer(axis, axis) % 2])
    mixed = pure[rng.integers(0, 3, (3, 9))]
    assert score(manifolds=np.repeat(pure[:, None], 9, axis=1)).value > score(manifolds=mixed.astype(float)).value
    assert score(manifolds=np.repeat(mixed[:1], 3, axis=0)).terms["between"] == pytest.approx(0, abs=1e-12)


def test_the_seed_draws_the_pairs_and_nothing_more() -> None:
    few, again, other = (score(ManifoldSeparation(pairs=5, seed=seed)).terms for seed in (1, 1, 2))
    assert few == again
    assert few["within"] != other["within"]
    assert few["between"] == other["between"]
    assert score(ManifoldSeparation(seed=1)) == score(ManifoldSeparation(seed=2))


def test_labels_give_accuracy_and_rand_index_but_no_value() -> None:
    known, unknown = score(), score(labels=None)
    assert known.value == unknown.value
    assert known.terms["accuracy"] == pytest.approx(5 / 6)
    assert 0 < known.terms["adjusted_rand"] < 1
    assert unknown.terms.keys() == {"between", "within"}
    assert score(posterior=None).terms.keys() == {"between", "within"}


def test_images_of_unknown_label_are_left_out() -> None:
    mended = score(labels=np.where(np.arange(6) == 3, -1, LABELS))
    assert (mended.terms["accuracy"], mended.terms["adjusted_rand"]) == (1.0, 1.0)
    assert score(labels=np.full(6, -1)).terms.keys() == {"between", "within"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"manifolds": None}, "nothing measured is called manifolds; there is posterior, labels"),
        ({"manifolds": np.zeros((3, 8, 8))}, r"manifolds has shape \(3, 8, 8\); wanted \[class, cell, y, x\]"),
        ({"manifolds": manifolds(classes=1)}, r"shape \(1, 9, 8, 8\); wanted .* 2 classes"),
        ({"manifolds": manifolds(cells=1)}, r"shape \(3, 1, 8, 8\); wanted .* 2 cells"),
        ({"manifolds": np.zeros((3, 9, 8, 4))}, r"shape \(3, 9, 8, 4\); wanted .* 5 x 5 pixels or more"),
        ({"manifolds": np.full((3, 9, 8, 8), np.nan)}, "manifolds holds nan; wanted finite numbers"),
        ({"manifolds": np.full((3, 9, 8, 8), 1j)}, "manifolds holds complex128; wanted numbers"),
        ({"posterior": np.full((6, 3), np.inf)}, "posterior holds inf; wanted finite numbers"),
        ({"posterior": posterior([0] * 6, classes=4)}, r"posterior has shape \(6, 4\); wanted .* with 3 classes"),
        ({"posterior": np.zeros(6)}, r"posterior has shape \(6,\); wanted \[image, class\]"),
        ({"labels": LABELS[:5]}, r"labels has shape \(5,\); wanted \(6,\), one for each posterior"),
        ({"labels": LABELS[:, None]}, r"labels has shape \(6, 1\); wanted \(6,\)"),
        ({"labels": np.array(list("aabbcc"))}, "labels holds <U1; wanted numbers"),
    ],
)
def test_what_cannot_be_scored_fails_the_trial(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        score(**changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ManifoldSeparation(between=False, within=False), "both false; wanted at least one"),
        (lambda: ManifoldSeparation(pairs=0), "pairs is 0; wanted at least 1"),
        (lambda: ManifoldSeparation(seed=-1), "seed is -1; wanted at least 0"),
        (lambda: ManifoldSeparation(window=1), "window is 1; wanted an odd number of at least 3"),
        (lambda: ManifoldSeparation(window=4), "window is 4; wanted an odd number"),
        (lambda: ManifoldSeparation(over_classes="max"), "over_classes is 'max'; wanted sum or mean"),  # type: ignore[arg-type]
    ],
)
def test_impossible_options_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()
