"""The command that sets what was found against what is used. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415, PLR0917 (a command's arguments are its options, given by name)

from __future__ import annotations

import json
import os
import shlex
import signal
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zbo_orchestrator.cli.options import CodeOption, HistoryArgument
from zbo_orchestrator.place import Place

if TYPE_CHECKING:
    from rich.console import Console

    from zbo_orchestrator.comparison import Audience, Comparison, Contest, Wish


def compare(
    history: HistoryArgument,
    others: Annotated[
        list[Place] | None,
        typer.Option(
            "--with",
            parser=Place.of,
            metavar="HISTORY",
            help="Try the best found of another campaign too; may be given several times.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=2, max=1000, metavar="N", help="Trainings a schedule.")] = 8,
    schedules: Annotated[
        str, typer.Option("--schedules", metavar="NAMES", help="Only these, as best,NAME,... [default: all]")
    ] = "",
    small: Annotated[bool, typer.Option("--small", help="Stay at the campaign's size.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="[default: <history>.compare.html; of a part: .compare-part.html]",
            show_default=False,
        ),
    ] = None,
    without_prefect: Annotated[
        bool, typer.Option("--without-prefect", help="Run the same bare: quicker to start, not seen in Prefect.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON, for scripts.")] = False,
    allow_code: CodeOption = False,
) -> None:
    """Train what was found, and what people use, at full size.

    Every schedule is trained with the same seeds. The spread over seeds comes first: where it exceeds the range over
    schedules, the comparison means nothing. What is trained is kept in <history>.final: stop the command at any
    moment, run it again and it goes on; more seeds train only the new ones.
    What is compared with --small or --schedules is a part, and leaves a whole comparison and its page as they are.

    \b
    zbo compare histories/jrvae-digits                        vanilla VAE, constants, cooldown, best found
    zbo compare histories/jrvae-digits --seeds 16             eight more seeds
    zbo compare histories/particles-3 --with histories/particles-7      crosswise
    zbo compare histories/jrvae-digits --schedules "best,constant 1" --small
    """
    from rich.console import Console

    from zbo_orchestrator.campaign import rebuild
    from zbo_orchestrator.comparison import Wish, folder_of, prepare
    from zbo_orchestrator.history import Record
    from zbo_orchestrator.report.compared_page import write

    names = tuple(name.strip() for name in schedules.split(",") if name.strip())
    wish = Wish(seeds, tuple(others or ()), names, small)
    campaign = rebuild(Record.read(history).charter.campaign, allow_code=allow_code)
    contest = prepare(campaign, history, wish)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's way of saying Ctrl-C
    try:
        comparison = _compared(contest, wish, Console(stderr=as_json), bare=without_prefect, allow_code=allow_code)
    except KeyboardInterrupt as interrupt:
        again = ["zbo", "compare", str(history), *(part for each in wish.others for part in ("--with", str(each)))]
        again += ["--seeds", str(seeds), *(["--schedules", schedules] if schedules else []), *["--small"] * small]
        again += ["--without-prefect"] * without_prefect + ["--allow-code"] * allow_code
        typer.echo(f"zbo: interrupted; what was trained is kept. To go on: {shlex.join(again)}", err=True)
        raise typer.Exit(130) from interrupt
    page = write(history, comparison, out or history.beside(f".compare{'-part' * wish.partial}.html"))
    if as_json:
        typer.echo(json.dumps(_document(comparison), indent=2, ensure_ascii=False))
        return
    _tell(comparison, folder_of(history), page)


def _compared(contest: Contest, wish: Wish, console: Console, *, bare: bool, allow_code: bool) -> Comparison:
    """Train while a screen shows it; as a flow run unless bare."""
    from zbo_orchestrator import comparison
    from zbo_orchestrator.cli.spectator import Spectator
    from zbo_orchestrator.cli.terminal import Best, Screen
    from zbo_orchestrator.model import ExecutionError

    with Screen(console, Best(contest.record.goal)) as screen:
        audience = Spectator(screen, console)
        if bare:
            return comparison.compare(contest, audience)
        _through_prefect(contest.record.path, wish, audience, console, allow_code=allow_code)
    done = comparison.read(contest.record.path, partial=wish.partial)
    if done is None:
        raise ExecutionError(
            f"{comparison.folder_of(contest.record.path)} keeps no comparison; wanted room to write it"
        )
    return done


def _through_prefect(history: Place, wish: Wish, audience: Audience, console: Console, *, allow_code: bool) -> None:
    """The same, as a flow run. Prefect's own console stays silent: an error is told once, by us."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from zbo_flows.server import server
    from zbo_orchestrator.model import ExecutionError

    with server() as api:
        api.wait()
        console.print(f"Prefect shows this run at {api.page} while it lasts", markup=False, highlight=False)
        from zbo_flows.absence import TransportError, reason
        from zbo_flows.audience import COMPARISON
        from zbo_flows.campaign import drain  # reads PREFECT_API_URL when imported
        from zbo_flows.final_training import final_training
        from zbo_orchestrator.cli.leaving import at_once

        COMPARISON.set(audience)
        try:
            final_training(
                str(history),
                seeds=wish.seeds,
                others=[str(each) for each in wish.others],
                schedules=list(wish.schedules),
                small=wish.small,
                allow_code=allow_code,
            )
        except TransportError as silence:
            if (cause := reason(silence)) is not None:
                raise cause from silence
            raise ExecutionError("the Prefect server is gone; what was trained is kept: type it again") from silence
        finally:
            if not drain():
                at_once()


def _tell(comparison: Comparison, folder: Path, page: Path) -> None:
    """The table, the verdict, the ensemble, and where everything is."""
    from zbo_orchestrator.comparison.ensemble import ensemble_of
    from zbo_orchestrator.report.compared_words import details, ensemble_words, failures, notes, table, verdict

    shown = table(comparison)
    lines = [shown.headings]
    for row in shown.rows:  # the differences to the best found stand below the means
        lines.append(tuple(cell.partition(" Δ ")[0] for cell in row))
        if any(" Δ " in cell for cell in row):
            lines.append(("  minus best found", *(cell.partition(" Δ ")[2] for cell in row[1:])))
    widths = [max(len(line[column]) for line in lines) for column in range(len(shown.headings))]
    typer.echo("")
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        typer.echo("  ".join(cells).rstrip())
    typer.echo("")
    ensemble = ensemble_of(comparison, folder)
    for text in (verdict(comparison), *details(comparison), *([ensemble_words(ensemble)] if ensemble else [])):
        typer.echo(text)
    for note in notes(comparison):
        typer.echo(f"note         {note}")
    for failure in failures(comparison):
        typer.echo(f"failed       {failure}")
    typer.echo(f"page         {page}")


def _document(comparison: Comparison) -> dict[str, Any]:
    """All of a comparison but its schedules, as JSON; null where a training failed."""
    from zbo_orchestrator.report.compared_words import AT, failures, verdict

    return {
        "campaign": comparison.campaign,
        "trial": comparison.trial,
        "arms": comparison.arms,
        "seeds": comparison.seeds,
        "verdict": verdict(comparison),
        "differences": [_plain(asdict(each)) for each in comparison.differences],
        "term_differences": {
            name: [_plain(asdict(each)) for each in apart] for name, apart in comparison.term_differences.items()
        },
        "failures": list(failures(comparison)),
        "rounds": {
            AT[each.size]: {
                "spread": _plain(asdict(each.spread)),
                "score": _plain(each.values.tolist()),
                "terms": {name: _plain(values.tolist()) for name, values in each.terms.items()},
            }
            for each in comparison.rounds
        },
    }


def _plain(value: Any) -> Any:
    """The same with null for what is not finite, which JSON has no word for."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
