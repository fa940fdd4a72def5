"""A waveform generator that speaks SCPI over VISA, as a part of a campaign, and a simulator of one."""

from __future__ import annotations

from zbo_scpi.dialect import Dialect
from zbo_scpi.executor import ScpiWaveform
from zbo_scpi.outputs import Output

__all__ = ["Dialect", "Output", "ScpiWaveform"]
