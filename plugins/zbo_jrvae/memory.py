"""Running out of memory, told with the numbers and the options to lower."""

from __future__ import annotations

import os
import resource

import torch

from zbo_jrvae.model import Model, Recipe, resolved
from zbo_jrvae.training import needed_bytes
from zbo_orchestrator.model import ExecutionError

GIGA = 1e9
_COPIES = 3
"""How often the manifolds stand in memory while they are put together."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch has a class for a GPU's, and words for the processor's."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def out_of_memory(model: Model, recipe: Recipe, schedules: int, grid: int) -> ExecutionError:
    """What did not fit, training or the manifolds measured after it, and what to lower."""
    training = needed_bytes(model, recipe, schedules)
    manifolds = _COPIES * 4 * model.classes * grid**2 * model.pixels
    lower = "batch or pixel_share" if schedules == 1 else "capacity, batch or pixel_share"
    lower = "grid" if manifolds > training else lower
    return ExecutionError(
        f"out of memory: {schedules} schedule(s) x batch {recipe.batch} x {model.classes} classes x {model.height} x "
        f"{model.width} pixels want about {training / GIGA:.3g} GB, manifolds of {grid} x {grid} cells "
        f"{manifolds / GIGA:.3g} GB, of {_total(recipe) / GIGA:.3g} GB; lower {lower}"
    )


def _total(recipe: Recipe) -> float:
    """Bytes of memory that the device has, or this process may use."""
    device = resolved(recipe.device)
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    there = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return there if allowed == resource.RLIM_INFINITY else min(there, float(allowed))
