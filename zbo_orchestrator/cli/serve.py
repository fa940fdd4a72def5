"""The command `zbo serve`: a Prefect server with the shipped deployments, their schedules and runs, on one machine."""
# ruff: noqa: PLC0415, PLR0917 (heavy imports stand inside: see `cli`; arguments are options, given by name)

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zbo_flows.server import Server


def serve(
    only: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Deployments to serve. [default: all]", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="YAML", help="A prefect.yaml of your own. [default: the shipped one]"),
    ] = None,
    port: Annotated[
        int,
        typer.Option("--port", min=1, max=65534, help="Where Prefect's pages are; histories are at the next one."),
    ] = 4200,
    host: Annotated[
        str, typer.Option("--host", help="The address to bind: whoever reaches it can run campaigns here.")
    ] = "127.0.0.1",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs at once.")] = 2,
    notify: Annotated[
        str,
        typer.Option(
            "--notify", metavar="URL", envvar="ZBO_NOTIFY", help="Call a webhook: see `zbo notify`.", show_default=False
        ),
    ] = "",
) -> None:
    """Run deployments on this machine: server, schedules and runs in one command.

    Histories are kept in the folder it is started in, and shown in a browser at the port after the server's. Where
    PREFECT_API_URL names a server, that one is used. Ctrl-C ends it; what was recorded is kept, and a run of tomorrow
    goes on.

    \b
    zbo serve                                  all deployments of deployments/prefect.yaml
    zbo serve ferrosim-nightly                 one of them
    zbo serve --file my-lab.yaml --limit 1     your own
    """
    os.environ.setdefault("PREFECT_RUNNER_POLL_FREQUENCY", "2")
    from zbo_flows.deployment_file import origin_of, read
    from zbo_flows.server import alone, pages, server, web_address

    sections = read(file, only or ())
    if notify:
        web_address("--notify", notify)
    with alone(), server(host, port) as api:
        ours = f"starting a server at {api.page}"
        typer.echo(ours if api.process else f"using the server at {api.page}, which PREFECT_API_URL names")
        from zbo_flows.serving import deployments, give_up, told
        from zbo_flows.serving import serve as run

        wanted = deployments(sections, origin_of(file))
        api.wait()
        if notify:
            from zbo_flows.notifying import notify as call

            typer.echo(f"the address is called by {', '.join(call(notify))}")
        for line in told(sections, wanted, api.page, pages()):
            typer.echo(line)
        threading.Thread(target=_leave_with, args=(api,), daemon=True).start()
        run(wanted, limit)
        if api.process:  # on another's server others may run the same deployments
            give_up(wanted)
        typer.echo("ended; what was recorded is kept")


def _leave_with(api: Server) -> None:
    """End at once when our server does, for whoever starts it again; runs under way go on by themselves."""
    api.died()
    try:
        told = f"zbo: the Prefect server ended; its log is {api.log}. Runs under way go on; zbo serve again"
        typer.echo(told, err=True)
    finally:
        os._exit(1)
