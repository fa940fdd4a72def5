"""Training: k models side by side, each under its own schedule of the two KL weights and its own seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
import torch

from zbo_jrvae.crew import crew, processors
from zbo_jrvae.decoding import Sweep, dense_sweep
from zbo_jrvae.lanes import lane_sweep
from zbo_jrvae.model import Model, Recipe, resolved
from zbo_jrvae.networks import build
from zbo_jrvae.program import Program
from zbo_orchestrator.model import Array, ConfigurationError

ROWS = {"cpu": 1 << 12, "cuda": 1 << 18}
"""Image-class-pixels of all models together that torch sweeps over at a time: on a GPU some gigabytes."""


class Training:
    """k models on the same images pixels[n, h, w], under schedules[k, epoch, 2] of (beta_c, beta_d).

    On the CPU they are trained one after another, so each has the bits it would have alone; on a GPU as one program.
    Raises `ValueError` where the schedules do not fit the seeds.
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
        self._programs = [
            Program(model, recipe, images, schedules[start : start + step], seeds[start : start + step])
            for start in range(0, len(seeds), step)
        ]
        self._threads = processors(recipe.threads)
        self._size, self._epochs = step, schedules.shape[1]
        self.epoch = 0
        """Epochs done."""

    def advance(self) -> Array:
        """One epoch; loss, reconstruction, continuous and discrete KL (unweighted), means per image: [k, 4]."""
        if self.epoch >= self._epochs:
            raise ValueError(f"the schedules end after {self._epochs} epochs, and all are done")
        with crew(self._threads + 1) as pool:  # one leads
            sweep = self._sweep(pool)
            rows = [pool.submit(program.epoch, self.epoch, sweep).result() for program in self._programs]
        self.epoch += 1
        return np.concatenate(rows)

    def _sweep(self, pool: Executor) -> Sweep:
        if self._device.type == "cpu" and self._recipe.precision == "float32":
            return lane_sweep(pool, self._threads)
        return dense_sweep(getattr(torch, self._recipe.precision), ROWS[self._device.type] // self._size)

    def state(self) -> dict[str, Array]:
        """All that is needed to go on."""
        parts = [program.adam.state() for program in self._programs]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {"epoch": np.array(self.epoch), **joined}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a `state` of the same training."""
        for number, program in enumerate(self._programs):
            members = slice(number * self._size, (number + 1) * self._size)
            program.adam.restore({name: state[name][members] for name in program.adam.state()})
        self.epoch = int(state["epoch"])

    def weights(self, index: int) -> dict[str, Array]:
        """One model's weights, float32, under pyroVED's names."""
        program, member = divmod(index, self._size)
        return {name: values[member].cpu().numpy().copy() for name, values in self._programs[program].weights.items()}


def needed_bytes(model: Model, recipe: Recipe, models: int) -> int:
    """About how much memory training so many models takes beyond the images, on the device the recipe means."""
    device = resolved(recipe.device).type
    parameters = sum(tensor.numel() for tensor in build(model, 0).state_dict().values())
    widths, together = sum(model.hidden) + model.hidden[0], 1 if device == "cpu" else models
    if model.invariances:
        numbers = 4 * ROWS[device] * widths + 8 * together * recipe.batch * model.pixels
    else:
        numbers = together * recipe.batch * model.classes * (3 * widths + 6 * model.pixels)
    return 4 * (numbers + 5 * models * parameters)
