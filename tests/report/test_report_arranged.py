"""Arrays of one trial that belong together: stacks of tiled images, series of one axis, things and their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.collections import PathCollection
from matplotlib.text import Annotation
from reading import read
from subjects import findings

from zbo_orchestrator.model import Array, Channel, Trajectory
from zbo_orchestrator.report.arranged import LABELS, arranged, is_labels, is_shares
from zbo_orchestrator.report.classes import ordered
from zbo_orchestrator.report.findings import Best, Findings, Measured
from zbo_orchestrator.report.measured import Picture, picture
from zbo_orchestrator.report.pictures import caption, draw, drawn_pictures, told_pictures, words
from zbo_orchestrator.report.rendering import drawing, svg
from zbo_orchestrator.report.stacks import CELLS, FINE, stride, tiled
from zbo_orchestrator.report.writing import present

EPOCHS = 24
SCHEDULE = Trajectory(np.linspace(9, 1, EPOCHS)[:, None] ** 2, 1.0, (Channel("beta", ""),))
BEST = Best(0, SCHEDULE, SCHEDULE)


def trained(classes: int = 4, side: int = 3, images: int = 60, labelled: bool = True) -> tuple[Measured, ...]:
    """What training a clustering autoencoder leaves behind, made up."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=images)
    shares = rng.dirichlet(np.ones(classes), images).astype(np.float32)
    epochs = np.exp(-np.arange(EPOCHS) / 5)
    found = (
        Measured("manifolds", rng.random((classes, side * side, 6, 6)), ("class", "cell", "y", "x")),
        Measured("loss", 30 + 20 * epochs, ("epoch",), "nat"),
        Measured("kl_continuous", 5 - 3 * epochs, ("epoch",), "nat"),
        Measured("separation", rng.random(7), ("checkpoint",)),
        Measured("means", rng.normal(size=(images, 3)).astype(np.float32), ("image", "latent")),
        Measured("posterior", shares, ("image", "class")),
    )
    return (*found, Measured("labels", labels, ("image",))) if labelled else found


def campaign(measured: Sequence[Measured]) -> Findings:
    plain = findings(count=14, modelled=False)
    return replace(plain, best=replace(BEST, measured=tuple(measured)))


def by_kind(measured: Sequence[Measured]) -> dict[str, Picture]:
    return {each.kind: each for each in arranged(measured)}


def named(measured: Sequence[Measured], *names: str) -> list[Measured]:
    return [each for each in measured if each.name in names]


# --- stacks -----------------------------------------------------------------------------------------


@given(side=st.integers(2, 7), tall=st.integers(1, 4), wide=st.integers(1, 4), step=st.integers(1, 4))
def test_every_cell_lies_in_its_place_row_by_row(side: int, tall: int, wide: int, step: int) -> None:
    cells = np.arange(side * side, dtype=float)[:, None, None] * np.ones((tall, wide))
    image = tiled(cells, step)
    kept = image[::tall, ::wide].astype(int)
    rows, columns = np.divmod(kept, side)
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:1]).all()
    assert (np.diff(rows, axis=0) == step).all()
    assert (np.diff(columns, axis=1) == step).all()
    assert abs(rows[0, 0] - (side - 1 - rows[-1, 0])) <= 1
    np.testing.assert_array_equal(image, np.kron(kept, np.ones((tall, wide))))


def test_cells_that_fill_no_square_leave_the_rest_empty() -> None:
    assert np.isnan(tiled(np.zeros((7, 1, 1)), 1)).sum() == 2


@pytest.mark.parametrize(
    ("shape", "dims", "kind"),
    [
        ((2, 144, 8, 8), ("class", "cell", "y", "x"), "stack"),
        ((3, 144, 8, 8), ("class", "point", "row", "column"), "stack"),
        ((3, 10, 8, 8), ("class", "cell", "y", "x"), "stack"),
        ((3, 10, 8, 8), ("class", "point", "y", "x"), "described"),
        ((2, 9, 8, 8), ("component", "frame", "y", "x"), "vector frames"),
    ],
)
def test_a_square_of_cells_for_every_member_is_a_stack(
    shape: tuple[int, ...], dims: tuple[str, ...], kind: str
) -> None:
    assert picture(Measured("manifolds", np.ones(shape), dims)).kind == kind


@pytest.mark.parametrize(
    ("side", "pixels", "said"),
    [
        (6, 8, "Each panel: 6 × 6 cells"),
        (12, 8, "every second row and column of 12 × 12 cells"),
        (12, 96, "every third row and column of 12 × 12 cells"),
        (40, 8, "every 5th row and column of 40 × 40 cells"),
    ],
)
def test_cells_are_left_out_where_they_would_be_too_fine_and_the_caption_says_so(
    side: int, pixels: int, said: str
) -> None:
    what = picture(Measured("manifolds", np.zeros((3, side * side, pixels, pixels)), ("class", "cell", "y", "x")))
    drawn = max(tiled(what.values[0], stride(what.values[0])).shape)
    assert drawn <= min(FINE, CELLS * pixels)
    assert said in caption(what)


def test_a_large_stack_is_a_small_file_on_one_scale() -> None:
    grid = np.linspace(0, 6, 28)
    waves = np.sin(np.arange(1440)[:, None, None] / 300 + grid[:, None]) * np.cos(grid)
    what = picture(Measured("manifolds", waves.reshape(10, 144, 28, 28), ("class", "cell", "y", "x")))
    with drawing():
        figure = draw(what, BEST)
        assert len(svg(figure, "name", words(what))) < 500_000
    panels = [each for each in figure.axes if each.images]
    assert [each.get_title(loc="left") for each in panels] == [f"class {index}" for index in range(10)]
    assert {each.images[0].get_clim() for each in panels} == {(waves.min(), waves.max())}


# --- series over one axis -----------------------------------------------------------------------------


def test_series_over_one_axis_share_a_figure_with_what_was_applied() -> None:
    found = by_kind(trained())
    assert [each.name for each in found["panels"].beside] == ["loss", "kl_continuous"]
    assert found["series"].measured.name == "separation"
    with drawing():
        titles = [each.get_title(loc="left") for each in draw(found["panels"], BEST).axes if each.get_visible()]
        shorter = Best(0, Trajectory(SCHEDULE.values[:5], 1.0, SCHEDULE.channels), None)
        alone = [each.get_title(loc="left") for each in draw(found["panels"], shorter).axes if each.get_visible()]
    assert titles == ["beta, applied", "loss (nat)", "kl continuous (nat)"]
    assert alone == titles[1:]
    assert "24 steps of epoch: loss from 50 to" in words(found["panels"])


def test_series_of_another_length_or_axis_stay_apart() -> None:
    lines = [
        Measured("loss", np.geomspace(9, 1, 24), ("epoch",)),
        Measured("late", np.geomspace(9, 1, 12), ("epoch",)),
        Measured("heat", np.geomspace(9, 1, 24), ("step",)),
    ]
    assert [each.kind for each in arranged(lines)] == ["series"] * 3


# --- things and their classes -------------------------------------------------------------------------


@given(
    labels=arrays(np.int64, 30, elements=st.integers(-1, 2)),
    shares=arrays(np.float64, (30, 3), elements=st.floats(0.01, 1)),
)
def test_things_are_in_the_order_of_their_labels_then_of_their_largest_class(labels: Array, shares: Array) -> None:
    shares = shares / shares.sum(axis=1, keepdims=True)
    posterior, given_labels = Measured("posterior", shares, ("image", "class")), Measured("labels", labels, ("image",))
    (what, *_) = arranged([posterior, given_labels])
    assert what.kind == "shares"
    order, names = ordered(what)
    assert sorted(order) == list(range(30))
    groups = labels[order] if what.beside else np.zeros(30)
    assert (np.diff(groups) >= 0).all()
    if names is not None:
        np.testing.assert_array_equal(names, groups)
    largest = shares[order].argmax(axis=1)
    assert all((np.diff(largest[groups == group]) >= 0).all() for group in np.unique(groups))


def test_a_column_of_the_picture_is_a_thing_and_each_label_stands_above_its_own() -> None:
    what = by_kind(trained(classes=3, images=40))["shares"]
    order, labels = ordered(what)
    with drawing():
        axes = draw(what, BEST).axes[0]
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), np.asarray(what.values)[order].T)
    above = {int(each.get_text()): each.xy[0] for each in axes.texts if isinstance(each, Annotation)}
    assert above == {label: np.flatnonzero(labels == label).mean() for label in range(3)}
    assert len(axes.lines) == 2


def test_points_are_coloured_by_label_and_by_class_and_labels_are_not_drawn_again() -> None:
    measured = trained()
    found = by_kind(measured)
    assert set(found) == {"stack", "panels", "series", "points", "shares"}
    assert [each.name for each in found["points"].beside] == ["labels", "posterior"]
    with drawing():
        panels = draw(found["points"], BEST).axes
    (means,), (labels,) = named(measured, "means"), named(measured, "labels")
    assert [each.get_title(loc="left") for each in panels] == ["by labels", "by class of largest posterior"]
    dots = {int(str(each.get_label())): each for each in panels[0].collections if isinstance(each, PathCollection)}
    for label, each in dots.items():
        np.testing.assert_allclose(np.asarray(each.get_offsets()), means.values[labels.values == label, 1:])
    assert "latent 2 against latent 1 of 60 images, coloured by labels and by" in words(found["points"])


def test_without_labels_classes_tell_points_apart_and_without_either_points_are_lines() -> None:
    measured = trained(labelled=False)
    found = by_kind(measured)
    assert [each.name for each in found["points"].beside] == ["posterior"]
    assert found["shares"].beside == ()
    assert by_kind(named(measured, "means"))["series"].measured.name == "means"


def test_labels_of_other_things_say_nothing() -> None:
    measured = trained(labelled=False)
    other = Measured("labels", np.arange(40) % 3, ("image",))
    found = by_kind([*measured, other])
    assert found["shares"].beside == ()
    assert [each.name for each in found["points"].beside] == ["posterior"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.arange(40) % 3, True),
        (np.arange(40) % 2 == 0, True),
        (np.arange(40) % (LABELS + 1), False),
        (np.arange(40) % 3 + 0.5, False),
        (np.zeros(40, int), False),
        (np.arange(6), False),
    ],
)
def test_labels_are_few_different_integers(values: Array, wanted: bool) -> None:
    assert is_labels(Measured("labels", values, ("image",))) == wanted


def test_shares_are_rows_that_sum_to_one() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    assert is_shares(Measured("posterior", shares, ("image", "class")))
    assert is_shares(Measured("posterior", shares.astype(np.float32), ("image", "class")))
    unknown = np.where(shares == shares.max(), np.nan, shares)
    for spoilt in (shares * 1.01, shares - [[0.5, -0.5, 0.0]], unknown, shares[:5]):
        assert not is_shares(Measured("posterior", spoilt, ("image", "class")))


# --- the whole trial ------------------------------------------------------------------------------------


def test_a_trial_is_shown_once_each_with_words_for_everything_drawn(tmp_path: Path) -> None:
    subject = campaign(trained())
    with drawing():
        kinds = [what.kind for what, _ in drawn_pictures(subject)]
    assert kinds == ["stack", "panels", "shares", "points", "series"]
    assert told_pictures(subject) == []
    seen = read(present(subject, tmp_path / "report.html"))
    alts = [each["aria-label"] for each in seen.all("svg") if each.get("role") == "img"]
    for said in ("4 × 9 × 6 × 6 (class, cell, y, x)", "each of 60 images", "coloured by labels", "loss from 50"):
        assert any(said in alt for alt in alts)
    assert "A column for each image, ordered by their labels (above)" in seen.text
