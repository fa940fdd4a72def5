"""Which output of the generator a channel of the trajectory drives, and what the output bears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.model import Array, Channel, ConfigurationError, Trajectory

_ITEMS = {"float64": "<f8", "float32": "<f4", "int16": "<i2"}


@dataclass(frozen=True, slots=True)
class Output:
    """An output, the channel that it stands for, and its limits in volts and volts a second.

    volts        at the output for 1 in the channel's unit
    full_scale   volts at the largest sample; a power of two loses nothing in a float64
    """

    name: str = "field"
    unit: str = ""
    number: Annotated[int, Ge(1)] = 1
    volts: Annotated[float, Gt(0)] = 1.0
    full_scale: Annotated[float, Gt(0)] = 2.0
    lower: float | None = None
    upper: float | None = None
    slew: Annotated[float, Gt(0)] | None = None

    def __post_init__(self) -> None:
        for name in ("volts", "full_scale"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigurationError(f"output {self.name}: {name} is {getattr(self, name)}; wanted above 0")
        if not self._lower < self._upper:
            raise ConfigurationError(
                f"output {self.name}: {self._lower:g} .. {self._upper:g} V; wanted lower < upper within the full scale"
            )

    @property
    def _lower(self) -> float:
        return max(-self.full_scale, -np.inf if self.lower is None else self.lower)

    @property
    def _upper(self) -> float:
        return min(self.full_scale, np.inf if self.upper is None else self.upper)

    @property
    def channel(self) -> Channel:
        return Channel(self.name, self.unit)

    def limits(self, time_unit: float, widest: float = np.inf) -> Limits:
        """In the channel's unit and the campaign's, of `time_unit` seconds; `widest` in volts from peak to peak."""
        half = widest / 2
        return Limits(
            max(self._lower, -half) / self.volts,
            min(self._upper, half) / self.volts,
            np.inf if self.slew is None else self.slew / self.volts * time_unit,
        )

    def samples(self, values: Array, kind: str) -> Array:
        """values[step] in the channel's unit as samples of a waveform."""
        shares = values * self.volts / self.full_scale
        return (np.rint(shares * 32767) if kind == "int16" else shares).astype(_ITEMS[kind])

    def volts_of(self, samples: Array) -> Array:
        """What samples of a waveform, uploaded, put out."""
        return samples.astype(np.float64) * self.full_scale / (32767 if samples.dtype.kind == "i" else 1)

    def values(self, volts: Array) -> Array:
        """volts[step] in the channel's unit."""
        return volts / self.volts


def check_outputs(outputs: Sequence[Output]) -> None:
    """Raise `ConfigurationError` where two outputs have one name or one number, or there is none."""
    for which in ("name", "number"):
        given = [getattr(output, which) for output in outputs]
        if not given or len(set(given)) < len(given):
            raise ConfigurationError(f"outputs have the {which}s {given}; wanted one or more, each once")


def check_channels(outputs: Sequence[Output], trajectory: Trajectory) -> None:
    """Raise `ConfigurationError` where a trajectory's channels are not these outputs, in this order."""
    met, wanted = [each.name for each in trajectory.channels], [each.name for each in outputs]
    if met != wanted:
        raise ConfigurationError(f"the trajectory drives {', '.join(met)}; the outputs stand for {', '.join(wanted)}")


def envelope_of(outputs: Sequence[Output], time_unit: float, duration: float, widest: Sequence[float] = ()) -> Envelope:
    """What the outputs bear, by channel; `widest[output]` is what the generator itself says, in volts peak to peak."""
    known = widest or [np.inf] * len(outputs)
    limits = {output.name: output.limits(time_unit, wide) for output, wide in zip(outputs, known, strict=True)}
    return Envelope(limits, duration)
