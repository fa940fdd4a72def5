"""Devices of a beamline that is not there, and what is wrong with some of them; and a verdict."""

from __future__ import annotations

import numpy as np
from ophyd import Signal, SoftPositioner
from ophyd.sim import SynAxis, SynGauss, SynSignal
from ophyd.status import DeviceStatus
from ophyd.utils import LimitError

stage = SoftPositioner(name="stage", egu="um", limits=(-2, 3), init_pos=0.0)
slow = SynAxis(name="slow", delay=600)
sticky = SynAxis(name="sticky", readback_func=lambda position: position + 0.01)
lamp = SynGauss("lamp", SynAxis(name="axis"), "axis", center=0, Imax=1)
camera = SynSignal(func=lambda: np.arange(6.0).reshape(2, 3), name="camera")
growing = SynSignal(func=lambda: [0.0] * np.random.default_rng().integers(1, 100), name="growing")
label = SynSignal(func=lambda: "dark", name="label")
number = 7


class Dark(Signal):
    """A detector whose shutter stays closed."""

    def trigger(self) -> DeviceStatus:
        status = DeviceStatus(device=self)
        status.set_exception(TimeoutError("the shutter is closed"))
        return status


class Moody(SynAxis):
    """An axis that finds a limit on its way."""

    def set(self, value: float) -> None:
        raise LimitError(f"{value} is beyond the interlock")


class Gapped(SynAxis):
    """An axis with a support in its way."""

    def check_value(self, value: float) -> None:
        if 1 < value < 2:
            raise LimitError("there is a support from 1 to 2")


class Stoppable(SynAxis):
    """An axis that never arrives, and notes that it was stopped."""

    stops = 0

    def set(self, value: float) -> DeviceStatus:
        self.moving = DeviceStatus(device=self, call_stop_on_failure=False)
        return self.moving

    def stop(self, *, success: bool = False) -> None:
        self.stops += 1
        if not self.moving.done:
            self.moving._finished(success=success)


dark = Dark(name="dark", value=0.0)
moody = Moody(name="moody")
gapped = Gapped(name="gapped")
stoppable = Stoppable(name="stoppable")


def brightest(trajectory, measurement) -> float:
    """The most light on the way."""
    return float(measurement.arrays["det"].max())
