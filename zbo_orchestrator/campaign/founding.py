"""From settings to what a history is founded on: the library drawn, the decoder learnt, the atlas charted."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from zbo_orchestrator.decoders.library import Bounds, Library, draw_labelled
from zbo_orchestrator.model import Channel, DecoderRecipe, Json, Trajectory


@dataclass(frozen=True, slots=True)
class LibrarySettings:
    """A library yet to be drawn."""

    families: tuple[Any, ...]
    steps: int
    dt: float
    channels: tuple[Channel, ...]
    bounds: Bounds

    def draw(self, seed: int) -> Library:
        return draw_labelled(
            self.families, steps=self.steps, dt=self.dt, channels=self.channels, bounds=self.bounds, seed=seed
        )


def cache_folder() -> Path:
    """Where trained decoders are kept for every campaign of a user; `ZBO_CACHE` moves it."""
    chosen = os.environ.get("ZBO_CACHE")
    return (Path(chosen) if chosen else user_cache_path("zbo", appauthor=False)) / "decoders"


def recipe_digest(section: Json, recipe: DecoderRecipe, curves: Trajectory | None, seed: int) -> str:
    """Names everything that determines a decoder: its options, the curves, the seed, and the code that trains it."""
    known = {"decoder": section, "seed": seed, "versions": versions()}
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for source in sources(type(recipe)):
        digest.update(source.read_bytes())
    if curves is not None:
        units = [(channel.name, channel.unit) for channel in curves.channels]
        digest.update(json.dumps([curves.dt, curves.values.shape, units]).encode())
        digest.update(np.ascontiguousarray(curves.values).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Of the packages whose upgrade may change what a training gives."""
    found = {}
    for package in ("numpy", "torch", "pyro-ppl", "pyroved"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def sources(part: type) -> list[Path]:
    """The module of a part; with its neighbours where it lives in a package."""
    module = inspect.getmodule(part)
    path = getattr(module, "__file__", None)
    if path is None:
        return []
    return sorted(Path(path).parent.glob("*.py")) if getattr(module, "__package__", "") else [Path(path)]
