"""Deployments run from here: a server, its schedules and their runs in one process, on loopback unless told otherwise.

What there is to run stands in `deployments/prefect.yaml`, which `prefect deploy` reads too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect import serve as run_deployments
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import construct_schedule
from prefect.deployments.runner import RunnerDeployment
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
    """Run what is scheduled or asked for, at most `limit` at once, until interrupted; schedules pause meanwhile."""
    run_deployments(*wanted, limit=limit, print_starting_message=False)


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
