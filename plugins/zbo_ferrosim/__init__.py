"""FerroSIM, a ferroelectric lattice in an electric field, as a fast simulator and as parts of a campaign."""

from __future__ import annotations

from zbo_ferrosim.physics import curl
from zbo_ferrosim.simulator import Evolution, FerroSim

__all__ = ["Evolution", "FerroSim", "curl"]
