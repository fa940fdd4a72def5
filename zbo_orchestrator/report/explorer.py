"""What the page's slider over plans needs, packed: one byte a candidate, layer and plan."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from matplotlib import colormaps

from zbo_orchestrator.model import Array
from zbo_orchestrator.report.findings import Findings, Trials
from zbo_orchestrator.report.grid import grid_of
from zbo_orchestrator.report.posterior import TITLES, bounds_of, colours_of

BYTES = 6_000_000
"""Packed maps at most; beyond it every k-th plan is kept, and always the last."""
MISSING = 255
"""The code of a candidate without a value; 0 to 254 spread evenly from a layer's low to its high."""


def explorer(findings: Findings, limit: int = BYTES) -> dict[str, Any] | None:
    """JSON-ready maps, plans and trials; None before the first mapped plan.

    `cells` marks the candidates that ever have a value; codes follow in their order: low + code / 254 (high - low).
    """
    maps, space = findings.maps, findings.space
    if not len(maps):
        return None
    cells = np.any([np.isfinite(values).any(axis=0) for values in maps.layers.values()], axis=0)
    kept = keep(len(maps), len(maps.layers) * int(cells.sum()), limit)
    grid = grid_of(space)
    return {
        "dimension": space.dimension,
        "lower": space.lower.tolist(),
        "upper": space.upper.tolist(),
        "grid": None if grid is None else {"x": grid.x.tolist(), "y": grid.y.tolist(), "xFirst": grid.x_first},
        "cells": text(cells.astype(np.uint8)),
        "candidates": text(space.candidates[cells].astype("<f4")),
        "maximize": findings.goal.maximize,
        "total": len(maps),
        "layers": [_layer(findings, name, kept, cells) for name in maps.layers],
        "plans": [_plan(findings, int(maps.plan[index])) for index in kept],
        "trials": _trials(findings, maps.plan[kept]),
    }


def keep(plans: int, size: int, limit: int) -> Array:
    """Indices of the plans kept so that size bytes each stay below a limit: all, or every k-th up to the last."""
    step = max(1, -(-plans * size // limit))
    return np.arange(plans - 1, -1, -step)[::-1]


def pack(values: Array, low: float, high: float) -> Array:
    """Values [m] as bytes over low..high, what lies outside at the nearer end."""
    unit = (values - low) / (high - low) if high > low else np.zeros_like(values)
    codes = np.clip(np.nan_to_num(unit), 0.0, 1.0) * (MISSING - 1)
    return np.where(np.isfinite(values), np.rint(codes), MISSING).astype(np.uint8)


def text(array: Array) -> str:
    """An array's bytes in base64."""
    return base64.b64encode(array.tobytes()).decode("ascii")


def _layer(findings: Findings, name: str, kept: Array, cells: Array) -> dict[str, Any]:
    values = findings.maps.layers[name][kept][:, cells]
    bounds = [bounds_of(name, row) for row in values]
    table = colormaps[colours_of(name, findings)](np.arange(256))[:, :3]
    return {
        "name": name,
        "title": TITLES[name],
        "colours": text((table * 255).round().astype(np.uint8)),
        "low": [_known(low) for low, _ in bounds],
        "high": [_known(high) for _, high in bounds],
        "codes": [text(pack(row, *pair)) for row, pair in zip(values, bounds, strict=True)],
    }


def _known(value: float) -> float | None:
    return float(f"{value:.7g}") if np.isfinite(value) else None


def _plan(findings: Findings, number: int) -> dict[str, Any]:
    """A plan's number, the rows of the trials it asked for, and their reasons."""
    rows = np.flatnonzero(findings.trials.plan == number)
    return {"number": number, "asked": rows.tolist(), "reasons": [findings.trials.reason[row] for row in rows]}


def _trials(findings: Findings, plans: Array) -> list[dict[str, Any]]:
    trials = findings.trials
    known = known_from(trials, plans)
    return [
        {
            "number": int(trials.number[row]),
            "z": [_known(value) for value in trials.z[row]],
            "value": _known(trials.value[row]),
            "status": trials.status[row],
            "knownFrom": int(known[row]),
        }
        for row in range(len(trials))
    ]


def known_from(trials: Trials, plans: Array) -> Array:
    """For each trial the index of the first of these plans made after it was recorded; len(plans) if none was."""
    made = np.array([np.min(trials.proposed_at[trials.plan == plan], initial=np.inf) for plan in plans])
    recorded = np.where(trials.recorded, np.nan_to_num(trials.recorded_at, nan=np.inf), np.inf)
    return np.where(np.isfinite(recorded), np.searchsorted(made, recorded, side="left"), len(plans))
