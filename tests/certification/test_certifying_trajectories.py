"""What an executor is certified with stays within its limits, whatever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from menagerie import campaign

from zbo_orchestrator.campaign import load
from zbo_orchestrator.certification.trajectories import STEPS, gentle, middle, still
from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Channel, ConfigurationError

POSITIVE = st.floats(1e-3, 1e3)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    lower, width = draw(st.floats(-100, 100)), draw(POSITIVE)
    rest = float(np.clip(0, lower, lower + width))
    return Limits(lower, lower + width, draw(POSITIVE), draw(POSITIVE), draw(POSITIVE) + 2 * rest**2 * 1e3)


@given(limits(), limits(), st.floats(0.01, 1e3))
@example(Limits(0.0, 1.0, 1.0, 1.0, 1.0), Limits(0.0, 1e3, 1e-3, 1e-3, 1e-3), 0.01)
def test_a_half_sine_keeps_every_limit_and_moves(x: Limits, y: Limits, longest: float) -> None:
    description = Description("ACME", (Channel("x"), Channel("y", "V")), Envelope({"x": x, "y": y}, longest))
    trajectory = gentle(description)
    assert trajectory.steps == STEPS
    assert (description.envelope.margins(trajectory) >= 0).all()
    assert (np.ptp(trajectory.values, axis=0) > 0).all()
    for index, each in enumerate((x, y)):
        assert np.ptp(trajectory.values[:, index]) <= 0.1 * (each.upper - each.lower) * (1 + 1e-9)
    assert (description.envelope.margins(still(description)) >= 0).all()


def test_without_a_range_a_campaign_is_wanted() -> None:
    with pytest.raises(ConfigurationError, match="channel 'x' has no range to take a tenth of; wanted a campaign"):
        gentle(Description("ACME", (Channel("x"),), Envelope({"x": Limits(lower=0)})))


def test_a_campaign_gives_its_boxs_centre_or_its_librarys_middle_smoothed_as_its_envelope_wants(tmp_path: Path) -> None:
    assert middle(load(campaign(tmp_path, "Raises"), allow_code=True)).values == pytest.approx(0)
    library = {
        "steps": 100,
        "dt": 0.01,
        "channels": [{"name": "bias", "unit": "V"}],
        "bounds": [-1, 1],
        "families": [{"use": "modulated-sine", "count": 21, "scale": "curve", "points": 120}],
    }
    noisy = campaign(tmp_path, "Raises", library=library, decoder={"use": "linear"}, atlas={"grid": [9, 9]})
    rough = middle(load(noisy, allow_code=True))
    change = float(np.abs(np.diff(rough.values, axis=0)).max())
    document = yaml.safe_load(noisy.read_text()) | {"envelope": {"channels": {"bias": {"step": change * 0.7}}}}
    noisy.write_text(yaml.safe_dump(document))
    smooth = middle(load(noisy, allow_code=True))
    assert np.abs(np.diff(smooth.values, axis=0)).max() <= change * 0.7
    assert np.abs(smooth.values - rough.values).max() < 0.5
