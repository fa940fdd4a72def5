"""What a trained jrVAE is measured by: its manifolds, and what it makes of the images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zbo_jrvae.images import Images
from zbo_jrvae.inference import encode, manifolds
from zbo_jrvae.model import Model
from zbo_orchestrator.model import Array

DIMS: Mapping[str, tuple[str, ...]] = {
    "manifolds": ("class", "cell", "y", "x"),
    "means": ("image", "latent"),
    "posterior": ("image", "class"),
    "labels": ("image",),
    "loss": ("epoch",),
    "reconstruction": ("epoch",),
    "kl_continuous": ("epoch",),
    "kl_discrete": ("epoch",),
    "separation": ("taken",),
    "separation_step": ("taken",),
}


def measured(model: Model, weights: Mapping[str, Array], images: Images, grid: int) -> dict[str, Array]:
    """manifolds [class, grid*grid, y, x], means [image, latent], posterior [image, class], labels [image] if known."""
    seen = encode(model, weights, images.pixels)
    arrays = {"manifolds": manifolds(model, weights, grid), "means": seen.means, "posterior": seen.posterior}
    if images.labels is not None:
        arrays["labels"] = np.asarray(images.labels, dtype=np.int64)
    return arrays


def named(weights: Mapping[str, Array]) -> dict[str, Array]:
    """The weights as measured arrays; pyroVED's names with underscores for their dots."""
    return {f"weight_{name.replace('.', '_')}": values for name, values in weights.items()}
