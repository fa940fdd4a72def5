"""The principal subspace of a library: where a VAE of long, smooth curves can be trained at a fraction of the cost.

A library of 900-step curves varies along a dozen axes; along the others it is noise. A network whose first and last
layers act on the coordinates c of x = centre + (c @ axes) / weight is a network on x: `folded` writes it as one. With
`weight` = scale / sigma (channel by channel) the Gaussian log-likelihood splits exactly into |c - c'|^2 and a residual
off the axes which no weight of the network changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from zbo_orchestrator.decoders.layers import product
from zbo_orchestrator.model import Array

_SPREAD = 10.0
"""Root of the coordinates' total variance: Adam's rate is tuned to it (coordinates of unit spread learn slower)."""

_FEWEST = 16
_NATS = 0.05
"""An axis left out costs at most this much ELBO."""


@dataclass(frozen=True, slots=True, eq=False)
class Subspace:
    """centre[x], weight[x], axes[c, x] (orthonormal) and the decoder's deviation in units of c."""

    centre: Array
    weight: Array
    axes: Array
    deviation: float

    @classmethod
    def of(cls, curves: Array, sigma: Array) -> Subspace:
        """The axes of curves[n, x] that matter to a decoder of deviation sigma[x]: twice those worth counting."""
        centre = curves.mean(axis=0)
        variance, axes = _principal((curves - centre) / sigma)
        worth = int((variance > 2 * _NATS).sum())
        kept = min(max(2 * worth, _FEWEST), len(centre), len(curves))
        scale = _SPREAD / np.sqrt(max(variance.sum(), 1e-300))
        return cls(centre, scale / sigma, np.ascontiguousarray(axes.T[::-1][:kept]), float(scale))

    def coordinates(self, curves: Array) -> Array:
        """curves[n, x] -> c[n, c]."""
        return product((curves - self.centre) * self.weight, self.axes.T)

    def residual(self, curves: Array, coordinates: Array) -> float:
        """Mean misfit of curves[n, x] off the axes, in nats a curve: a constant of the training."""
        whole = (((curves - self.centre) * self.weight) ** 2).sum()
        return float((whole - (coordinates**2).sum()) / (2 * self.deviation**2 * len(curves)))

    def folded_input(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """A first layer on c, weight[c, h], as one on x."""
        folded = self.weight[:, None] * product(self.axes.T, weight)
        return folded, bias - product(self.centre[None], folded)[0]

    def folded_output(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """A last layer giving c, weight[h, c], as one giving x."""
        offset = self.centre + product(bias[None], self.axes)[0] / self.weight
        return product(weight, self.axes) / self.weight, offset


def _principal(rows: Array) -> tuple[Array, Array]:
    """Variances, ascending, and axes in columns; by torch, whose number of threads a caller can fix."""
    whitened = torch.as_tensor(rows)
    variance, axes = torch.linalg.eigh(whitened.t() @ whitened / len(rows))
    return variance.numpy(), axes.numpy()
