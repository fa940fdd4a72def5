"""Training: k models side by side, each under its own schedule of the two KL weights and its own seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
import torch
from torch import Tensor

from zbo_jrvae.adam import Adam
from zbo_jrvae.crew import crew, processors
from zbo_jrvae.decoding import Sweep, dense_sweep
from zbo_jrvae.elbo import Batch, Objective
from zbo_jrvae.lanes import lane_sweep
from zbo_jrvae.model import Model, Recipe, resolved
from zbo_jrvae.networks import build, grid
from zbo_orchestrator.model import Array, ConfigurationError

ROWS = {"cpu": 1024, "cuda": 1 << 18}


class Training:
    """k models on the same images pixels[n, h, w], under schedules[k, epoch, 2] of (beta_c, beta_d).

    On the CPU they are trained one after another, so each has the bits it would have alone; on a GPU as one program.
    Random numbers derive from (seed, epoch). Raises `ValueError` where the schedules do not fit the seeds.
    """

    def __init__(self, model: Model, recipe: Recipe, pixels: Array, schedules: Array, seeds: Sequence[int]) -> None:
        schedules = np.asarray(schedules, np.float64)
        if schedules.ndim != 3 or len(schedules) != len(seeds) or schedules.shape[2] != 2:
            raise ValueError(f"schedules have shape {schedules.shape}; wanted [{len(seeds)} models, epoch, 2]")
        if recipe.pixel_share != 1 and not model.invariances:
            raise ConfigurationError(
                f"pixel_share is {recipe.pixel_share:g}, but without invariances every pixel is drawn at once; wanted 1"
            )
        self._recipe, self._device = recipe, resolved(recipe.device)
        images = torch.from_numpy(np.array(pixels, np.float32).reshape(len(pixels), -1)).to(self._device)
        step = 1 if self._device.type == "cpu" else len(seeds)
        self._groups = [
            Group(model, recipe, images, schedules[start : start + step], seeds[start : start + step])
            for start in range(0, len(seeds), step)
        ]
        self._threads = processors(recipe.threads)
        self._size = step
        self.epoch = 0
        """Epochs done."""

    def advance(self) -> Array:
        """One epoch; loss, reconstruction, continuous and discrete KL (unweighted), means per image: [k, 4]."""
        with crew(self._threads + 1) as pool:  # one leads
            sweep = self._sweep(pool)
            rows = [pool.submit(group.epoch, self.epoch, sweep).result() for group in self._groups]
        self.epoch += 1
        return np.concatenate(rows)

    def _sweep(self, pool: Executor) -> Sweep:
        if self._device.type == "cpu" and self._recipe.precision == "float32":
            return lane_sweep(pool, self._threads)
        return dense_sweep(getattr(torch, self._recipe.precision), ROWS[self._device.type])

    def state(self) -> dict[str, Array]:
        """All that is needed to go on."""
        parts = [group.adam.state() for group in self._groups]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {"epoch": np.array(self.epoch), **joined}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a `state` of the same training."""
        for number, group in enumerate(self._groups):
            members = slice(number * self._size, (number + 1) * self._size)
            group.adam.restore({name: state[name][members] for name in group.adam.state()})
        self.epoch = int(state["epoch"])

    def weights(self, index: int) -> dict[str, Array]:
        """One model's weights, float32, under pyroVED's names."""
        group, member = divmod(index, self._size)
        return {name: values[member].cpu().numpy().copy() for name, values in self._groups[group].views.items()}


def needed_bytes(model: Model, recipe: Recipe, models: int) -> int:
    """About how much memory training so many models takes beyond the images, on the device the recipe means."""
    together = 1 if resolved(recipe.device).type == "cpu" else models
    parameters = sum(tensor.numel() for tensor in build(model, 0).state_dict().values())
    widths = sum(model.hidden) + model.hidden[0]
    if model.invariances:
        rows = max(ROWS["cpu" if together == 1 else "cuda"], model.classes)
        swept = 4 * rows * widths + 8 * recipe.batch * model.pixels
    else:
        swept = recipe.batch * model.classes * (3 * widths + 6 * model.pixels)
    return 4 * (together * swept + 5 * models * parameters)


class Group:
    """Models that are trained as one program, along a leading axis of every tensor."""

    def __init__(self, model: Model, recipe: Recipe, images: Tensor, schedules: Array, seeds: Sequence[int]) -> None:
        self._model, self._recipe, self._images, self._seeds = model, recipe, images, seeds
        self._betas = torch.tensor(schedules, dtype=torch.float32, device=images.device)
        states = [build(model, seed).state_dict() for seed in seeds]
        self._shapes = {name: tensor.shape for name, tensor in states[0].items()}
        flat = torch.stack([torch.cat([tensor.flatten() for tensor in state.values()]) for state in states])
        self.adam = Adam(flat.to(images.device), recipe.learning_rate)
        self._grid = grid(model).to(images.device)

    @property
    def views(self) -> dict[str, Tensor]:
        """The weights [k, ...] by pyroVED's names, as views of the parameters."""
        return self._named(self.adam.parameters)

    def _named(self, flat: Tensor) -> dict[str, Tensor]:
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
            shown = self._shown(generators, chosen.shape[1])
            total += self._step(objective, Batch(self._images[chosen], noise[:, start : start + size], shown), number)
        return (total.t() / count).cpu().numpy()

    def _step(self, objective: Objective, batch: Batch, epoch: int) -> Tensor:
        """One step of the descent; loss and its terms [4, k], summed over the batch."""
        parameters = self.adam.parameters.detach().requires_grad_()
        parts = objective.terms(self._named(parameters), batch)
        loss = parts[0] + (self._betas[:, epoch].t() * parts[1:]).sum(0)
        (gradients,) = torch.autograd.grad(loss.sum(), parameters)
        self.adam.step(gradients)
        return torch.cat([loss[None], parts]).detach().double()

    def _shown(self, generators: Sequence[torch.Generator], images: int) -> Tensor | None:
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
