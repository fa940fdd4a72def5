"""Schedules of the two KL weights over the epochs: read from trajectories, and the ones used in practice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError, RefusedError, Trajectory

_COOLDOWN_HOLD, _COOLDOWN_END = 10 / 200, 50 / 200
_COOLDOWN_START = 40 / 3


def betas(trajectory: Trajectory, epochs: int | None, beta_discrete: float | None) -> Array:
    """[epoch, 2] of beta_c and beta_d: the trajectory's channels, or its only channel beside a constant beta_d.

    Raises `ConfigurationError` where channels or length cannot fit, `RefusedError` for a weight that is no positive
    number in the precision that trains.
    """
    if trajectory.values.ndim != 2:
        raise ValueError(f"trajectory has shape {trajectory.values.shape}; wanted one, [step, channel]")
    wanted = 2 if beta_discrete is None else 1
    if len(trajectory.channels) != wanted:
        names = ", ".join(channel.name for channel in trajectory.channels)
        why = "beta_discrete is none" if beta_discrete is None else f"beta_discrete is {beta_discrete:g}"
        raise ConfigurationError(
            f"the trajectory has {len(trajectory.channels)} channels ({names}); wanted {wanted}, as {why}"
        )
    if epochs is not None and trajectory.steps != epochs:
        raise ConfigurationError(f"the schedule has {trajectory.steps} steps; wanted one for each of {epochs} epochs")
    values = trajectory.values
    with np.errstate(over="ignore"):
        trained = values.astype(np.float32)
    bad = np.argwhere(~(np.isfinite(trained) & (trained > 0)))
    if len(bad):
        epoch, channel = bad[0]
        name = trajectory.channels[channel].name
        raise RefusedError(f"{name} is {values[epoch, channel]:g} at epoch {epoch}; wanted a positive number")
    if beta_discrete is None:
        return np.array(values)
    return np.column_stack([values[:, 0], np.full(len(values), beta_discrete)])


def constant(form: Trajectory, value: float) -> Trajectory:
    """The same weight throughout, in every channel."""
    return replace(form, values=np.full(form.values.shape, value))


def cooldown(form: Trajectory, final: float) -> Trajectory:
    """pyroVED's documented schedule: beta_c from 40 down to 3 between epochs 10 and 50 of 200, beta_d always 3.

    Stretched to the form's steps, and scaled so that it ends at `final` instead of 3.
    """
    share = (np.arange(form.steps) + 0.5) / form.steps
    progress = np.clip((share - _COOLDOWN_HOLD) / (_COOLDOWN_END - _COOLDOWN_HOLD), 0, 1)
    values = np.full(form.values.shape, final)
    values[:, 0] *= _COOLDOWN_START + (1 - _COOLDOWN_START) * progress
    return replace(form, values=values)
