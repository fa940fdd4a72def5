"""Recorded scans: a hysteresis loop at every point of a grid, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zbo_microscope.loop_file import LoopFile
from zbo_microscope.scan import Scan
from zbo_orchestrator.model import ConfigurationError

try:
    import mexpsimu
except ModuleNotFoundError:  # 43 MB that only this source of scans needs: an extra
    mexpsimu = None

__all__ = ["LoopFile", "Mexpsimu", "Scan", "Source"]


@dataclass(frozen=True, slots=True)
class Mexpsimu:
    """A scan that comes with mexpsimu: band-excitation piezoresponse spectroscopy of PbTiO3, +-12 V, positions in um.

    PTO_BEPS_1d3um has 65 x 65 points, PTO_BEPS_1d7um and PTO_BEPS_3um have 100 x 100; the name tells the size.
    """

    use: Literal["mexpsimu"] = "mexpsimu"
    preset: str = "PTO_BEPS_3um"

    def load(self) -> Scan:
        if mexpsimu is None:
            raise ConfigurationError(
                "scan mexpsimu: that package is not installed; wanted pip install 'zbo-orchestrator[microscope]'"
            )
        known = mexpsimu.discover_datasets()
        if self.preset not in known:
            raise ConfigurationError(f"preset is {self.preset!r}; wanted one of {', '.join(known)}")
        recorded = mexpsimu.ScanDataset.load(known[self.preset])
        rows, columns, _ = recorded.spectra.shape
        side = recorded.scan_size_um
        size, unit = ((columns - 1.0, rows - 1.0), "px") if side is None else ((side, side), "um")
        return Scan(self.preset, np.asarray(recorded.excitation_waveform), recorded.spectra, size, unit)


Source = Mexpsimu | LoopFile
"""Each loads with `load()`."""
