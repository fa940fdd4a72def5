"""What a FerroSIM measurement is worth: total |curl|, total polarisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from zbo_orchestrator.model import Array, ConfigurationError, ExecutionError, Measurement, Score, Trajectory


def measured(measurement: Measurement, name: str, wanted: str, fits: Callable[[Array], bool]) -> Array:
    """A finite array of a measurement; raises `ExecutionError` where it is missing or misshapen."""
    if name not in measurement.arrays:
        raise ExecutionError(
            f"nothing measured is called {name}; there is {', '.join(measurement.arrays) or 'nothing'}"
        )
    values = measurement.arrays[name]
    if not fits(values):
        raise ExecutionError(f"{name} has shape {values.shape}; wanted {wanted}")
    if not np.isfinite(values).all():
        raise ExecutionError(f"{name} holds {values[~np.isfinite(values)].flat[0]}; wanted finite numbers")
    return values


def over_time(measurement: Measurement, name: str) -> Array:
    """An array [component, time] of two components."""
    return measured(
        measurement, name, "[2, time]", lambda array: array.ndim == 2 and len(array) == 2 and array.size > 0
    )


@dataclass(frozen=True)
class TotalCurl:
    """The published objective: the sum of |curl| over the sites at the end.

    power   1: sum of |curl|; 2: sum of curl^2 (enstrophy), which favours few strong vortices over many weak ones
    margin  sites left out along every edge, where the curl wraps around a lattice that does not

    Terms: clockwise and anticlockwise (the two signs' shares of the sum of |curl|), largest |curl|.
    """

    power: Literal[1, 2] = 1
    margin: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if self.power not in {1, 2}:
            raise ConfigurationError(f"power is {self.power}; wanted 1 or 2")
        if self.margin < 0:
            raise ConfigurationError(f"margin is {self.margin}; wanted at least 0")

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:  # noqa: ARG002
        """Score the measured curl [x, y]."""
        side = 2 * self.margin + 1
        curl = measured(
            measurement, "curl", f"[x, y] of {side} or more", lambda array: array.ndim == 2 and min(array.shape) >= side
        )
        inner = curl[self.margin : curl.shape[0] - self.margin, self.margin : curl.shape[1] - self.margin]
        terms = {
            "anticlockwise": float(np.maximum(inner, 0).sum()),
            "clockwise": float(np.maximum(-inner, 0).sum()),
            "largest": float(np.abs(inner).max()),
        }
        return Score(float((np.abs(inner) ** self.power).sum()), terms)


@dataclass(frozen=True)
class TotalPolarization:
    """The polarisation summed over the sites.

    component  x, y, or the magnitude of the vector
    when       at the end, its mean over time, or its swing (largest less smallest over time)
    per_site   divide by the number of sites

    Terms: x, y and magnitude at the end.
    """

    component: Literal["x", "y", "magnitude"] = "x"
    when: Literal["end", "mean", "swing"] = "end"
    per_site: bool = False

    def __post_init__(self) -> None:
        for name, known in (("component", ("x", "y", "magnitude")), ("when", tuple(_WHEN))):
            if getattr(self, name) not in known:
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}; wanted one of {', '.join(known)}")

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:  # noqa: ARG002
        """Score the measured total_polarization [component, time]."""
        x, y = over_time(measurement, "total_polarization") / (sites(measurement) if self.per_site else 1)
        curves = {"x": x, "y": y, "magnitude": np.hypot(x, y)}
        terms = {name: float(curve[-1]) for name, curve in curves.items()}
        return Score(float(_WHEN[self.when](curves[self.component])), terms)


_WHEN: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"end": lambda curve: curve[-1], "mean": np.mean, "swing": np.ptp}
)


def sites(measurement: Measurement) -> int:
    """How many sites the lattice has."""
    final = measured(measurement, "polarization", "[2, x, y]", lambda array: array.ndim == 3 and len(array) == 2)
    return int(final[0].size)
