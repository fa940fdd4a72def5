"""What several test files share: a small real campaign, and a Prefect server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from zbo_flows.server import server

settings.register_profile("busy", deadline=None)  # a machine that stands still for a moment refutes nothing
settings.load_profile("busy")

SMALL = {
    "name": "small",
    "seed": 3,
    "budget": {"initial": 4, "total": 9},
    "library": {
        "steps": 40,
        "dt": 4 / 53,
        "channels": [{"name": "field", "unit": "Ec"}],
        "bounds": [-1.0, 1.0],
        "families": [{"use": "modulated-sine", "count": 300, "points": 53}],
    },
    "decoder": {"use": "linear"},
    "atlas": {"grid": [20, 20]},
    "envelope": {"channels": {"field": {"lower": -1.5, "upper": 1.5}}},
    "planner": {"use": "bayesian"},
    "executor": {
        "use": "ferrosim",
        "n": 5,
        "coupling": 8.0,
        "amplitude": 15.0,
        "hold_steps": 5,
        "defect_strength": 0.0,
    },
    "evaluator": {"use": "total-curl"},
}
"""The demo's campaign in small: the same parts, a second's work."""


@pytest.fixture
def campaign_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small campaign, with sections replaced, and returns the file's path."""

    def write(**sections: object) -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({**SMALL, **sections}))
        return path

    return write


@pytest.fixture(scope="session", autouse=True)
def leases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test meets another's instrument, nor the user's."""
    os.environ["ZBO_LEASES"] = str(tmp_path_factory.mktemp("leases"))
    yield
    del os.environ["ZBO_LEASES"]


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own for the whole session, and all who talk to one."""
    os.environ["ZBO_HOME"] = str(tmp_path_factory.mktemp("home"))
    with server() as running:
        running.wait()
        from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 (most tests never import it)

        from zbo_flows.campaign import drain  # noqa: PLC0415

        with temporary_settings({PREFECT_API_URL: running.url}):  # whoever imported it before there was a server
            yield running.url
            drain()
    del os.environ["ZBO_HOME"]
