"""pyroVED beside any torch.

pyroVED needs torchvision for one thing: `make_grid`, which tiles images in its plots. PyPI's torchvision is built for
CUDA; beside a CPU build of torch importing it fails ("operator torchvision::nms does not exist"), and pyroVED with it.
Only then does `load_pyroved` lend pyroVED a `make_grid` for the length of its import. Where torchvision works nothing
is replaced, and any other failure is raised as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from math import ceil
from types import ModuleType

import torch

_MISMATCH = "operator torchvision::"


def load_pyroved() -> ModuleType:
    """The pyroved package; building its models clears Pyro's parameter store and reseeds torch."""
    if "pyroved" in sys.modules or not _mismatched():
        return import_module("pyroved")
    with _lent("torchvision", "torchvision.utils"):
        return import_module("pyroved")


def make_grid(images: torch.Tensor, nrow: int = 8, padding: int = 2, pad_value: float = 0.0) -> torch.Tensor:
    """Images [n, channel, y, x] tiled `nrow` a row, `padding` pixels around each, as torchvision lays them out."""
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    rows = ceil(count / columns)
    height, width = height + padding, width + padding
    grid = images.new_full((channels, rows * height + padding, columns * width + padding), pad_value)
    for index, image in enumerate(images):
        top, left = index // columns * height + padding, index % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = image
    return grid


def _mismatched() -> bool:
    """Whether the installed torchvision belongs to another build of torch."""
    try:
        import_module("torchvision.utils")
    except RuntimeError as error:
        if _MISMATCH not in str(error):
            raise
        _forget("torchvision")
        return True
    return False


@contextmanager
def _lent(package: str, submodule: str) -> Iterator[None]:
    """Stand-ins for `package` and `submodule` in `sys.modules`, taken out again at the end."""
    stand_in, utilities = ModuleType(package), ModuleType(submodule)
    utilities.make_grid = make_grid  # type: ignore[attr-defined]
    stand_in.utils = utilities  # type: ignore[attr-defined]
    sys.modules.update({package: stand_in, submodule: utilities})
    try:
        yield
    finally:
        _forget(package)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
