"""What a person sees on a flow run's page, and the words of its last state."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from prefect.artifacts import MarkdownArtifact, ProgressArtifact, TableArtifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from zbo_flows import absence
from zbo_flows.page import Page, key, pictures, served
from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History
from zbo_orchestrator.model import Status, Trial
from zbo_orchestrator.place import Place


class Artifacts(Watcher):
    """Keeps the page of a campaign's flow run up to date: a summary, trials with their reasons, progress, pictures.

    Refreshed at most once in `every` seconds, and in a hundredth of the time since the run began: each refreshment
    costs some 0.2 s, and leaves an event in the server.
    """

    def __init__(self, history: Place, every: float = 5.0) -> None:
        self._key, self._address = key(history.name), served(history)
        self._every = every
        self._began = time.monotonic()
        self._shown = -np.inf
        self._page = Page()
        self._history: History | None = None
        self._found = 0
        self._pictured = False

    def training(self, step: int, of: int, **values: float) -> None:
        if self._due or step == of:
            self._shown = time.monotonic()
            said = ", ".join(f"{name} {value:.5g}" for name, value in values.items())
            get_run_logger().info("learning the decoder: %d of %d: %s", step, of, said)

    def opened(self, history: History) -> None:
        self._history, self._found = history, history.ended
        with absence.outlived("the run's page"):
            self._page.put(ProgressArtifact(progress=0.0, key=f"{self._key}-progress"))
        get_run_logger().info("history %s holds %d trials", history.path, self._found)

    def interlocked(self, why: str) -> None:
        get_run_logger().warning(f"held: {why}" if why else "going on")

    def recorded(self, history: History, trial: Trial) -> None:
        get_run_logger().info("trial %d: %s %s", trial.number, trial.status.name.lower(), _result(trial))
        if self._due:
            self._show(history)

    def ended(self) -> State[dict[str, Any]]:
        """Show the last state, and say it as the flow run's own: `Finished` where there was nothing left to do."""
        assert self._history is not None
        self._show(self._history)
        facts = _facts(self._history)
        added = facts["trials"] - self._found
        said = f"{facts['history']} holds {facts['trials']} trials, {added} of them new"
        if facts["stop"]:
            said = f"finished: {said} ({facts['stop']})"
        return Completed(name="Completed" if added else "Finished", message=said, data=facts)

    @property
    def _due(self) -> bool:
        now = time.monotonic()
        return now - self._shown >= max(self._every, (now - self._began) / 100)

    def _show(self, history: History) -> None:
        self._shown = time.monotonic()
        absence.shown("the run's page", lambda: self._put_all(history, _facts(history)))

    def _put_all(self, history: History, facts: dict[str, Any]) -> None:
        self._page.put(MarkdownArtifact(markdown=_markdown(facts, self._address), key=f"{self._key}-summary"))
        self._page.put(TableArtifact(table=_rows(history), key=f"{self._key}-trials"))
        done = 100.0 * facts["trials"] / max(history.budget.total, 1)
        progress = 100.0 if facts["stop"] else min(done, 100.0)
        self._page.put(ProgressArtifact(progress=progress, key=f"{self._key}-progress"))
        if self._address and "best" in facts and not self._pictured:
            steps = history.trial(facts["best"]["trial"]).trajectory.steps
            for picture in pictures(self._key, self._address, steps):
                self._page.put(picture)
            self._pictured = True


def _result(trial: Trial) -> str:
    return f"{trial.value:.6g}" if trial.status is Status.SCORED else str(trial.outcome)


def _facts(history: History) -> dict[str, Any]:
    values = np.asarray(history.values, dtype=float)
    facts: dict[str, Any] = {
        "campaign": history.name,
        "history": str(history.path),
        "trials": history.ended,
        "state": history.state,
        "stop": f"stopped by {history.stopped}" if history.stopped else history.stop_reason,
    }
    if np.isfinite(values).any():
        best = int(np.nanargmax(history.goal.gain(values)))
        facts["best"] = {"trial": best, "value": float(values[best]), "z": [float(x) for x in history.z[best]]}
    return facts


def _markdown(facts: dict[str, Any], address: str) -> str:
    best = facts.get("best")
    found = f"**{best['value']:.6g}** in trial {best['trial']} at z = {np.round(best['z'], 4)}" if best else "none yet"
    lines = [
        f"# {facts['campaign']}",
        f"- best so far: {found}",
        f"- {facts['trials']} trials",
        f"- state: {facts['state']}{': ' + facts['stop'] if facts['stop'] else ''}",
        f"- history: `{facts['history']}`",
        f"- report: {f'[as it is now]({address}/report), or ' if address else ''}`zbo report {facts['history']}`",
    ]
    return "\n".join(lines)


def _rows(history: History, most: int = 200) -> list[dict[str, Any]]:
    """The latest trials first."""
    numbers = range(len(history) - 1, max(-1, len(history) - 1 - most), -1)
    return [_row(history, number) for number in numbers]


def _row(history: History, number: int) -> dict[str, Any]:
    value = history.values[number]
    return {
        "trial": number,
        "status": Status(history.status[number]).name.lower(),
        "value": None if np.isnan(value) else float(f"{value:.6g}"),
        "z": ", ".join(f"{x:.4g}" for x in history.z[number]),
        "reason": history.reasons[number],
    }
