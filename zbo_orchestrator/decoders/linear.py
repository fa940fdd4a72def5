"""A decoder with known answers: a straight line in trajectory space for each latent axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from zbo_orchestrator.decoders.latent_box import latent_box
from zbo_orchestrator.decoders.layers import Layers
from zbo_orchestrator.decoders.signature import Signature, points, wanted
from zbo_orchestrator.model import Array, ConfigurationError, Decoder, Report, Trajectory


@dataclass(frozen=True, slots=True)
class Linear:
    """x = centre + z @ directions, with the basis learned from the library or stated.

    `pca`     centre is the mean curve; direction k is the k-th principal axis, as long as the library's standard
              deviation along it, so codes have unit variance; its largest entry is positive.
    `cosine`  centre is 0; direction k is cos(pi k (step + 1/2) / steps) in each channel; a point lists the first
              channel's coefficients, then the second's.
    """

    latent_dim: Annotated[int, Ge(1)] = 2
    basis: Literal["pca", "cosine"] = "pca"

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]:  # noqa: ARG002 - exact
        if library is None:
            raise ConfigurationError("decoder linear has no library; wanted one to learn from")
        signature = Signature.of(library)
        curves = signature.flat(library)
        centre, directions = self._pca(curves) if self.basis == "pca" else self._cosine(signature)
        codes = (curves - centre) @ np.linalg.pinv(directions)
        report(1, 1)
        lower, upper = latent_box(codes)
        learned = {"centre": centre, "directions": directions, "codes": codes, "box_lower": lower, "box_upper": upper}
        return {**signature.arrays, **learned}

    def restore(self, arrays: Mapping[str, Array]) -> Decoder:
        return LinearDecoder(
            Signature.read(arrays),
            wanted(arrays, "centre"),
            wanted(arrays, "directions"),
            (wanted(arrays, "box_lower"), wanted(arrays, "box_upper")),
        )

    def _pca(self, curves: Array) -> tuple[Array, Array]:
        centre = curves.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov(curves, rowvar=False, bias=True).reshape(len(centre), -1))
        deviation = np.sqrt(np.maximum(variance[::-1], 0.0))[: self.latent_dim]
        if len(deviation) < self.latent_dim or not (deviation > 1e-12 * max(deviation[0], 1e-300)).all():
            varied = int((variance > 0).sum())
            raise ConfigurationError(
                f"the library varies along {varied} axes; wanted at least latent_dim {self.latent_dim}"
            )
        directions = axes.T[::-1][: self.latent_dim] * deviation[:, None]
        largest = np.abs(directions).argmax(axis=1)
        signs = np.sign(directions[np.arange(self.latent_dim), largest])
        return centre, np.asarray(directions * signs[:, None])

    def _cosine(self, signature: Signature) -> tuple[Array, Array]:
        channels, steps = len(signature.channels), signature.steps
        if self.latent_dim % channels or self.latent_dim // channels > steps:
            raise ConfigurationError(
                f"latent_dim is {self.latent_dim}; wanted a multiple of the {channels} channels, "
                f"at most {channels * steps}"
            )
        order = np.arange(self.latent_dim // channels)[:, None]
        waves = np.cos(np.pi * order * (np.arange(steps) + 0.5) / steps)
        directions = np.einsum("ks,cb->cksb", waves, np.eye(channels)).reshape(self.latent_dim, -1)
        return np.zeros(steps * channels), directions


@dataclass(frozen=True, slots=True, eq=False)
class LinearDecoder:
    """A learned or stated basis; `encode` projects by least squares."""

    signature: Signature
    centre: Array
    directions: Array
    box: tuple[Array, Array]

    def decode(self, z: Array) -> Trajectory:
        layer = Layers((self.directions,), (self.centre,))
        return self.signature.trajectory(layer(points(z, len(self.directions))))

    def encode(self, trajectory: Trajectory) -> Array:
        inverse = np.linalg.pinv(self.directions)
        return Layers((inverse,), (np.zeros(inverse.shape[1]),))(self.signature.flat(trajectory) - self.centre)
