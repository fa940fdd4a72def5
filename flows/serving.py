"""Deployments run from here: a server, its schedules and their runs in one process, on loopback unless told otherwise.

What there is to run stands in `deployments/prefect.yaml`, which `prefect deploy` reads too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from prefect import Flow, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig, StateType
from prefect.client.schemas.schedules import construct_schedule
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.importtools import import_object
from prefect.utilities.schema_tools import validate
from pydantic import ValidationError

from zbo_flows.deployment_file import Deployment, Limit, Schedule
from zbo_orchestrator.campaign.complaints import meant
from zbo_orchestrator.model import ConfigurationError


def deployments(sections: Sequence[Deployment], origin: str) -> list[RunnerDeployment]:
    """What Prefect is to run, of a file's sections; raises `ConfigurationError` where a flow has no such parameter."""
    return [_deployment(section, f"{origin}: {section.name}") for section in sections]


def told(sections: Sequence[Deployment], made: Sequence[RunnerDeployment], page: str, pages: str) -> Iterator[str]:
    """What is served, when, and where to look."""
    for section in sections:
        yield f"  {section.name:<20} {section.when:<14} {section.description}".rstrip()
    yield f"deployments  {page}/deployments"
    if pages:
        yield f"histories    {pages}"
    first = f"{made[0].flow_name}/{made[0].name}"
    yield f"to run one   PREFECT_API_URL={page}/api prefect deployment run {first}, or its page"
    yield "Ctrl-C ends it"


def serve(wanted: list[RunnerDeployment], limit: int) -> None:
    """Run what is scheduled or asked for, at most `limit` at once, until interrupted; schedules pause after that."""
    runner = _Runner(limit=limit)
    for each in wanted:
        runner.add_deployment(each)
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(runner.start())


class _Runner(Runner):
    """SIGTERM ends it as Ctrl-C does: Prefect's own handler waits within the event loop that it blocks."""

    async def start(self, run_once: bool = False, webserver: bool | None = None) -> None:
        self._end = partial(asyncio.get_running_loop().call_soon_threadsafe, cast(Any, asyncio.current_task()).cancel)
        await super().start(run_once, webserver)

    def handle_sigterm(self, *_: object, **__: object) -> None:
        self._end()


def give_up(served: list[RunnerDeployment]) -> None:
    """Say of runs whose processes have ended with what served them that they crashed.

    One that outlived a `zbo serve` of before, which was killed, goes on.
    """
    types = [StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
    with get_client(sync_client=True) as client:
        left = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types))),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[each.name for each in served])),
        )
        at_work = _at_work()
        for run in (run for run in left if str(run.id) not in at_work):
            said = "what served it was ended; run it again, its history goes on"
            client.set_flow_run_state(run.id, Crashed(message=said), force=True)


def _at_work() -> set[str]:
    """The flow runs that Prefect's processes on this machine are at work on; what those have started does not count."""
    mark, found = b"PREFECT__FLOW_RUN_ID=", set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or is somebody else's
            if b"prefect" in (process / "cmdline").read_bytes():
                entries = (process / "environ").read_bytes().split(b"\0")
                found |= {entry.removeprefix(mark).decode() for entry in entries if entry.startswith(mark)}
    return found


def _deployment(section: Deployment, origin: str) -> RunnerDeployment:
    try:
        flow = import_object(section.entrypoint)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{origin}: {section.entrypoint} cannot be imported: {error}") from error
    if not isinstance(flow, Flow):
        raise ConfigurationError(f"{origin}: {section.entrypoint} is no flow")
    for parameters in (section.parameters, *(schedule.parameters for schedule in section.schedules)):
        _check_parameters(flow, parameters, origin)
    limit = section.concurrency_limit
    made = flow.to_deployment(
        section.name,
        description=section.description,
        parameters=section.parameters,
        schedules=[_schedule(each, origin) for each in section.schedules],
        concurrency_limit=ConcurrencyLimitConfig(**limit.model_dump()) if isinstance(limit, Limit) else limit,
        tags=section.tags,
        version=section.version,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)
    return made


def _check_parameters(flow: Flow[..., Any], parameters: Mapping[str, Any], origin: str) -> None:
    """As the server does when a run is asked for; a schedule's runs would crash one after the other."""
    fields = flow.parameters.properties
    for name in parameters:
        if name not in fields:
            raise ConfigurationError(
                f"{origin}: parameters.{name}: unknown; wanted one of {', '.join(fields)}{meant(name, fields)}"
            )
    for error in validate(dict(parameters), flow.parameters.model_dump_for_openapi(), ignore_required=True):
        name = str(error.path[0])
        what = fields[name].get("description")
        raise ConfigurationError(f"{origin}: parameters.{name}: {error.message}{f' ({what})' if what else ''}")


def _schedule(section: Schedule, origin: str) -> DeploymentScheduleCreate:
    given = section.model_dump(include={"cron", "interval", "rrule", "timezone"})
    try:
        schedule = construct_schedule(**given)
    except ValueError as error:  # pydantic's too
        words = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError(f"{origin}: schedule {section}: {words}") from error
    return DeploymentScheduleCreate(
        schedule=schedule, active=section.active, parameters=section.parameters, slug=section.slug
    )
