"""Models trained as one program: every tensor has a leading axis [k], and one gradient serves them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from zbo_jrvae.adam import Adam
from zbo_jrvae.decoding import Sweep
from zbo_jrvae.elbo import Batch, Objective
from zbo_jrvae.model import Model, Recipe
from zbo_jrvae.networks import build, grid
from zbo_orchestrator.model import Array


class Program:
    """k models on the same images[n, pixel], under schedules[k, epoch, 2], each with its own seed.

    Random numbers derive from (seed, epoch), so no generator has a state to keep.
    """

    def __init__(self, model: Model, recipe: Recipe, images: Tensor, schedules: Array, seeds: Sequence[int]) -> None:
        self._model, self._recipe, self._images, self._seeds = model, recipe, images, seeds
        self._betas = torch.tensor(schedules, dtype=torch.float32, device=images.device)
        states = [build(model, seed).state_dict() for seed in seeds]
        self._shapes = {name: tensor.shape for name, tensor in states[0].items()}
        flat = torch.stack([torch.cat([tensor.flatten() for tensor in state.values()]) for state in states])
        self.adam = Adam(flat.to(images.device), recipe.learning_rate)
        self._grid = grid(model).to(images.device)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights [k, ...] by pyroVED's names, as views of the parameters."""
        return self.named(self.adam.parameters)

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        parts = flat.split([shape.numel() for shape in self._shapes.values()], 1)
        return {name: part.view(-1, *shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}

    def epoch(self, number: int, sweep: Sweep) -> Array:
        """One pass over the images; [k, 4] as `Training.advance`."""
        objective = Objective(self._model, sweep, self._grid)
        generators = [self._generator(seed, number) for seed in self._seeds]
        total = torch.zeros(4, len(self._seeds), dtype=torch.float64, device=self._images.device)
        count, size = len(self._images), self._recipe.batch
        order = torch.stack([torch.randperm(count, generator=g, device=g.device) for g in generators])
        noise = self._drawn(generators, torch.randn, count, self._model.encoded)
        for start in range(0, count, size):
            chosen = order[:, start : start + size]
            shown = self.shown(generators, chosen.shape[1])
            total += self._step(objective, Batch(self._images[chosen], noise[:, start : start + size], shown), number)
        return (total.t() / count).cpu().numpy()

    def _step(self, objective: Objective, batch: Batch, epoch: int) -> Tensor:
        """One step of the descent; loss and its terms [4, k], summed over the batch."""
        parameters = self.adam.parameters.detach().requires_grad_()
        parts = objective.terms(self.named(parameters), batch)
        loss = parts[0] + (self._betas[:, epoch].t() * parts[1:]).sum(0)
        (gradients,) = torch.autograd.grad(loss.sum(), parameters)
        self.adam.step(gradients)
        return torch.cat([loss[None], parts]).detach().double()

    def shown(self, generators: Sequence[torch.Generator], images: int) -> Tensor | None:
        """A random share of the pixels for each image, without repetition."""
        if self._recipe.pixel_share == 1:
            return None
        count = max(1, round(self._recipe.pixel_share * self._model.pixels))
        return self._drawn(generators, torch.rand, images, self._model.pixels).argsort(-1)[..., :count]

    def _generator(self, seed: int, epoch: int) -> torch.Generator:
        mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])
        return torch.Generator(self._images.device).manual_seed(mixed >> 1)

    @staticmethod
    def _drawn(generators: Sequence[torch.Generator], draw: Callable[..., Tensor], *shape: int) -> Tensor:
        return torch.stack([draw(*shape, generator=generator, device=generator.device) for generator in generators])
