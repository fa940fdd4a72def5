"""What a generator can do at most, and one of its outputs with its waveform memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from zbo_orchestrator.model import Array, ConfigurationError


@dataclass(frozen=True, slots=True)
class Ratings:
    """What the generator can do: volts either way, samples a waveform, samples a second; and how it behaves.

    pace    seconds that a second of a waveform takes; 0: as long as the specimen needs
    noise   standard deviation of what is added to every number that comes back
    """

    outputs: int = 1
    volts: float = 10.0
    points: int = 4_000_000
    rate: float = 1e9
    pace: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("pace", "noise"):
            if not 0 <= getattr(self, name) < inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted at least 0, and finite")


@dataclass(slots=True)
class Output:
    """One output and its memory; `amplitude` from peak to peak and `offset` in volts, `rate` in samples a second."""

    on: bool = False
    amplitude: float = 2.0
    offset: float = 0.0
    rate: float = 1.0
    selected: str = ""
    memory: dict[str, Array] = field(default_factory=dict)

    @property
    def volts(self) -> Array:
        """What the selected waveform, -1 .. 1, is at the connector while the output is on."""
        return self.memory[self.selected] * (self.amplitude / 2) + self.offset
