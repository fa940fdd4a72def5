"""What an executor is certified with: a curve of its campaign's library, or a gentle one within its own limits."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import numpy as np
from scipy.ndimage import uniform_filter1d

from zbo_orchestrator.campaign import Campaign
from zbo_orchestrator.envelope import Limits
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Array, ConfigurationError, Trajectory

STEPS = 50
SHARE = 0.1
"""Of a channel's range."""
DURATION = 0.25
"""In the executor's unit of time: some 40 trials make a card."""
_HALVINGS = 40
_WIDTHS = (1, 3, 5, 9, 17, 33, 65)
"""Steps that a running mean goes over: noise that a decoder does not learn breaks slew limits."""


def middle(campaign: Campaign) -> Trajectory:
    """The curve in the library's middle, smoothed as far as the campaign's envelope wants; else the box's centre."""
    if campaign.library is None:
        decoder = campaign.recipe.restore(campaign.learn()[0])
        lower, upper = decoder.box
        return decoder.decode(np.atleast_2d((lower + upper) / 2))[0]
    curves = campaign.library.draw(campaign.seed).curves
    curve = curves[len(curves.values) // 2]
    for width in _WIDTHS:
        smooth = replace(curve, values=uniform_filter1d(curve.values, width, axis=0, mode="nearest"))
        if (campaign.envelope.margins(smooth) >= 0).all():
            return smooth
    campaign.envelope.refuse(curve)
    return curve


def gentle(description: Description, duration: float = DURATION) -> Trajectory:
    """A half-sine of a tenth of every channel's range, from rest and back; longer or smaller where limits want that."""
    limits = [description.envelope.channels.get(channel.name, Limits()) for channel in description.channels]
    rest, rise = _rest(limits), np.array([_rise(each) for each in limits])
    if not np.isfinite(rise).all():
        name = description.channels[int(np.argmin(np.isfinite(rise)))].name
        raise ConfigurationError(f"channel {name!r} has no range to take a tenth of; wanted a campaign, for its curves")
    for halving in range(_HALVINGS):
        values = rest + np.sin(np.linspace(0, np.pi, STEPS))[:, None] * rise / 2**halving
        trajectory = Trajectory(values, _duration(values, limits, description, duration) / STEPS, description.channels)
        if (description.envelope.margins(trajectory) >= 0).all():
            return trajectory
    raise ConfigurationError(f"no half-sine is within the limits of {description.identity}; wanted a campaign")


def still(description: Description) -> Trajectory:
    """Every channel at rest for one step."""
    limits = [description.envelope.channels.get(channel.name, Limits()) for channel in description.channels]
    return Trajectory(_rest(limits)[None], min(DURATION, description.envelope.duration), description.channels)


def _rest(limits: list[Limits]) -> Array:
    """0, or the value nearest to it that the range holds [channel]."""
    return np.array([np.clip(0.0, each.lower, each.upper) for each in limits])


def _rise(limits: Limits) -> float:
    """A tenth of the range, towards where there is more room."""
    share = SHARE * (limits.upper - limits.lower)
    rest = float(np.clip(0.0, limits.lower, limits.upper))
    return share if limits.upper - rest >= rest - limits.lower else -share


def _duration(values: Array, limits: list[Limits], description: Description, wanted: float) -> float:
    """What is wanted; as much more as the slew limits want, within the longest allowed."""
    changes = np.abs(np.diff(values, axis=0)).max(axis=0) * STEPS
    slews = [float(2 * change / each.slew) for change, each in zip(changes, limits, strict=True) if isfinite(each.slew)]
    return min(max([wanted, *slews]), description.envelope.duration)
