"""How a campaign stands with people: read from its events, so that it stands so after any restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


def words(by: str, reason: str) -> str:
    """Who asked and why."""
    return f"{by}: {reason}" if reason else by


@dataclass(slots=True)
class Standing:
    """What was asked and granted so far.

    paused      why nothing may start; empty where it may
    since       the logical clock at the last resumption
    approved    trials that may run where each needs leave
    vetoed      why, by trial
    stopped     who ended the campaign, and why; empty while nobody did, and once it was reopened
    injected    the plans that were not the planner's
    accepted    the trial whose value is a sentinel's reference since a person accepted a drift; None: the first
    answered    ids of requests that have been dealt with, and how: empty, or why one was refused
    """

    paused: str = ""
    since: int = -1
    stopped: str = ""
    approved: set[int] = field(default_factory=set)
    vetoed: dict[int, str] = field(default_factory=dict)
    injected: set[int] = field(default_factory=set)
    accepted: int | None = None
    answered: dict[str, str] = field(default_factory=dict)
    _drifted: int | None = None

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]]) -> Standing:
        """From all events of a history, in their order."""
        standing = cls()
        for event in events:
            standing.see(event["kind"], event["data"], event["sequence"])
        return standing

    def see(self, kind: str, data: Mapping[str, Any], sequence: int) -> None:
        """Take in one more event."""
        match kind:
            case "request":
                self.answered[data["id"]] = data["refused"]
                if data["kind"] == "stop" and not data["refused"]:
                    self.stopped = words(data["by"], data["reason"])
            case "pause":
                self.paused, self._drifted = data["reason"], data.get("drifted", self._drifted)
            case "reopen":
                self.stopped = ""
            case "resume":
                self.paused, self.since = "", sequence
                self.accepted = self.accepted if self._drifted is None else self._drifted
                self._drifted = None
            case "approve":
                self.approved.add(data["number"])
            case "veto":
                self.vetoed[data["number"]] = data["reason"]
            case "inject":
                self.injected.add(data["plan"])
