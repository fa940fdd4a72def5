"""What a person sees on a flow run's page, and the words of its last state."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import numpy as np
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from zbo_flows import absence
from zbo_orchestrator.conduct import Watcher, recorded
from zbo_orchestrator.history import History
from zbo_orchestrator.model import Status, Trial


class Artifacts(Watcher):
    """Keeps the page of a campaign's flow run up to date: a summary, the trials with their reasons, progress.

    Refreshed at most once in `every` seconds: an artifact costs some 60 ms and every version is kept.
    """

    def __init__(self, name: str, every: float = 5.0) -> None:
        self._key = "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
        self._every = every
        self._shown = -np.inf
        self._progress: UUID | None = None
        self._history: History | None = None
        self._found = 0

    def training(self, step: int, of: int, **values: float) -> None:
        if time.monotonic() - self._shown >= self._every or step == of:
            self._shown = time.monotonic()
            said = ", ".join(f"{name} {value:.5g}" for name, value in values.items())
            get_run_logger().info("learning the decoder: %d of %d: %s", step, of, said)

    def opened(self, history: History) -> None:
        self._history, self._found = history, recorded(history)
        self._progress = create_progress_artifact(0.0, key=f"{self._key}-progress")  # type: ignore[assignment]
        get_run_logger().info("history %s holds %d trials", history.path, self._found)

    def interlocked(self, why: str) -> None:
        get_run_logger().warning(f"held: {why}" if why else "going on")

    def recorded(self, history: History, trial: Trial) -> None:
        get_run_logger().info("trial %d: %s %s", trial.number, trial.status.name.lower(), _result(trial))
        if time.monotonic() - self._shown >= self._every:
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

    def _show(self, history: History) -> None:
        self._shown = time.monotonic()
        if absence.gone():
            return
        facts = _facts(history)
        create_markdown_artifact(key=f"{self._key}-summary", markdown=_markdown(facts))
        create_table_artifact(key=f"{self._key}-trials", table=_rows(history))
        if self._progress is not None:
            done = 100.0 * facts["trials"] / max(history.budget.total, 1)
            update_progress_artifact(self._progress, 100.0 if facts["stop"] else min(done, 100.0))


def _result(trial: Trial) -> str:
    return f"{trial.value:.6g}" if trial.status is Status.SCORED else str(trial.outcome)


def _facts(history: History) -> dict[str, Any]:
    values = np.asarray(history.values, dtype=float)
    facts: dict[str, Any] = {
        "campaign": history.name,
        "history": str(history.path),
        "trials": recorded(history),
        "state": history.state,
        "stop": history.stop_reason,
    }
    if np.isfinite(values).any():
        best = int(np.nanargmax(history.goal.gain(values)))
        facts["best"] = {"trial": best, "value": float(values[best]), "z": [float(x) for x in history.z[best]]}
    return facts


def _markdown(facts: dict[str, Any]) -> str:
    best = facts.get("best")
    found = f"**{best['value']:.6g}** in trial {best['trial']} at z = {np.round(best['z'], 4)}" if best else "none yet"
    lines = [
        f"# {facts['campaign']}",
        f"- best so far: {found}",
        f"- {facts['trials']} trials",
        f"- state: {facts['state']}{': ' + facts['stop'] if facts['stop'] else ''}",
        f"- history: `{facts['history']}` (`zbo report {facts['history']}` draws it)",
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
