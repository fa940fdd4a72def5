"""The command that runs a campaign. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415, PLR0917 (a command's arguments are its options, given by name)

from __future__ import annotations

import os
import shlex
import signal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zbo_orchestrator.cli.options import CampaignArgument, CodeOption, HistoryOption, SetOption

if TYPE_CHECKING:
    from zbo_orchestrator.campaign import Campaign
    from zbo_orchestrator.cli.terminal import Screen
    from zbo_orchestrator.place import Place


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
        Literal["inline", "threads", "processes", "dask"],
        typer.Option(
            "--workers",
            help="Where trials run: here, in threads (--width above 1), in child processes, on a Dask cluster.",
        ),
    ] = "inline",
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="The scheduler of the Dask cluster. [default: --width processes of this machine]",
            show_default=False,
        ),
    ] = "",
    without_prefect: Annotated[
        bool, typer.Option("--without-prefect", help="Run the same loop bare: quicker to start, not seen in Prefect.")
    ] = False,
    draw: Annotated[bool, typer.Option("--report/--no-report", help="Write <history>.html at the end.")] = True,
    allow_code: CodeOption = False,
    live: Annotated[
        bool, typer.Option("--live", help="Drive the instrument that the file names under `instrument`.")
    ] = False,
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience", min=0, metavar="S", help="Leave (exit code 5) after S seconds of waiting for people."
        ),
    ] = None,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="On object storage: the writer elsewhere is dead, or is to end."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Drive nothing: show the next trial, or --trials N of them, and its commands."),
    ] = False,
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
    zbo run my.yaml --dry-run                       the next trial's trajectory, commands and duration
    zbo run my.yaml --live                          an instrument that is no simulator
    """
    from zbo_orchestrator.campaign import load
    from zbo_orchestrator.conduct import budgeted, history_path
    from zbo_orchestrator.history import History

    settings = [*(overrides or []), *([f"width={width}"] if width else [])]
    loaded = load(campaign, settings, allow_code=allow_code)
    path = history_path(loaded, history)
    if dry_run:
        _rehearse(loaded, path, trials or 1)
        return
    if take_over and History.exists(path):
        History.open(path, take_over=True).close()
    wanted = budgeted(loaded, path, trials=trials, add=add)
    if not _finished(wanted, path):
        if _unarmed(wanted, live=live):
            _rehearse(wanted, path, 1)
            return
        again = ["zbo", "run", campaign, "--history", str(path), "--trials", str(wanted.budget.total)]
        again += [part for setting in overrides or [] for part in ("--set", setting)]
        again += ["--width", str(width)] * bool(width) + ["--without-prefect"] * without_prefect
        again += ["--workers", workers] * (workers != "inline") + ["--cluster", cluster] * bool(cluster)
        again += ["--allow-code"] * allow_code + ["--live"] * live
        again += ["--patience", str(patience)] * (patience is not None)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's way of saying Ctrl-C
        try:
            file = {"campaign": campaign, "overrides": settings, "allow_code": allow_code}
            asked = {"trials": trials, "add": add, "reopen": wanted.budget_by == "run"}
            flow = None if without_prefect else file | asked
            _conduct(wanted, path, flow, {"workers": workers, "cluster": cluster, "live": live, "patience": patience})
        except KeyboardInterrupt as interrupt:
            typer.echo(f"zbo: interrupted; what was recorded is kept. To go on: {shlex.join(again)}", err=True)
            raise typer.Exit(130) from interrupt
    _tell(path, draw=draw)


def _unarmed(campaign: Campaign, *, live: bool) -> bool:
    """Whether the campaign drives an instrument that nobody armed, having said so."""
    from zbo_orchestrator.executors.supervised import drives

    if live or campaign.simulated or not drives(campaign.executor):
        return False
    typer.echo("The instrument is not armed, so this is a dry run; --live drives it (`simulated: true`: a simulator).")
    return True


def _rehearse(campaign: Campaign, path: Place, trials: int) -> None:
    """Show what would come next."""
    from rich.console import Console

    from zbo_orchestrator.cli.terminal import Best, Screen
    from zbo_orchestrator.dry_run import dry_run

    with Screen(Console(stderr=True), Best(campaign.goal)) as screen:
        lines = list(dry_run(campaign, path, trials, screen.training))
    for line in lines:
        typer.echo(line)


def _finished(campaign: Campaign, path: Place) -> bool:
    """Whether there is nothing to do, having said so."""
    from zbo_orchestrator.history import History, Inbox, Record

    if not History.exists(path) or Inbox(path).files():
        return False
    record = Record.read(path)
    if record.state != "finished" or record.budget != campaign.budget or not campaign.founded(record):
        return False
    if campaign.budget_by == "run" and record.ended < record.budget.total:
        return False
    typer.echo(f"{record.name} is finished: {record.stop_reason}. It holds {record.ended} trials; more: --add N")
    return True


def _conduct(
    campaign: Campaign,
    path: Place,
    flow: dict[str, Any] | None,
    manner: dict[str, Any],
) -> None:
    """Run trials while a screen shows them; through Prefect if there is a `flow`: what that alone is given.

    manner   what `conduct` and the flow are both given: workers, cluster, live, patience
    """
    from rich.console import Console

    from zbo_orchestrator.cli.terminal import Best, Screen
    from zbo_orchestrator.conduct import conduct

    with Screen(Console(), Best(campaign.goal)) as screen:
        if flow is None:
            conduct(campaign, path, screen, **manner)
        else:
            _through_prefect(campaign, path, flow, screen, manner)


def _through_prefect(
    campaign: Campaign,
    path: Place,
    flow: dict[str, Any],
    screen: Screen,
    manner: dict[str, Any],
) -> None:
    """The same, as a flow run; the decoder learns while the server starts.

    Prefect's own console stays silent: an error is told once, by us.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from zbo_flows.server import server
    from zbo_orchestrator.history import History

    if History.exists(path):
        _refuse_early(campaign, path)
    with server() as api:
        if not History.exists(path):
            campaign.learn(screen.training)
        api.wait()
        typer.echo(f"Prefect shows this run at {api.page} while it lasts")
        from zbo_flows.absence import TransportError
        from zbo_flows.audience import AUDIENCE
        from zbo_flows.campaign import drain, run_campaign  # reads PREFECT_API_URL when imported
        from zbo_flows.cancelling import CancelledRun
        from zbo_orchestrator.cli.leaving import at_once

        AUDIENCE.set(screen)
        try:
            run_campaign(history=str(path), **flow, **manner)
        except CancelledRun as cancelled:  # somebody's Ctrl-C, by way of the server
            raise KeyboardInterrupt from cancelled
        except TransportError as silence:
            _without_server(path, silence)
        finally:
            if not drain():
                at_once()


def _without_server(path: Place, silence: Exception) -> None:
    """Raise what a campaign ended by, if not well, where all that Prefect says is that its server is gone."""
    from zbo_flows.absence import reason
    from zbo_orchestrator.history import History, Record
    from zbo_orchestrator.model import ExecutionError

    if (cause := reason(silence)) is not None:
        raise cause
    if not (History.exists(path) and Record.read(path).state == "finished"):
        raise ExecutionError("the Prefect server is gone; start it, or run --without-prefect") from silence
    typer.echo("zbo: the Prefect server is gone; what it shows of this run is not up to date", err=True)


def _refuse_early(campaign: Campaign, path: Place) -> None:
    """Raise at once what would be raised once a server has started: in use, or another campaign's."""
    from zbo_orchestrator.history import History

    with History.open(path) as history:
        ours = campaign.founded(history)
    if not ours:
        campaign.open(path).close()


def _tell(path: Place, *, draw: bool) -> None:
    """The best trajectory, its score, and where everything is."""
    from zbo_orchestrator.cli.summary import lines, summarize
    from zbo_orchestrator.cli.terminal import plot
    from zbo_orchestrator.history import Record

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

        typer.echo(f"report       {write(path, path.beside('.html'))}")
