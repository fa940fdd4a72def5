"""The command `zbo pages`: a folder's histories in a browser."""
# ruff: noqa: PLC0415 (heavy imports stand inside: see `cli`)

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pages(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where histories are, up to four folders down.")
    ] = Path(),
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 4201,
    host: Annotated[
        str, typer.Option("--host", help="The address to bind: whoever reaches it can read the histories.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            help="What browsers call it by; others are refused. [default: this machine on loopback, else any name]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show a folder's histories in a browser: all of them in a table, the report of each.

    A running campaign is shown as it stands, and nothing can be changed from there. `zbo run` and `zbo serve` serve
    their working folder so by themselves. Where Prefect's server is one of your own, say the address in ZBO_PAGES: flow
    runs then show pictures of their histories.

    \b
    zbo pages                                      the histories under the current folder
    zbo pages /srv/zbo --port 8000
    export ZBO_PAGES=http://127.0.0.1:4201         then start a worker
    """
    from zbo_flows.owned import address, free_ports
    from zbo_orchestrator.history import History
    from zbo_orchestrator.model import ConfigurationError
    from zbo_orchestrator.pages import serve

    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder; wanted one with histories")
    if History.exists(folder):
        raise ConfigurationError(f"{folder} is a history; wanted the folder that it is in")
    free_ports(host, port)
    typer.echo(f"{folder.resolve()} at {address(host, port)}; Ctrl-C ends it")
    serve(folder, host, port, name or ())
