"""What people and rules did to a campaign, and what its sentinels showed, from its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from zbo_orchestrator.history import Record
from zbo_orchestrator.report.findings import Said, Watch
from zbo_orchestrator.report.wording import moment

_REASON = "sentinel "
"""How the reason of each begins."""
_KINDS = ("pause", "resume", "approve", "veto", "inject", "stop")


def said(record: Record) -> Iterator[Said]:
    """Every pause, answer and change that was not the planner's, in time; requests that were refused too."""
    for event in record.events:
        kind, data, at = event["kind"], event["data"], moment(float(event["at"]))
        if kind in _KINDS:
            about = f"trial {data['number']}: " if "number" in data else ""
            yield Said(at, kind, f"{about}{data['reason']}")
        elif kind == "interlock":
            yield Said(at, kind, f"{data['name']}: {data['why'] or 'cleared'}")
        elif kind == "request" and data["refused"]:
            yield Said(at, f"{data['kind']}, refused", data["refused"])
        elif kind == "budget" and "by" in data:
            yield Said(at, kind, f"{data['total']} trials in all ({data['by']})")


def watched(record: Record) -> Watch | None:
    """The scored sentinels against the reference of their time; None where the campaign has none."""
    section: dict[str, Any] | None = record.charter.campaign.get("sentinels")
    if not section:
        return None
    asked = np.array([reason.startswith(_REASON) for reason in record.reasons], dtype=bool)
    trials = np.flatnonzero(asked & np.isfinite(record.values))
    values = record.values[trials]
    accepted = [event["data"]["drifted"] for event in record.events if "drifted" in event["data"]]
    references = [_reference(trials, values, [n for n in accepted if n < trial]) for trial in trials]
    return Watch(trials, values, np.array(references), section["limit"])


def _reference(trials: np.ndarray, values: np.ndarray, accepted: list[int]) -> float:
    return float(values[0] if not accepted else values[np.searchsorted(trials, accepted[-1])])
