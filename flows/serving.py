"""Deployments run from here: a server, its schedules and their runs in one process, on loopback unless told otherwise.

What there is to run stands in `deployments/prefect.yaml`, which `prefect deploy` reads too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib import resources
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

from zbo_orchestrator.campaign.document import parse
from zbo_orchestrator.model import ConfigurationError


def shipped() -> str:
    """The text of the shipped `prefect.yaml`."""
    return resources.files("zbo_deployments").joinpath("prefect.yaml").read_text(encoding="utf-8")


def deployments(file: Path | None = None) -> list[RunnerDeployment]:
    """The deployments of a `prefect.yaml`, of the shipped one by default; raises `ConfigurationError`."""
    origin = str(file or "the shipped prefect.yaml")
    try:
        text = shipped() if file is None else file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{origin}: cannot be read: {error}") from error
    document = parse(text, origin)
    sections = document.get("deployments") if isinstance(document, Mapping) else None
    if not isinstance(sections, list) or not sections:
        raise ConfigurationError(f"{origin}: no deployments; wanted a list of them under `deployments:`")
    return [_deployment(section, origin) for section in sections]


def told(wanted: list[RunnerDeployment], page: str, pages: str) -> Iterator[str]:
    """What is served, when, and where to look."""
    for each in wanted:
        crons = [getattr(entry.schedule, "cron", "") for entry in each.schedules or []]
        yield f"  {each.name:<20} {', '.join(filter(None, crons)) or 'on demand':<14} {each.description or ''}"
    yield f"deployments  {page}/deployments"
    if pages:
        yield f"histories    {pages}"
    yield f"to run one   prefect deployment run {wanted[0].flow_name}/{wanted[0].name}, or its page"
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
    """Say of runs that are still under way that they crashed: what ran them has ended, and with it their processes."""
    types = [StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
    with get_client(sync_client=True) as client:
        left = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types))),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[each.name for each in served])),
        )
        for run in left:
            said = "what served it was ended; run it again, its history goes on"
            client.set_flow_run_state(run.id, Crashed(message=said), force=True)


def _deployment(section: Mapping[str, Any], origin: str) -> RunnerDeployment:
    try:
        name, entrypoint = section["name"], section["entrypoint"]
    except (KeyError, TypeError) as missing:
        raise ConfigurationError(f"{origin}: a deployment without {missing}: {section}") from missing
    try:
        flow = import_object(entrypoint)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{origin}: {name}: {entrypoint} cannot be imported: {error}") from error
    if not isinstance(flow, Flow):
        raise ConfigurationError(f"{origin}: {name}: {entrypoint} is no flow")
    limit = section.get("concurrency_limit")
    made = flow.to_deployment(
        name,
        description=section.get("description"),
        parameters=section.get("parameters", {}),
        schedules=[_schedule(each) for each in section.get("schedules", [])],
        concurrency_limit=ConcurrencyLimitConfig.model_validate(limit) if isinstance(limit, Mapping) else limit,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)
    return made


def _schedule(said: Mapping[str, Any]) -> DeploymentScheduleCreate:
    given = {name: said.get(name) for name in ("cron", "interval", "timezone")}
    return DeploymentScheduleCreate(schedule=construct_schedule(**given), active=said.get("active", True))
