"""A waveform generator that exists as a TCP socket only, with a specimen at its outputs and faults to order."""

from __future__ import annotations

from zbo_scpi.simulator.faults import FAULTS
from zbo_scpi.simulator.generator import Generator
from zbo_scpi.simulator.instrument import Behaviour
from zbo_scpi.simulator.outputs import Ratings
from zbo_scpi.simulator.server import PORT, Simulator
from zbo_scpi.simulator.specimen import ExecutorSpecimen, Specimen

__all__ = ["FAULTS", "PORT", "Behaviour", "ExecutorSpecimen", "Generator", "Ratings", "Simulator", "Specimen"]
