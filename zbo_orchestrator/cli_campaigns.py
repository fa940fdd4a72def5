"""Commands about campaign files: run, check, scan, parts, schema. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415, PLR0917 (a command's arguments are its options, given by name)

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from zbo_orchestrator.campaign import Campaign
    from zbo_orchestrator.terminal import Screen

CampaignArgument = Annotated[
    str,
    typer.Argument(metavar="CAMPAIGN", help="A campaign file, or the name of a shipped campaign.", show_default=False),
]
HistoryOption = Annotated[
    str,
    typer.Option(
        "--history", metavar="DIR", help="Where the history is kept. [default: histories/<name>]", show_default=False
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


def run(
    campaign: CampaignArgument,
    history: HistoryOption = "",
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, metavar="N", help="Run until the history holds N trials.")
    ] = None,
    add: Annotated[int | None, typer.Option("--add", min=1, metavar="N", help="Run N more trials.")] = None,
    overrides: SetOption = None,
    width: Annotated[
        int | None,
        typer.Option("--width", min=1, max=1024, metavar="W", help="Trials in flight at once; only 1 repeats exactly."),
    ] = None,
    workers: Annotated[
        Literal["inline", "threads", "processes"],
        typer.Option("--workers", help="Where trials run: here, in threads (--width above 1), in child processes."),
    ] = "inline",
    without_prefect: Annotated[
        bool, typer.Option("--without-prefect", help="Run the same loop bare: quicker to start, not seen in Prefect.")
    ] = False,
    draw: Annotated[bool, typer.Option("--report/--no-report", help="Write <history>.html at the end.")] = True,
    allow_code: CodeOption = False,
) -> None:
    """Run a campaign, or go on with it.

    Every trial is in the history before the next one begins: stop the command at any moment, by Ctrl-C or by
    pulling the plug, and the same command goes on from there.

    \b
    zbo run ferrosim-curl                           the demo: 20 + 60 trials through Prefect
    zbo run ferrosim-curl --trials 100              until it holds 100
    zbo run ferrosim-curl --add 20                  20 more than it holds now
    zbo run my.yaml --set planner.acquisition=ei --history histories/ei --without-prefect
    zbo run my.yaml --set 'planner={use: random}' --history histories/random
    """
    from zbo_orchestrator.campaign import load
    from zbo_orchestrator.conduct import budgeted, history_path

    settings = [*(overrides or []), *([f"width={width}"] if width else [])]
    loaded = load(campaign, settings, allow_code=allow_code)
    path = history_path(loaded, history)
    wanted = budgeted(loaded, path, trials=trials, add=add)
    if not _finished(wanted, path):
        again = ["zbo", "run", campaign, "--history", str(path), "--trials", str(wanted.budget.total)]
        again += [part for setting in overrides or [] for part in ("--set", setting)]
        again += ["--width", str(width)] * bool(width) + ["--without-prefect"] * without_prefect
        again += ["--workers", workers] * (workers != "inline") + ["--allow-code"] * allow_code
        try:
            _conduct(wanted, path, workers, None if without_prefect else (campaign, settings, allow_code))
        except KeyboardInterrupt as interrupt:
            typer.echo(f"zbo: interrupted; what was recorded is kept. To go on: {shlex.join(again)}", err=True)
            raise typer.Exit(130) from interrupt
    _tell(path, draw=draw)


def _finished(campaign: Campaign, path: Path) -> bool:
    """Whether there is nothing to do, having said so."""
    from zbo_orchestrator.history import History, Record

    if not History.exists(path):
        return False
    record = Record.read(path)
    if record.state != "finished" or record.budget != campaign.budget or not campaign.founded(record):
        return False
    typer.echo(f"{record.name} is finished: {record.stop_reason}. It holds {len(record)} trials; more: --add N")
    return True


def _conduct(
    campaign: Campaign,
    path: Path,
    workers: Literal["inline", "threads", "processes"],
    flow: tuple[str, list[str], bool] | None,
) -> None:
    """Run trials while a screen shows them; through Prefect if there is a `flow` (file, overrides, allow_code)."""
    from rich.console import Console

    from zbo_orchestrator.conduct import conduct
    from zbo_orchestrator.terminal import Best, Screen

    with Screen(Console(), Best(campaign.goal)) as screen:
        if flow is None:
            conduct(campaign, path, screen, workers=workers)
        else:
            _through_prefect(campaign, path, workers, flow, screen)


def _through_prefect(
    campaign: Campaign,
    path: Path,
    workers: Literal["inline", "threads", "processes"],
    flow: tuple[str, list[str], bool],
    screen: Screen,
) -> None:
    """The same, as a flow run; the decoder learns while the server starts."""
    from zbo_flows.server import server
    from zbo_orchestrator.history import History

    with server() as api:
        if not History.exists(path):
            campaign.learn(screen.training)
        api.wait()
        from zbo_flows.campaign import AUDIENCE, drain, run_campaign  # reads PREFECT_API_URL when imported

        AUDIENCE.set(screen)
        file, overrides, allow_code = flow
        run_campaign(
            file,
            history=str(path),
            trials=campaign.budget.total,
            workers=workers,
            overrides=overrides,
            allow_code=allow_code,
        )
        drain()


def _tell(path: Path, *, draw: bool) -> None:
    """The best trajectory, its score, and where everything is."""
    from zbo_orchestrator.history import Record
    from zbo_orchestrator.summary import lines, summarize
    from zbo_orchestrator.terminal import plot

    summary = summarize(path)
    if (best := summary["best"]) is not None:
        typer.echo(f"\nbest trajectory (trial {best['number']})")
        for line in plot(Record.read(path).trial(best["number"]).trajectory):
            typer.echo(line)
    typer.echo("")
    for line in lines(summary):
        typer.echo(line)
    typer.echo(f"history      {path}")
    if draw:
        from zbo_orchestrator.report import write

        typer.echo(f"report       {write(path, path.with_name(f'{path.name}.html'))}")


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

    from zbo_orchestrator.decoders.atlas import certificate
    from zbo_orchestrator.terminal import Best, Screen

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
    from zbo_orchestrator.conduct import history_path
    from zbo_orchestrator.survey import difficulty, lines, survey
    from zbo_orchestrator.terminal import Best, Screen

    loaded = load(campaign, overrides or [], allow_code=allow_code)
    path = history_path(loaded, history)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    from zbo_orchestrator.catalogue import catalogue

    for line in catalogue(about):
        typer.echo(line)


def schema() -> None:
    """Print the JSON schema of campaign files.

    With the options of every installed part.

    \b
    zbo schema > campaign.schema.json
    and in the file's first line, for editors:  # yaml-language-server: $schema=campaign.schema.json
    """
    from zbo_orchestrator.schema import schema as describe

    typer.echo(json.dumps(describe(), indent=2, ensure_ascii=False))
