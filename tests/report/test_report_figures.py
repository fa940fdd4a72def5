"""What the figures are drawn from: running best, regret, grids, packed maps, the choice of picture, the words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from matplotlib import rcParams
from matplotlib.figure import Figure
from subjects import Waves, findings, maps, space, trials

from zbo_orchestrator.model import Array, Goal, Space, Trajectory
from zbo_orchestrator.report import palette, wording
from zbo_orchestrator.report.convergence import convergence_figure, simple_regret
from zbo_orchestrator.report.decoded import feasible_nearby
from zbo_orchestrator.report.explorer import MISSING, keep, known_from, pack
from zbo_orchestrator.report.findings import Best, Measured
from zbo_orchestrator.report.grid import grid_of
from zbo_orchestrator.report.measured import picture
from zbo_orchestrator.report.pictures import draw, drawn_pictures, told_pictures, words
from zbo_orchestrator.report.posterior import bounds_of
from zbo_orchestrator.report.rendering import drawing, svg
from zbo_orchestrator.report.summary import headline, rows, tiles

VALUES = st.floats(-1e6, 1e6, allow_nan=False, width=32)


# --- best so far and regret -------------------------------------------------------------------------


@given(values=st.lists(VALUES | st.just(np.nan), min_size=1, max_size=30), maximize=st.booleans())
def test_the_running_best_is_the_best_of_what_was_scored_so_far(values: list[float], maximize: bool) -> None:
    plain = findings(count=len(values), initial=1, modelled=False)
    status = tuple("failed" if np.isnan(value) else "scored" for value in values)
    subject = replace(
        plain, goal=Goal(maximize), trials=replace(plain.trials, value=np.array(values), status=status), best=None
    )
    best = max if maximize else min
    for row, shown in enumerate(subject.running_best):
        known = [value for value in values[: row + 1] if not np.isnan(value)]
        assert (np.isnan(shown) and not known) or shown == best(known)


@pytest.mark.parametrize("maximize", [True, False])
def test_regret_falls_to_what_separates_the_best_trial_from_the_scans_best(maximize: bool) -> None:
    subject = findings(with_truth=True, maximize=maximize)
    regret = simple_regret(subject)
    assert regret is not None
    assert subject.best is not None
    assert (np.diff(regret) <= 0).all()
    expected = abs(subject.optimum - subject.trials.value[subject.best.row])
    assert regret[-1] == pytest.approx(expected) or regret[-1] == 0


def test_regret_needs_a_scan() -> None:
    assert simple_regret(findings()) is None
    with drawing():
        assert len(convergence_figure(findings()).axes) == 1
        assert len(convergence_figure(findings(with_truth=True)).axes) == 2


# --- grids --------------------------------------------------------------------------------------------


def _space(points: Array, shape: tuple[int, ...] | None) -> Space:
    margins = np.ones((len(points), 1))
    return Space(np.full(2, -1.0), np.full(2, 1.0), points, margins, ("limit",), shape)


@given(nx=st.integers(2, 6), ny=st.integers(2, 6), indexing=st.sampled_from(["ij", "xy"]))
def test_a_picture_holds_each_candidate_at_its_place(nx: int, ny: int, indexing: str) -> None:
    axes = np.linspace(-1, 1, nx), np.linspace(0.9, -0.9, ny)
    points = np.stack(np.meshgrid(*axes, indexing=indexing), axis=-1)
    grid = grid_of(_space(points.reshape(-1, 2), points.shape[:2]))
    assert grid is not None
    codes = 10 * points[..., 0].ravel() + points[..., 1].ravel()
    np.testing.assert_allclose(grid.image(codes), 10 * grid.x[None] + grid.y[:, None])


def test_scattered_or_bent_candidates_are_no_grid() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (12, 2))
    assert grid_of(_space(points, None)) is None
    assert grid_of(_space(points, (3, 4))) is None


# --- what the slider shows ----------------------------------------------------------------------------


@given(arrays(np.float64, array_shapes(max_dims=1, max_side=40), elements=VALUES | st.just(np.nan)))
def test_packed_values_come_back_within_half_a_step(values: Array) -> None:
    low, high = bounds_of("mean", values)
    codes = pack(values, low, high)
    assert ((codes == MISSING) == np.isnan(values)).all()
    if np.isfinite(values).any():
        known = np.isfinite(values)
        back = low + codes[known] / 254 * (high - low)
        np.testing.assert_allclose(back, values[known], atol=(high - low) * 0.501 / 254)


@given(plans=st.integers(1, 500), size=st.integers(1, 10_000), limit=st.integers(10_000, 1_000_000))
def test_kept_plans_fit_and_end_with_the_last(plans: int, size: int, limit: int) -> None:
    kept = keep(plans, size, limit)
    assert kept[-1] == plans - 1
    assert len(kept) * size <= limit + size
    assert len(np.unique(np.diff(kept))) <= 1
    assert len(kept) == plans or plans * size > limit


def test_an_acquisitions_far_tail_does_not_drown_its_top() -> None:
    values = np.concatenate([np.linspace(-8, -2, 100), np.full(20, -900.0)])
    low, high = bounds_of("acquisition", values)
    assert high == -2
    assert -20 < low < -5
    assert bounds_of("mean", values) == (-900, -2)


def test_a_trial_is_known_from_the_first_plan_made_after_its_record() -> None:
    where = space(2, (10, 10))
    made = trials(where, 8, 3, {7: "proposed"})
    late = replace(made, recorded_at=made.recorded_at + np.array([0, 0, 0, 2.0, 0, 0, 0, 0]))
    plans = maps(where, made).plan
    assert known_from(made, plans).tolist() == [0, 0, 0, 1, 2, 3, 4, 5]
    assert known_from(late, plans).tolist() == [0, 0, 0, 3, 2, 3, 4, 5]


# --- pictures of what was measured ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dims", "kind", "laid_out"),
    [
        ((), (), "number", ()),
        ((40,), ("step",), "series", (1, 40)),
        ((1, 40), ("spot", "step"), "series", (1, 40)),
        ((3,), ("spot",), "text", (3,)),
        ((40, 2), ("step", "component"), "series", (2, 40)),
        ((2, 9), ("component", "step"), "series", (2, 9)),
        ((12, 15), ("x", "y"), "image", (12, 15)),
        ((2, 12, 15), ("component", "x", "y"), "vectors", (2, 12, 15)),
        ((12, 15, 2), ("a", "b", "c"), "vectors", (2, 12, 15)),
        ((2, 12, 15), ("frame", "x", "y"), "frames", (2, 12, 15)),
        ((7, 12, 15), ("frame", "x", "y"), "frames", (7, 12, 15)),
        ((7, 2, 12, 15), ("frame", "component", "x", "y"), "vector frames", (7, 2, 12, 15)),
        ((2, 7, 12, 15), ("component", "frame", "x", "y"), "vector frames", (7, 2, 12, 15)),
        ((7, 3, 12, 15), ("frame", "colour", "x", "y"), "described", (7, 3, 12, 15)),
        ((0, 4), ("x", "y"), "described", (0, 4)),
    ],
)
def test_axes_alone_decide_how_an_array_is_drawn(
    shape: tuple[int, ...], dims: tuple[str, ...], kind: str, laid_out: tuple[int, ...]
) -> None:
    values = np.random.default_rng(1).normal(size=shape)
    what = picture(Measured("quantity", values, dims, "V"))
    assert (what.kind, np.shape(what.values)) == (kind, laid_out)
    if kind in {"series", "image", "vectors", "frames", "vector frames"}:
        best = Best(0, Waves(2, steps=40).decode(np.zeros((1, 2)))[0], None)
        with drawing():
            assert "<svg" in svg(draw(what, best), "name", words(what))


def test_evenly_spaced_values_are_an_axis_and_text_stays_text() -> None:
    assert picture(Measured("time", np.linspace(0, 3, 30), ("frame",), "s")).kind == "axis"
    assert picture(Measured("remark", np.array("fine"), ())).kind == "text"


def test_a_series_as_long_as_the_trajectory_is_also_drawn_against_what_was_applied() -> None:
    proposed = Waves(2, steps=40).decode(np.array([[0.3, 0.1]]))[0]
    executed = Trajectory(np.vstack([proposed.values, proposed.values[-5:]]), proposed.dt, proposed.channels)
    best = Best(0, proposed, executed)
    panels = {}
    with drawing():
        for steps in (30, 40, 45):
            values = np.random.default_rng(2).normal(size=steps)
            panels[steps] = len(draw(picture(Measured("response", values, ("step",))), best).axes)
    assert panels == {30: 1, 40: 2, 45: 2}


def test_a_series_that_only_follows_what_was_applied_is_told_not_drawn() -> None:
    plain = findings(modelled=False)
    assert plain.best is not None
    assert plain.best.executed is not None
    drive = np.stack([plain.best.executed.values[:, 0] * 150, np.zeros(300)], axis=1)
    noisy = drive + np.random.default_rng(0).normal(size=drive.shape)
    measured = (
        Measured("drive", drive, ("step", "component"), "Ec"),
        Measured("readout", noisy, ("step", "component")),
    )
    subject = replace(plain, best=replace(plain.best, measured=measured))
    with drawing():
        assert [what.measured.name for what, _ in drawn_pictures(subject)] == ["readout"]
    ((name, text),) = told_pictures(subject)
    assert name == "drive"
    assert text.startswith("follows what was applied, from ")


def test_directions_differ_also_to_colour_blind_eyes() -> None:
    right, up, left, down = palette.direction_colours(np.array([0, np.pi / 2, np.pi, -np.pi / 2]))
    luminance = np.array([0.2126, 0.7152, 0.0722])
    assert (up - down) @ luminance > 0.15
    assert (right - left)[2] < -0.2
    assert (palette.direction_colours(np.linspace(0, 7, 200)) <= 1).all()


# --- rendering and words ----------------------------------------------------------------------------------


def test_a_dollar_sign_in_a_name_is_a_dollar_sign() -> None:
    with drawing():
        figure = Figure()
        figure.add_subplot().set_title("$\\frac{")
        assert "$\\frac{" in svg(figure, "name", "words")


def test_drawing_leaves_matplotlibs_settings_as_they_were() -> None:
    before = dict(rcParams)
    with drawing():
        svg(Figure(), "name", "words")
    assert dict(rcParams) == before


def test_a_point_takes_the_feasibility_of_its_nearest_candidate() -> None:
    subject = findings(shape=(41, 41))
    assert feasible_nearby(subject, np.array([[0.2, 0.2], [-1.9, -1.9]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-1.5, "−1.5"),
        (12345.678, "12346"),
        (1.2345678e7, "1.235 × 10^7"),
        (1e-7, "1 × 10^−7"),
        (float("nan"), "–"),
    ],
)
def test_numbers_are_short_and_have_a_true_minus(value: float, shown: str) -> None:
    assert wording.number(value) == shown


@pytest.mark.parametrize(
    ("value", "spread", "shown"),
    [
        (12.37684, 0.0058, "12.3768 ± 0.0058"),
        (-3.2, 0.5, "−3.20 ± 0.50"),
        (5000.0, 260.0, "5000 ± 260"),
        (5.0, float("nan"), "5"),
        (5.0, 0.0, "5"),
    ],
)
def test_a_deviation_decides_how_many_digits_are_worth_showing(value: float, spread: float, shown: str) -> None:
    assert wording.give_or_take(value, spread) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(3.21, "3.21 s"), (93.4, "1 min 33 s"), (3 * 3600 + 61, "3 h 1 min"), (50 * 3600, "2 d 2 h")],
)
def test_durations_are_told_in_two_units(seconds: float, shown: str) -> None:
    assert wording.lasting(seconds) == shown


def test_the_tiles_tell_what_the_model_expects_of_a_feasible_point() -> None:
    subject = findings()
    expected = np.nanmax(subject.maps.layers["mean"][-1][subject.space.feasible])
    tile = next(tile for tile in tiles(subject) if tile.label == "Model expects")
    assert float(tile.fact.split(" ±")[0]) == pytest.approx(expected, rel=0.05)
    assert not [tile for tile in tiles(findings(modelled=False)) if tile.label == "Model expects"]


def test_a_running_campaign_does_not_claim_to_be_finished() -> None:
    assert "still running" in headline(replace(findings(count=14), state="running", stop_reason=""))
    assert "No trial has a score yet: 0 trials of 12 recorded" in headline(findings(count=0))


def test_only_plans_with_maps_are_linked() -> None:
    linked = [row.number for row in rows(findings(count=20, initial=12)) if row.mapped]
    assert linked == list(range(12, 20))
