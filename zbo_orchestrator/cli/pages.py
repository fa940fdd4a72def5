"""The command `zbo pages`: a folder's histories in a browser."""
# ruff: noqa: PLC0415 (heavy imports stand inside: see `cli`)

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pages(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where histories are, at any depth.")] = Path(),
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 4201,
    host: Annotated[
        str, typer.Option("--host", help="The address to bind: whoever reaches it can read the histories.")
    ] = "127.0.0.1",
) -> None:
    """Show a folder's histories in a browser: all of them in a table, the report of each.

    Everything is drawn when it is asked for, so a running campaign is shown as it stands. Nothing can be changed from
    there. `zbo run` and `zbo serve` serve their working folder so by themselves; where Prefect's server is one of your
    own, say the address in ZBO_PAGES, and flow runs show pictures of their histories.

    \b
    zbo pages                                      the histories under the current folder
    zbo pages /srv/zbo --port 8000
    export ZBO_PAGES=http://127.0.0.1:4201         then start a worker
    """
    from zbo_flows.owned import address, free_port
    from zbo_orchestrator.model import ConfigurationError
    from zbo_orchestrator.pages import serve

    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder; wanted one with histories")
    free_port(host, port)
    typer.echo(f"{folder.resolve()} at {address(host, port)}; Ctrl-C ends it")
    serve(folder, host, port)
