"""Commands about campaign files: check, scan, parts, schema. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zbo_orchestrator.cli.options import CampaignArgument, CodeOption, HistoryOption, SetOption

if TYPE_CHECKING:
    from zbo_orchestrator.campaign import Campaign


def check(
    campaign: CampaignArgument,
    overrides: SetOption = None,
    file_only: Annotated[
        bool, typer.Option("--file-only", help="Check the file and its parts' options; draw and learn nothing.")
    ] = False,
    allow_code: CodeOption = False,
) -> None:
    """Check a campaign and print its certificate.

    The certificate says what the planner may ask for and which limits rule out the rest. Draws the library, learns
    the decoder (kept for the run) and charts the atlas. Nothing runs on the executor.

    \b
    zbo check my.yaml
    zbo check my.yaml --set envelope.channels.field.slew=20
    zbo check my.yaml --file-only
    """
    from zbo_orchestrator.campaign import load

    loaded = load(campaign, overrides or [], allow_code=allow_code)
    for line in _described(loaded):
        typer.echo(line)
    if not file_only:
        typer.echo(_certificate(loaded))


def _described(campaign: Campaign) -> list[str]:
    document, budget = campaign.document, campaign.budget
    parts = [f"{name + ' ':<10}{document[name]['use']}" for name in ("decoder", "planner", "executor", "evaluator")]
    families = (document["library"] or {}).get("families", [])
    library = ", ".join(f"{family.get('count') or 'all'} {family['use']}" for family in families)
    return [
        f"{campaign.name}: the file is right",
        f"budget    {budget.initial} initial, {budget.total} in all",
        *([f"library   {library}"] if library else []),
        *parts,
        *(
            []
            if getattr(campaign.executor, "repeatable", False)
            else ["          its trials are not repeatable: none is ever run twice"]
        ),
    ]


def _certificate(campaign: Campaign) -> str:
    from rich.console import Console

    from zbo_orchestrator.cli.terminal import Best, Screen
    from zbo_orchestrator.decoders.atlas import certificate

    with Screen(Console(stderr=True), Best(campaign.goal)) as screen:
        return certificate(campaign.charter(screen.training).space)


def scan(
    campaign: CampaignArgument,
    history: HistoryOption = "",
    overrides: SetOption = None,
    allow_code: CodeOption = False,
) -> None:
    """Run the whole feasible grid (simulators only).

    The ground truth that a campaign is judged by. Kept beside the history as <history>.scan; interrupted, the same
    command goes on. The report then shows regret.

    \b
    zbo scan ferrosim-curl
    """
    from rich.console import Console

    from zbo_orchestrator.campaign import load
    from zbo_orchestrator.cli.terminal import Best, Screen
    from zbo_orchestrator.conduct import history_path
    from zbo_orchestrator.survey import difficulty, lines, survey

    loaded = load(campaign, overrides or [], allow_code=allow_code)
    path = history_path(loaded, history)
    path.folder.parent.mkdir(parents=True, exist_ok=True)
    with Screen(Console(), Best(loaded.goal)) as screen:
        values, charter = survey(loaded, path, screen.training, partial(screen.working, "candidates"))
    for line in lines(difficulty(values, charter.space.feasible, charter.goal), charter):
        typer.echo(line)


def parts(
    about: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One kind (planners) or one part (bayesian); all if left out.")
    ] = "",
) -> None:
    """List installed parts and shipped campaigns.

    Named alone, a part is listed with its options: type, bounds, default.

    \b
    zbo parts
    zbo parts planners
    zbo parts bayesian
    """
    from zbo_orchestrator.campaign.catalogue import catalogue

    for line in catalogue(about):
        typer.echo(line)


def schema() -> None:
    """Print the JSON schema of campaign files.

    With the options of every installed part.

    \b
    zbo schema > campaign.schema.json
    and in the file's first line, for editors:  # yaml-language-server: $schema=campaign.schema.json
    """
    from zbo_orchestrator.campaign.schema import schema as describe

    typer.echo(json.dumps(describe(), indent=2, ensure_ascii=False))
