"""Schedules: what a trajectory must be to be one, and the ones used in practice."""

from __future__ import annotations

import numpy as np
import pytest

from zbo_jrvae.schedules import betas, constant, cooldown
from zbo_orchestrator.model import Channel, ConfigurationError, RefusedError, Trajectory

ONE = (Channel("beta_c"),)
BOTH = (Channel("beta_c"), Channel("beta_d"))


def test_one_channel_stands_beside_a_constant_and_two_for_themselves() -> None:
    alone = betas(Trajectory([[2.0], [1.0]], 1.0, ONE), 2, 3.0)
    assert alone.tolist() == [[2.0, 3.0], [1.0, 3.0]]
    both = betas(Trajectory([[2.0, 5.0], [1.0, 4.0]], 1.0, BOTH), None, None)
    assert both.tolist() == [[2.0, 5.0], [1.0, 4.0]]


@pytest.mark.parametrize(
    ("trajectory", "epochs", "beta_discrete", "words"),
    [
        (Trajectory([[1.0]] * 3, 1.0, ONE), 4, 3.0, "the schedule has 3 steps; wanted one for each of 4 epochs"),
        (Trajectory([[1.0]] * 5, 1.0, ONE), 4, 3.0, "the schedule has 5 steps"),
        (Trajectory([[1.0]], 1.0, ONE), 1, None, "wanted 2, as beta_discrete is none"),
        (Trajectory([[1.0, 1.0]], 1.0, BOTH), 1, 3.0, "wanted 1, as beta_discrete is 3"),
    ],
)
def test_a_schedule_that_cannot_fit_is_the_files_mistake(
    trajectory: Trajectory, epochs: int, beta_discrete: float | None, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        betas(trajectory, epochs, beta_discrete)


@pytest.mark.parametrize("value", [0.0, -0.5, 1e-50, 1e39, float("nan"), float("inf")])
def test_a_weight_that_is_no_positive_number_fails_the_trial_and_says_where(value: float) -> None:
    with pytest.raises(RefusedError, match=r"beta_c is .* at epoch 1; wanted a positive number"):
        betas(Trajectory([[1.0], [value]], 1.0, ONE), 2, 3.0)


def test_the_documented_cooldown_over_its_own_200_epochs() -> None:
    values = cooldown(Trajectory(np.ones((200, 2)), 1.0, BOTH), 3.0).values
    assert values[:10, 0] == pytest.approx(40)
    assert values[50:, 0] == pytest.approx(3)
    assert (np.diff(values[9:51, 0]) < 0).all()
    assert values[:, 1] == pytest.approx(3)


def test_shorter_and_scaled_it_keeps_its_shape() -> None:
    values = cooldown(Trajectory(np.ones((40, 1)), 1.0, ONE), 0.3).values[:, 0]
    assert values[0] == pytest.approx(4)
    assert values[-1] == pytest.approx(0.3)
    assert (np.diff(values) <= 0).all()


def test_a_constant_has_the_form_it_was_asked_in() -> None:
    form = Trajectory(np.arange(6.0).reshape(3, 2), 0.5, BOTH)
    made = constant(form, 2.5)
    assert (made.dt, made.channels) == (0.5, BOTH)
    assert (made.values == 2.5).all()
