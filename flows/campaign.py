"""A campaign as one Prefect flow run: its roles are tasks, its progress artifacts.

Prefect schedules and observes. It is neither the safety layer nor the durability layer: those are the executors and
the history, and a flow run that is cancelled or killed leaves a history that the next one continues.
"""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed
from pydantic import Field

from zbo_flows import absence, audience
from zbo_flows.artifacts import Artifacts
from zbo_flows.asking import PausedRun
from zbo_flows.cancelling import Cancellation
from zbo_flows.notifying import Stall, telling
from zbo_flows.observed import observed
from zbo_flows.succession import Succession
from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watchers, WorkersKind, budgeted, conduct, history_path
from zbo_orchestrator.model import InUse, Stopped

Count = Annotated[int, Field(ge=1, le=100_000)]


def _run_name() -> str:
    campaign, history = (Path(flow_run.parameters[name]).stem for name in ("campaign", "history"))
    return f"{campaign} ({history})" if history not in {"", campaign} else campaign


@flow(name="zbo-campaign", flow_run_name=_run_name, retries=0, persist_result=False)
def run_campaign(  # noqa: PLR0917 (a form's fields)
    campaign: Annotated[str, Field(min_length=1)],
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
    reopen: bool = False,
    patience: Annotated[float, Field(ge=0)] | None = None,
    stall: Annotated[float, Field(ge=1)] = 3600,
) -> State[Any]:
    """Run a campaign, or go on with it, until its planner stops, or the flow run is cancelled.

    Args:
        campaign: a campaign file, or the name of a shipped campaign
        history: where its record is kept; empty: in histories, under the campaign's name
        trials: the budget in all; without it and `add`: as the campaign file says
        add: trials more than the history holds
        until: never more than this many in all: with `add`, what a scheduled run comes to an end by
        seed: another than the campaign file's: another campaign
        width: trials in flight; empty: as the campaign file says
        workers: where trials run: in this process, its threads, processes of this machine, or a Dask cluster's
        cluster: the address of a Dask scheduler, for workers dask; empty: processes of this machine
        overrides: `dotted.key=value`, as for `zbo run --set`
        allow_code: the campaign file may name Python code and commands to run
        live: arms the instrument that the campaign file names; nothing else but a simulator is driven
        reopen: go on where a person ended the campaign (`zbo stop`); without it such a run adds nothing
        patience: seconds to wait for people where the campaign needs them; empty: as long as it takes
        stall: seconds in which a trial should end or report; people are told when it does not (`zbo notify`)
    """
    given = {"width": width, "seed": seed}
    wanted = [*(overrides or []), *(f"{name}={value}" for name, value in given.items() if value is not None)]
    loaded = load(campaign, wanted, allow_code=allow_code)
    path = history_path(loaded, history)
    artifacts = Artifacts(path)
    wished = budgeted(loaded, path, trials=trials, add=add, until=until, reopen=reopen)
    run = UUID(flow_run.id)
    with absence.heeded(), Cancellation(run) as cancellation, Stall(stall, telling(run)) as stalling:
        watcher = Watchers((artifacts, Succession(run), stalling, PausedRun(), audience.watcher(), cancellation))
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
        except Stopped as cancelled:
            return Cancelled(message=f"{cancelled}; run again, its history goes on")
    last: State[Any] = artifacts.ended()
    return last


def drain() -> bool:
    """Send what Prefect's client still holds of logs and events, before a server ends; whether all of it was taken."""
    if absence.gone():
        return False
    waits = [worker.drain_all(timeout=5) for worker in (EventsWorker, APILogWorker)]
    return not any(left for _, left in waits)  # type: ignore[misc]
