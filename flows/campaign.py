"""A campaign as one Prefect flow run: its roles are tasks, its progress artifacts.

Prefect schedules and observes. It is neither the safety layer nor the durability layer: those are the executors and
the history, and a flow run that is cancelled or killed leaves a history that the next one continues.
"""

import time
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import numpy as np
from prefect import flow
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.exceptions import CancelledRun
from prefect.logging import get_run_logger
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed
from pydantic import Field

from zbo_flows import absence, audience
from zbo_flows.asking import PausedRun
from zbo_flows.cancelling import Cancellation
from zbo_flows.notifying import Stall, telling
from zbo_flows.observed import observed
from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, Watchers, WorkersKind, budgeted, conduct, history_path, recorded
from zbo_orchestrator.history import History
from zbo_orchestrator.model import InUse, Status, Trial

Count = Annotated[int, Field(ge=1, le=100_000)]


def _run_name() -> str:
    return Path(flow_run.parameters["campaign"]).stem


@flow(name="zbo-campaign", flow_run_name=_run_name, retries=0, persist_result=False)
def run_campaign(  # noqa: PLR0917 (a form's fields)
    campaign: str,
    history: str = "",
    trials: Count | None = None,
    add: Count | None = None,
    until: Count | None = None,
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None,
    width: Annotated[int, Field(ge=1, le=1024)] | None = None,
    workers: WorkersKind = "inline",
    cluster: str = "",
    overrides: list[str] | None = None,
    allow_code: bool = False,
    live: bool = False,
    patience: Annotated[float, Field(ge=0)] | None = None,
    stall: Annotated[float, Field(ge=1)] = 3600,
) -> State[Any]:
    """Run a campaign, or go on with it, until its planner stops, or the flow run is cancelled.

    campaign    a campaign file, or the name of a shipped campaign
    history     where its record is kept; empty: histories/<name of the campaign>
    trials      the budget in all; add: more than the history holds; neither: as the campaign file says
    until       never more than this many in all: with add, what a scheduled run comes to an end by
    seed        another than the campaign file's: another campaign
    cluster     the address of a Dask scheduler, for workers dask; empty: processes of this machine
    overrides   `dotted.key=value`, as for `zbo run --set`
    live        arms the instrument that the campaign file names; nothing else but a simulator is driven
    patience    seconds to wait for people where the campaign needs them; empty: as long as it takes
    stall       seconds in which a trial should end or report; people are told when it does not (`zbo notify`)
    """
    given = {"width": width, "seed": seed}
    wanted = [*(overrides or []), *(f"{name}={value}" for name, value in given.items() if value is not None)]
    loaded = load(campaign, wanted, allow_code=allow_code)
    path = history_path(loaded, history)
    artifacts = Artifacts(loaded.name)
    wished = budgeted(loaded, path, trials=trials, add=add, until=until)
    run = UUID(flow_run.id)
    with absence.heeded(), Cancellation(run) as cancellation, Stall(stall, telling(run)) as stalling:
        watcher = Watchers((artifacts, stalling, PausedRun(), audience.watcher(), cancellation))
        try:
            conduct(
                wished,
                path,
                watcher,
                workers=workers,
                cluster=cluster,
                live=live,
                patience=patience,
                dressed=observed,
            )
        except InUse as busy:
            return Completed(name="Busy", message=f"{busy}; this run leaves it to that one")
        except CancelledRun as cancelled:
            return Cancelled(message=f"{cancelled}; run again, its history goes on")
    return artifacts.ended()


def drain() -> bool:
    """Send what Prefect's client still holds of logs and events, before a server ends; whether all of it was taken."""
    if absence.gone():
        return False
    waits = [worker.drain_all(timeout=5) for worker in (EventsWorker, APILogWorker)]
    return not any(left for _, left in waits)  # type: ignore[misc]


class Artifacts(Watcher):
    """What a person sees on the flow run's page: a summary, the trials with their reasons, progress.

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
