"""Running out of memory, told with the numbers and the options to lower."""

from __future__ import annotations

import os

import torch

from zbo_jrvae.model import Model, Recipe, resolved
from zbo_jrvae.training import needed_bytes
from zbo_orchestrator.model import ExecutionError

GIGA = 1e9


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch has a class for a GPU's, and words for the processor's."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def out_of_memory(model: Model, recipe: Recipe, schedules: int) -> ExecutionError:
    """What did not fit, and what to do about it."""
    needed = needed_bytes(model, recipe, schedules) / GIGA
    return ExecutionError(
        f"out of memory: {schedules} schedule(s) x batch {recipe.batch} x {model.classes} classes x {model.height} x "
        f"{model.width} pixels want about {needed:.3g} GB of {_total(recipe) / GIGA:.3g} GB; "
        "lower capacity, batch or pixel_share"
    )


def _total(recipe: Recipe) -> float:
    """Bytes of memory that the device has."""
    device = resolved(recipe.device)
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
