"""Commands about histories: show, report, export, verify, repair, log, rescore.

Heavy imports stand inside: see `cli`.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zbo_orchestrator.cli.options import CodeOption, HistoryArgument, SetOption
from zbo_orchestrator.place import Place


def show(
    history: HistoryArgument,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Say what a campaign found so far.

    It may be running. "best" is the best score as measured, "recommended" the feasible candidate with the best
    posterior mean.

    \b
    zbo show histories/ferrosim-curl
    zbo show histories/ferrosim-curl --json | jq .best
    """
    from zbo_orchestrator.cli.summary import lines, summarize

    summary = summarize(history)
    for line in [json.dumps(summary, indent=2, ensure_ascii=False)] if as_json else lines(summary):
        typer.echo(line)


def report(
    history: HistoryArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="[default: <history>.html]", show_default=False)
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="Write the figures as PNG files too.", show_default=False),
    ] = None,
) -> None:
    """Draw a history as one HTML file.

    The file is self-contained; the campaign may be running.

    \b
    zbo report histories/ferrosim-curl
    zbo report histories/ferrosim-curl --out curl.html --png figures
    """
    from zbo_orchestrator.report import write

    typer.echo(write(history, out or history.beside(".html"), pngs=png))


def export(
    history: HistoryArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Ends in .zarr, .nc or .csv.", show_default=False)],
) -> None:
    """Copy a history to plain Zarr, netCDF or CSV.

    CSV holds the table of trials; the others hold everything.

    \b
    zbo export histories/ferrosim-curl curl.nc
    zbo export histories/ferrosim-curl trials.csv
    """
    from zbo_orchestrator.history import export as write

    write(history, out)
    typer.echo(out)


def verify(
    history: HistoryArgument,
    again: Annotated[
        bool, typer.Option("--replay", help="Recompute every plan from what it was made of and compare bit for bit.")
    ] = False,
    allow_code: CodeOption = False,
) -> None:
    """Check that a history is sound.

    Every byte is read, and every row compared with what it follows from. With --replay, every plan is made again.

    \b
    zbo verify histories/ferrosim-curl
    zbo verify histories/ferrosim-curl --replay
    """
    from zbo_orchestrator.history import Record
    from zbo_orchestrator.history import verify as examine
    from zbo_orchestrator.model import HistoryError

    problems = examine(history)
    if not problems:
        record = Record.read(history)
        typer.echo(f"{history}: sound; {len(record)} trials, {len(record.plans)} plans, {len(record.log())} commits")
        if again:
            problems = _replayed(history, allow_code=allow_code)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise HistoryError(f"{history}: {len(problems)} problems found")


def _replayed(history: Place, *, allow_code: bool) -> list[str]:
    """Every plan that comes out differently, in words; says so where none does."""
    from rich.console import Console

    from zbo_orchestrator.audit import replay, replayable
    from zbo_orchestrator.cli.terminal import Best, Screen
    from zbo_orchestrator.history import Record

    record = Record.read(history)
    planner, certify = replayable(record, allow_code=allow_code)
    differences, done = [], 0
    with Screen(Console(stderr=True), Best(record.goal)) as screen:
        for done, replayed in enumerate(replay(record, planner, certify), 1):
            screen.working("plans", done, len(record.plans))
            if replayed.difference:
                differences.append(f"plan {replayed.plan}: {replayed.difference}")
    if not differences:
        people = len(record.plans) - done
        others = f"; {people} {'was' if people == 1 else 'were'} asked for by people" if people else ""
        typer.echo(f"replayed {done} plans: every one equal, bit for bit{others}")
    return differences


def repair(
    history: HistoryArgument,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder of the new history; must not exist.", show_default=False)
    ],
) -> None:
    """Save what can be read of a damaged history.

    Every readable row goes into a new history, what could not be read is named; the old one stays as it is.

    \b
    zbo repair histories/ferrosim-curl histories/mended
    """
    from zbo_orchestrator.history import repair as mend

    typer.echo(mend(history, out))


def log(
    history: HistoryArgument,
    last: Annotated[int, typer.Option("-n", "--last", min=1, metavar="N", help="Only the newest N.")] = 20,
) -> None:
    """List the commits of a history, newest first.

    Each can be opened by its id: open_history(path, commit=id).

    \b
    zbo log histories/ferrosim-curl -n 5
    """
    from zbo_orchestrator.history import log as commits

    for commit in commits(history)[:last]:
        typer.echo(f"{commit.id}  {commit.time.astimezone():%Y-%m-%d %H:%M:%S}  {commit.message}")


def rescore(
    history: HistoryArgument,
    evaluator: Annotated[
        str, typer.Option("--evaluator", metavar="NAME", help="An installed evaluator (see `zbo parts evaluators`).")
    ],
    overrides: SetOption = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, for a file or a spreadsheet.")] = False,
    allow_code: CodeOption = False,
) -> None:
    """Score stored measurements by another evaluator.

    The history stays as it is. --set gives the evaluator's options.

    \b
    zbo rescore histories/ferrosim-curl --evaluator total-polarization
    zbo rescore histories/ferrosim-curl --evaluator loop-area --csv > areas.csv
    """
    from zbo_orchestrator.audit import rescore as score
    from zbo_orchestrator.campaign import part
    from zbo_orchestrator.campaign.document import override
    from zbo_orchestrator.history import Record

    record = Record.read(history)
    section = override({"use": evaluator}, overrides or [])
    judge = part("evaluators", section, seed=int(record.charter.campaign.get("seed", 0)), allow_code=allow_code)
    rows = [["trial", "stored", evaluator, "note"]]
    rows += [[str(row.number), f"{row.stored!r}", f"{row.value!r}", row.error] for row in score(record, judge)]
    if as_csv:
        csv.writer(sys.stdout).writerows(rows)
        return
    for row in rows:
        typer.echo("  ".join(f"{cell:>24}" if column < 3 else cell for column, cell in enumerate(row)).rstrip())
