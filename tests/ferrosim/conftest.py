"""The kernels are compiled once, before the first test is timed."""

from __future__ import annotations

import numpy as np
import pytest

from zbo_ferrosim import FerroSim


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    for update in ("all", "published"):
        FerroSim(2, "uniaxial", 0.0, 0.0, update=update).final_polarization(np.zeros((3, 2)), np.arange(3.0))  # type: ignore[arg-type]
