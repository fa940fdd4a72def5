"""The objective: pyroVED's negative ELBO under `scale_factor`, with both divergences in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from zbo_jrvae.decoding import Painting, Sweep, features, layers, plain_logits, reconstruction, surprise
from zbo_jrvae.model import Model
from zbo_jrvae.networks import Encoding, Weights, encode, moved


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images x[k, n, pixel], the draws noise[k, n, z] behind their latents, and the pixels looked at.

    shown[k, n, p]: indices of a random share of the pixels, None for all of them.
    """

    x: Tensor
    noise: Tensor
    shown: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """The terms of the loss of k models: expectations over the classes are exact, over z by one draw each.

    grid[pixel, 2] as `networks.grid`, on the device of the weights
    """

    model: Model
    sweep: Sweep
    grid: Tensor

    def terms(self, weights: Weights, batch: Batch) -> Tensor:
        """Reconstruction and the divergences of the continuous and discrete latents, summed over images: [3, k]."""
        encoding = encode(self.model, weights, batch.x)
        z = encoding.means + encoding.deviations * batch.noise
        posterior = encoding.log_posterior.exp()
        if self.model.invariances:
            misfit = self._painted(weights, batch, z, posterior)
        else:
            losses = surprise(self.model, plain_logits(self.model, weights, z), batch.x[:, :, None])
            misfit = (posterior * losses.sum(-1)).sum((1, 2))
        return torch.stack([misfit, continuous(encoding), discrete(encoding)])

    def _painted(self, weights: Weights, batch: Batch, z: Tensor, posterior: Tensor) -> Tensor:
        """The reconstruction by the decoder that paints from coordinates; a share of the pixels stands for all."""
        points, targets = self.grid.expand(*z.shape[:2], -1, -1), batch.x
        if batch.shown is not None:
            points, targets = self.grid[batch.shown], targets.gather(-1, batch.shown)
        painting = Painting(
            moved(self.model, points, z),
            features(self.model, weights, z),
            posterior,
            targets,
            weights["decoder.coord_latent.fc_coord.weight"],
            layers(self.model, weights),
        )
        return reconstruction(self.model, self.sweep, painting) * (self.model.pixels / targets.shape[-1])


def continuous(encoding: Encoding) -> Tensor:
    """KL(q(z|x) || N(0, 1)) summed over images and latents: [k]."""
    means, deviations = encoding.means, encoding.deviations
    return ((means.square() + deviations.square() - 1) / 2 - deviations.log()).sum((1, 2))


def discrete(encoding: Encoding) -> Tensor:
    """KL(q(c|x) || uniform) summed over images: [k]."""
    surplus = encoding.log_posterior + log(encoding.log_posterior.shape[-1])
    return (encoding.log_posterior.exp() * surplus).sum((1, 2))
