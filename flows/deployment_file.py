"""A `prefect.yaml` as `zbo serve` reads it: what its sections cannot say is told before a server is started.

`prefect deploy` reads the same file; what is its alone (work pools, pull steps) stands there unread here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zbo_orchestrator.campaign.complaints import complaints, refuse
from zbo_orchestrator.campaign.document import parse
from zbo_orchestrator.model import ConfigurationError

_OTHERS = {"work_pool", "work_queue_name", "build", "push", "pull", "triggers", "sla", "enforce_parameter_schema"}
"""Of a deployment, what `prefect deploy` alone reads."""
_PLACEHOLDER = re.compile(r"{{\s*(.*?)\s*}}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Section):
    """When: one of `cron`, `interval` in seconds, `rrule`. Its parameters stand before the deployment's."""

    cron: str | None = None
    interval: Annotated[float, Field(gt=0)] | None = None
    rrule: str | None = None
    timezone: str | None = None
    slug: str | None = None
    active: bool = True
    parameters: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(given is not None for given in (self.cron, self.interval, self.rrule)) != 1:
            raise ValueError("one of cron, interval, rrule")
        return self

    def __str__(self) -> str:
        if self.interval is not None:
            return f"every {self.interval:g} s"
        return f"{self.cron or self.rrule} {self.timezone or 'UTC'}"


class Limit(_Section):
    """How many runs at once, and what becomes of one too many."""

    limit: Annotated[int, Field(ge=1)]
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"


class Deployment(_Section):
    """A flow with parameters of its own; `entrypoint` is its module and name, `zbo_flows.campaign.run_campaign`."""

    name: Annotated[str, Field(min_length=1)]
    entrypoint: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    description: str = ""
    parameters: dict[str, Any] = {}
    schedules: list[Schedule] = []
    concurrency_limit: Limit | Annotated[int, Field(ge=1)] | None = None
    tags: list[str] = []
    version: str | None = None

    @property
    def when(self) -> str:
        return ", ".join(str(schedule) for schedule in self.schedules if schedule.active) or "on demand"


class _File(BaseModel):
    deployments: Annotated[list[Deployment], Field(min_length=1)]


def shipped() -> str:
    """The text of the shipped `prefect.yaml`."""
    return resources.files("zbo_deployments").joinpath("prefect.yaml").read_text(encoding="utf-8")


def read(file: Path | None = None, only: Sequence[str] = ()) -> list[Deployment]:
    """The deployments of a file, of the shipped one by default, or those of a name; raises `ConfigurationError`."""
    origin = origin_of(file)
    try:
        text = shipped() if file is None else file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{origin}: cannot be read: {error}") from error
    document = parse(text, origin)
    sections = {"deployments": _filled(_ours(document), origin)}
    try:
        found = _File.model_validate(sections).deployments
    except ValidationError as error:
        refuse(origin, complaints(error.errors(), sections, _File.model_json_schema()))
    known = [each.name for each in found]
    if unknown := set(only) - set(known):
        raise ConfigurationError(f"no deployment {', '.join(sorted(unknown))}; wanted some of {', '.join(known)}")
    return [each for each in found if not only or each.name in only]


def origin_of(file: Path | None) -> str:
    return str(file or "the shipped prefect.yaml")


def _ours(document: Any) -> Any:
    """The deployments without what is not read here, and without what is said to be nothing."""
    sections = document.get("deployments") if isinstance(document, dict) else None
    if not isinstance(sections, list):
        return sections
    return [_read_here(section) if isinstance(section, dict) else section for section in sections]


def _read_here(section: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key not in _OTHERS and value is not None}


def _filled(value: Any, origin: str) -> Any:
    """Every `{{ $NAME }}` as the environment has it, as `prefect deploy` does."""
    if isinstance(value, dict):
        return {key: _filled(inner, origin) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, origin) for inner in value]
    return _PLACEHOLDER.sub(lambda met: _variable(met[1], origin), value) if isinstance(value, str) else value


def _variable(name: str, origin: str) -> str:
    if not name.startswith("$") or name[1:] not in os.environ:
        raise ConfigurationError(f"{origin}: {{{{ {name} }}}}; wanted a variable of the environment, {{{{ $NAME }}}}")
    return os.environ[name[1:]]
