"""Stands between a plan and its trial: what people ask through the inbox, and the rules that ask for people.

Everything asked becomes an event of the history, with who asked, why, and what came of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from zbo_orchestrator.breaker import Breaker
from zbo_orchestrator.history import History, Inbox, Request
from zbo_orchestrator.model import (
    Budget,
    ConfigurationError,
    HistoryError,
    Plan,
    Proposal,
    Status,
    Stopped,
    Trial,
    Unattended,
    Vetoed,
)
from zbo_orchestrator.planners.sentinels import Sentinels, drift
from zbo_orchestrator.standing import Standing

POLL = 0.2
"""Seconds between two looks at the inbox while a campaign waits for people."""
GLANCE = 0.5
"""Seconds between two looks during a trial."""


@dataclass(slots=True, eq=False)
class Oversight:
    """Of one sitting of a campaign.

    approval   whether every trial waits for somebody's leave
    patience   seconds to wait for people before `Unattended` is raised; None: for ever
    held       told why nothing may start, again and again while it waits; empty once it goes on
    """

    history: History
    approval: bool = False
    breaker: Breaker = field(default_factory=lambda: Breaker(None))
    sentinels: Sentinels | None = None
    patience: float | None = None
    held: Callable[[History, str], None] = lambda _history, _why: None
    _standing: Standing = field(default_factory=Standing)
    _seen: int = 0
    _glanced: float = -inf

    # --- what the loop asks

    @property
    def stopped(self) -> str:
        """Why a person ended the campaign, though the process that was told died before the trials under way ended."""
        by = self._current().stopped
        return f"stopped by {by}" if by else ""

    def admit(self, waiting: deque[Proposal], *, idle: bool) -> tuple[Proposal, Vetoed | None] | None:
        """The next proposal to run, taken from those waiting, or to record as vetoed; None: nothing may start now.

        Where nothing is under way it waits for people. Injected points come before all others.
        """
        began, told = time.monotonic(), False
        while True:
            self.attend(waiting)
            if self.stopped or not waiting:
                return None
            why = self._reason(waiting[0])
            if not why:
                break
            if not idle:
                return None
            self.held(self.history, why)
            told = True
            if self.patience is not None and time.monotonic() - began > self.patience:
                raise Unattended(f"nobody came for {self.patience:g} s: {why}")
            self.history.still_here()
            time.sleep(POLL)
        if told:
            self.held(self.history, "")
        proposal = waiting.popleft()
        veto = self._current().vetoed.get(proposal.number)
        return proposal, None if veto is None else Vetoed(f"vetoed by {veto}")

    def attend(self, waiting: deque[Proposal]) -> None:
        """Answer what lies in the inbox. A request's file goes once its answer is committed."""
        for file in Inbox(self.history.path).files():
            request = _readable(file)
            if isinstance(request, HistoryError):
                self.history.event("request", id=file.name, kind="unreadable", refused=str(request))
            elif request.id not in self._current().answered:
                self._answer(request, waiting)
            file.unlink(missing_ok=True)

    def recorded(self, trial: Trial) -> None:
        """Look at what came of a trial; pauses the campaign where a rule says so."""
        why, drifted = self._broken(), {}
        if not why:
            why = self._drifted(trial)
            drifted = {"drifted": trial.number} if why else {}
        if why and not self._current().paused:
            self.history.event("pause", reason=why, **drifted)

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:  # noqa: ARG002 (a report)
        """Stop a running trial where a person wants the campaign to end at once; called in the trial's thread."""
        if time.monotonic() - self._glanced < GLANCE:
            return
        self._glanced = time.monotonic()
        for file in Inbox(self.history.path).files():
            request = _readable(file)
            if isinstance(request, Request) and request.kind == "stop" and request.data.get("now"):
                raise Stopped(f"stopped by {request.words}")

    # --- rules

    def _reason(self, proposal: Proposal) -> str:
        standing, number = self._current(), proposal.number
        if standing.paused:
            return f"paused: {standing.paused}"
        if self.approval and number not in standing.approved and number not in standing.vetoed:
            z = ", ".join(f"{value:.4g}" for value in proposal.z)
            return f"trial {number} waits for approval: z = ({z}), {self.history.reasons[number]}"
        return ""

    def _broken(self) -> str:
        ticks = self.history.recorded_tick
        since = np.flatnonzero(ticks > self._current().since)
        order = since[np.argsort(ticks[since])]
        return self.breaker.verdict(self.history.status[order].tolist())

    def _drifted(self, trial: Trial) -> str:
        if self.sentinels is None or trial.status is not Status.SCORED:
            return ""
        point = self.sentinels.point(self.history.space)
        if not (trial.proposal.z == point).all():
            return ""
        values = self.history.values
        scored = np.flatnonzero((self.history.z == point).all(axis=1) & np.isfinite(values))
        first = self._current().accepted
        scored = scored if first is None else scored[scored >= first]
        return drift(values[scored].tolist(), self.sentinels.limit)

    # --- people

    def _current(self) -> Standing:
        """With every event so far taken in."""
        events = self.history.events
        for event in events[self._seen :]:
            self._standing.see(event["kind"], event["data"], event["sequence"])
        self._seen = len(events)
        return self._standing

    def _answer(self, request: Request, waiting: deque[Proposal]) -> None:
        """Do as asked, or say why not: one commit."""
        refused = ""
        with self.history.transaction():
            try:
                _ANSWERS[request.kind](self, request, waiting)
            except (ConfigurationError, HistoryError) as error:
                refused = str(error)
            self.history.event("request", refused=refused, **asdict(request))

    def _pause(self, request: Request, waiting: deque[Proposal]) -> None:  # noqa: ARG002 (they are called alike)
        self.history.event("pause", reason=request.words)

    def _resume(self, request: Request, waiting: deque[Proposal]) -> None:  # noqa: ARG002
        if not self._current().paused:
            raise ConfigurationError("the campaign is not paused")
        self.history.event("resume", reason=request.words)

    def _approve(self, request: Request, waiting: deque[Proposal]) -> None:
        self.history.event("approve", number=_chosen(request, waiting), reason=request.words)

    def _veto(self, request: Request, waiting: deque[Proposal]) -> None:
        self.history.event("veto", number=_chosen(request, waiting), reason=request.words)

    def _inject(self, request: Request, waiting: deque[Proposal]) -> None:
        z = self._allowed(request.data.get("z"))
        self.history.event("inject", plan=len(self.history.plans), reason=request.words)
        memory = self.history.evidence().memory
        asked = self.history.propose(Plan(z[None], (f"asked for by {request.words}",), memory=memory))
        waiting.extendleft(reversed(asked))
        if self.approval:  # who asks for a point has said that it may run
            self.history.event("approve", number=asked[0].number, reason=request.words)

    def _allowed(self, point: Any) -> np.ndarray:
        """A person's point within the limits; raises `ConfigurationError`."""
        space = self.history.space
        wanted = f"a point between {space.lower.tolist()} and {space.upper.tolist()}"
        try:
            z = np.array(point, dtype=float)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"z is {point!r}; wanted {wanted}") from error
        if z.shape != space.lower.shape or not ((z >= space.lower) & (z <= space.upper)).all():
            raise ConfigurationError(f"z is {z.tolist()}; wanted {wanted}")
        if space.certify is not None:
            margins = np.asarray(space.certify(z[None]))[0]
            broken = [name for name, margin in zip(space.limits, margins, strict=True) if not margin >= 0]
            if broken:
                raise ConfigurationError(f"z {z.tolist()} breaks {', '.join(broken)}")
        return z

    def _budget(self, request: Request, waiting: deque[Proposal]) -> None:  # noqa: ARG002
        had = self.history.budget
        total, seconds = request.data.get("total", had.total), request.data.get("seconds", had.seconds)
        if type(total) is not int or total < 1 or not (seconds is None or seconds > 0):
            raise ConfigurationError(f"total {total!r}, seconds {seconds!r}; wanted at least 1, and above 0")
        self.history.set_budget(Budget(min(had.initial, total), total, seconds), by=request.words)

    def _stop(self, request: Request, waiting: deque[Proposal]) -> None:
        """The request itself is what stands."""


_ANSWERS: Mapping[str, Callable[[Oversight, Request, deque[Proposal]], None]] = {
    "pause": Oversight._pause,
    "resume": Oversight._resume,
    "approve": Oversight._approve,
    "veto": Oversight._veto,
    "inject": Oversight._inject,
    "budget": Oversight._budget,
    "stop": Oversight._stop,
}


def _readable(file: Path) -> Request | HistoryError:
    try:
        return Inbox.read(file)
    except HistoryError as error:
        return error


def _chosen(request: Request, waiting: deque[Proposal]) -> int:
    """The trial that a request names, or the next one; raises `ConfigurationError` where it does not wait."""
    numbers = [proposal.number for proposal in waiting]
    number = request.data.get("number", numbers[0] if numbers else None)
    if number not in numbers:
        known = ", ".join(map(str, numbers)) or "none"
        raise ConfigurationError(f"trial {number} does not wait to be run; wanted one of those that do: {known}")
    return int(number)
