"""The area of a hysteresis loop, whatever drove it and whatever answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from zbo_orchestrator.evaluators.measured import finite
from zbo_orchestrator.model import Array, ConfigurationError, ExecutionError, Measurement, Score, Trajectory

KNOWN = (("field", "total_polarization"), ("bias", "response"))
"""Drive and response by the names they have where a campaign gives none."""


@dataclass(frozen=True)
class LoopArea:
    """The area of the hysteresis loop: the closed integral of drive d(response); of E dP, what a cycle turns into heat.

    By the shoelace formula, the sum of (E_i P_i+1 - E_i+1 P_i) / 2, the last point joined to the first. A loop
    that lags behind its drive counts as positive.

    arrays     names of drive and response, both [time] or both [2, time]; null: field and total_polarization, or bias
               and response, whichever were measured
    component  of arrays [2, time]
    skip       steps left out at the start: before the loop closes
    cycles     how often the drive goes round: the area is that of one loop, on average
    per_site   a response [2, time] is a sum over the sites of polarization [2, x, y]: divided by their number, lattices
               of different sizes compare

    Terms: the span of each (field_span, polarization_span; bias_span, response_span), fill (the area as a share of
    the rectangle around the loop).
    """

    arrays: tuple[str, str] | None = None
    component: Literal["x", "y"] = "x"
    skip: Annotated[int, Ge(0)] = 0
    cycles: Annotated[int, Ge(1)] = 1
    per_site: bool = True

    def __post_init__(self) -> None:
        if self.component not in {"x", "y"}:
            raise ConfigurationError(f"component is {self.component!r}; wanted x or y")
        for name, least in (("skip", 0), ("cycles", 1)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted at least {least}")

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:  # noqa: ARG002
        """Score the measured response against the measured drive."""
        names = self.arrays or _found(measurement)
        drive, response = self._curves(measurement, *names)
        area = 0.5 * float((drive * np.roll(response, -1) - np.roll(drive, -1) * response).sum()) / self.cycles
        spans = [float(np.ptp(curve)) for curve in (drive, response)]
        around = spans[0] * spans[1]
        terms = {f"{name.removeprefix('total_')}_span": span for name, span in zip(names, spans, strict=True)}
        return Score(area, {**terms, "fill": area / around if around else 0.0})

    def _curves(self, measurement: Measurement, drive: str, response: str) -> tuple[Array, Array]:
        x, y = _over_time(measurement, drive), _over_time(measurement, response)
        if x.shape != y.shape or x.shape[-1] < self.skip + 3:
            raise ExecutionError(
                f"{drive} {x.shape} against {response} {y.shape}; "
                f"wanted equal shapes with {self.skip + 3} steps or more"
            )
        if x.ndim == 2:
            row = "xy".index(self.component)
            x, y = x[row], y[row] / (_sites(measurement) if self.per_site else 1)
        return x[self.skip :], y[self.skip :]


def _found(measurement: Measurement) -> tuple[str, str]:
    for names in KNOWN:
        if set(names) <= measurement.arrays.keys():
            return names
    raise ExecutionError(
        f"measured were {', '.join(measurement.arrays) or 'nothing'}; "
        f"wanted {' or '.join(' and '.join(names) for names in KNOWN)}, or their names in the option arrays"
    )


def _over_time(measurement: Measurement, name: str) -> Array:
    values = finite(measurement, name)
    if values.ndim not in {1, 2} or (values.ndim == 2 and len(values) != 2):
        raise ExecutionError(f"{name} has shape {values.shape}; wanted [time] or [2, time]")
    return values


def _sites(measurement: Measurement) -> int:
    """How many sites the lattice has."""
    values = finite(measurement, "polarization")
    if values.ndim != 3 or len(values) != 2:
        raise ExecutionError(f"polarization has shape {values.shape}; wanted [2, x, y]")
    return int(values[0].size)
