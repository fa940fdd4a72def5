"""A history in a few words: what `zbo show` prints, as data and as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

from zbo_orchestrator.cli.terminal import sparkline
from zbo_orchestrator.history import Inbox, Record, held_by
from zbo_orchestrator.model import Status
from zbo_orchestrator.place import Address
from zbo_orchestrator.report.wording import state_words
from zbo_orchestrator.standing import Standing


def summarize(path: Address) -> dict[str, Any]:
    """name, state, counts by status, best, recommended, values in order (null: no score), stop reason and budget."""
    record = Record.read(path)
    counts = Counter(Status(int(status)).name.lower() for status in record.status)
    return {
        "name": record.name,
        "history": str(path),
        "state": record.state,
        "stop_reason": record.stop_reason,
        "writer": held_by(path),
        "paused": Standing.of(record.events).paused,
        "unanswered": len(Inbox(path).files()),
        "goal": {"direction": "maximize" if record.goal.maximize else "minimize", "target": record.goal.target},
        "budget": {"initial": record.budget.initial, "total": record.budget.total, "seconds": record.budget.seconds},
        "trials": len(record.status),
        "counts": {status.name.lower(): counts[status.name.lower()] for status in Status},
        "best": _best(record),
        "recommended": _recommended(record),
        "values": [float(value) if isfinite(value) else None for value in record.values],
    }


def _best(record: Record) -> dict[str, Any] | None:
    """The best scored trial as measured."""
    values = np.asarray(record.values)
    if not np.isfinite(values).any():
        return None
    number = int(np.nanargmax(record.goal.gain(values)))
    return {"number": number, "value": float(values[number]), "z": record.z[number].tolist()}


def _recommended(record: Record) -> dict[str, Any] | None:
    """The feasible candidate with the best posterior mean on the newest map; null for a planner without a model."""
    for plan in reversed(record.plans):
        maps = record.maps(plan.number) if plan.map >= 0 else {}
        gain = np.where(record.charter.space.feasible, record.goal.gain(maps.get("mean", np.array(np.nan))), np.nan)
        if np.isfinite(gain).any():
            candidate = int(np.nanargmax(gain))
            return {
                "candidate": candidate,
                "z": record.charter.space.candidates[candidate].tolist(),
                "mean": float(maps["mean"][candidate]),
                "deviation": float(maps["deviation"][candidate]),
                "plan": plan.number,
            }
    return None


def lines(summary: dict[str, Any]) -> Iterator[str]:
    """The summary as text, one fact a line."""
    counts = ", ".join(f"{count} {status}" for status, count in summary["counts"].items() if count)
    budget = summary["budget"]
    limit = f", {budget['seconds']:g} s" if budget["seconds"] else ""
    yield f"campaign     {summary['name']} ({summary['goal']['direction']})"
    yield f"state        {state_words(summary['state'], summary['stop_reason'], summary['writer'])}"
    if summary["paused"]:
        yield f"paused       {summary['paused']} (to go on: zbo resume {summary['history']})"
    if summary["unanswered"]:
        yield f"requests     {summary['unanswered']}, answered when the campaign runs"
    yield f"trials       {summary['trials']} of {budget['total']}{limit} ({counts or 'none yet'})"
    if (best := summary["best"]) is not None:
        yield f"best         {best['value']:.8g} at trial {best['number']}, z = {point(best['z'])}"
    if (wanted := summary["recommended"]) is not None:
        said = f"{wanted['mean']:.6g} ± {wanted['deviation']:.2g}"
        yield f"recommended  z = {point(wanted['z'])}: posterior mean {said} (plan {wanted['plan']})"
    if summary["values"]:
        yield f"scores       {sparkline([np.nan if v is None else v for v in summary['values']])}"


def point(z: list[float]) -> str:
    """A latent point in print."""
    return f"({', '.join(f'{value:.5g}' for value in z)})"
