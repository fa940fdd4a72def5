"""The decoder that changes nothing: a latent point is the trajectory, one step long. For direct searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from zbo_orchestrator.decoders.signature import Signature, points, wanted
from zbo_orchestrator.model import Array, Channel, ConfigurationError, Decoder, Report, Trajectory, frozen


@dataclass(frozen=True, slots=True)
class Identity:
    """Latent axis k is channel k, searched from lower[k] to upper[k] in the channel's unit; needs no library."""

    channels: tuple[Channel, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    dt: Annotated[float, Gt(0)] = 1.0

    def __post_init__(self) -> None:
        if not 0 < len(self.channels) == len(self.lower) == len(self.upper):
            raise ConfigurationError(
                f"decoder identity has {len(self.channels)} channels, {len(self.lower)} lower and "
                f"{len(self.upper)} upper bounds; wanted one of each a latent axis"
            )
        for channel, lower, upper in zip(self.channels, self.lower, self.upper, strict=True):
            if not (np.isfinite([lower, upper]).all() and lower < upper):
                raise ConfigurationError(
                    f"channel {channel.name!r} runs {lower} .. {upper}; wanted finite lower < upper"
                )

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]:  # noqa: ARG002 - nothing to learn
        if library is not None:
            raise ConfigurationError("decoder identity was given a library; wanted none (its channels are its options)")
        box = {"box_lower": np.array(self.lower, dtype=np.float64), "box_upper": np.array(self.upper, dtype=np.float64)}
        return {**Signature(1, self.dt, self.channels).arrays, **box, "codes": np.empty((0, len(self.channels)))}

    def restore(self, arrays: Mapping[str, Array]) -> Decoder:
        return IdentityDecoder(Signature.read(arrays), (wanted(arrays, "box_lower"), wanted(arrays, "box_upper")))


@dataclass(frozen=True, slots=True, eq=False)
class IdentityDecoder:
    """z[n, d] is values[n, 1, d]."""

    signature: Signature
    box: tuple[Array, Array]

    def decode(self, z: Array) -> Trajectory:
        return self.signature.trajectory(points(z, len(self.signature.channels)))

    def encode(self, trajectory: Trajectory) -> Array:
        return frozen(self.signature.flat(trajectory))
