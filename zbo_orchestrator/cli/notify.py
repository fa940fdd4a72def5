"""The command `zbo notify`: a Prefect server told whom to call."""
# ruff: noqa: PLC0415 (heavy imports stand inside: see `cli`)

from __future__ import annotations

import os
from typing import Annotated

import typer


def notify(
    url: Annotated[str, typer.Argument(metavar="URL", envvar="ZBO_NOTIFY", help="Where notifications are posted.")],
) -> None:
    """Have the Prefect server call a webhook when a run finishes, fails, waits for people or stalls.

    PREFECT_API_URL names the server. What an earlier call made is replaced; Prefect's page of automations shows it.

    \b
    zbo notify https://chat.example/hooks/1234
    """
    from zbo_orchestrator.model import ConfigurationError

    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigurationError("PREFECT_API_URL is not set; wanted a server's, or `zbo serve --notify URL`")
    from zbo_flows.notifying import notify as call
    from zbo_flows.server import Server

    Server(os.environ["PREFECT_API_URL"]).wait()
    typer.echo(f"the address is called by {', '.join(call(url))}")
