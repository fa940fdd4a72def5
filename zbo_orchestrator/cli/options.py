"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from zbo_orchestrator.place import Place

CampaignArgument = Annotated[
    str,
    typer.Argument(metavar="CAMPAIGN", help="A campaign file, or the name of a shipped campaign.", show_default=False),
]
HistoryOption = Annotated[
    str,
    typer.Option(
        "--history",
        metavar="DIR",
        help="Where the history is kept, or s3://BUCKET/PREFIX. [default: histories/<name>]",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of the file: dotted keys, YAML values. May be given several times.",
        show_default=False,
    ),
]
CodeOption = Annotated[
    bool, typer.Option("--allow-code", help="Let the file name parts as module:Class. Only for files you trust.")
]
HistoryArgument = Annotated[
    Place,
    typer.Argument(
        parser=Place.of, metavar="HISTORY", help="The folder of a history, or s3://BUCKET/PREFIX.", show_default=False
    ),
]
