"""The guard before an instrument: its own description counts as much as the campaign's envelope."""

from __future__ import annotations

import numpy as np
import pytest

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.executors.guarded import Guarded, bare
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Channel, ConfigurationError, Measurement, RefusedError, Run, Trajectory
from zbo_orchestrator.testing import RecordedRun

VOLTS = (Channel("bias", "V"),)
HARDWARE = Description("ACME,Supply,17", VOLTS, Envelope({"bias": Limits(-2, 2, step=1.0)}, duration=5.0))


class Supply:
    """Notes what reaches it; accepts no odd number of steps."""

    def __init__(self) -> None:
        self.driven: list[np.ndarray] = []

    def describe(self) -> Description:
        return HARDWARE

    def check(self, trajectory: Trajectory) -> None:
        if trajectory.steps % 2:
            raise RefusedError(f"{trajectory.steps} steps; wanted an even number")

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        self.driven.append(trajectory.values)
        return Measurement({"bias": trajectory.values})


def wave(*values: float, channels: tuple[Channel, ...] = VOLTS, dt: float = 1.0) -> Trajectory:
    return Trajectory(np.array(values)[:, None], dt, channels)


@pytest.mark.parametrize(
    ("envelope", "trajectory", "said"),
    [
        (Limits(-9, 9), wave(0, 1, 2, 2.5), "bias.upper by 0.5"),
        (Limits(-9, 9), wave(0, 1.5), "bias.step by 0.5"),
        (Limits(-9, 1), wave(0, 1, 1.25, 1), "bias.upper by 0.25"),
        (Limits(-9, 9), wave(0, 1, dt=4.0), "duration by 3"),
        (Limits(-9, 9), wave(0, np.nan), "not finite"),
        (Limits(-9, 9), wave(0, 1, 0), "3 steps; wanted an even number"),
    ],
)
def test_the_stricter_of_campaign_and_hardware_refuses_before_anything_moves(
    envelope: Limits, trajectory: Trajectory, said: str
) -> None:
    supply = Supply()
    with pytest.raises(RefusedError, match=said):
        Guarded(supply, Envelope({"bias": envelope})).execute(trajectory, RecordedRun())
    assert supply.driven == []


def test_what_both_allow_runs_unchanged() -> None:
    supply = Supply()
    Guarded(supply, Envelope({"bias": Limits(-1, 1)})).execute(wave(0, 0.7, 1, 0), RecordedRun())
    assert supply.driven[0][:, 0].tolist() == [0, 0.7, 1, 0]


@pytest.mark.parametrize("channels", [(Channel("bias", "mV"),), (Channel("field", "V"),)])
def test_another_channel_or_unit_than_the_hardwares_is_a_mistake_in_the_campaign(
    channels: tuple[Channel, ...],
) -> None:
    supply = Supply()
    wanted = r"ACME,Supply,17 wants bias \[V\]"
    with pytest.raises(ConfigurationError, match=wanted):
        Guarded(supply, Envelope()).execute(wave(0, 1, channels=channels), RecordedRun())
    assert supply.driven == []


def test_a_description_given_from_outside_is_kept_to() -> None:
    class Far:
        """An instrument in another process, which cannot be asked from here."""

        def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
            raise AssertionError("it moved")

    guard = Guarded(Far(), Envelope(), HARDWARE)
    with pytest.raises(RefusedError, match=r"bias\.upper by 1"):
        guard.execute(wave(2, 3), RecordedRun())
    assert isinstance(bare(guard), Far)
