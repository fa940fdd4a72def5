"""The command that puts an executor to the test and writes its card. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415, PLR0917 (a command's arguments are its options, given by name)

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zbo_orchestrator.cli.options import CodeOption, SetOption

if TYPE_CHECKING:
    from rich.table import Table

    from zbo_orchestrator.certification.cards import Card
    from zbo_orchestrator.certification.certifying import Subject

BEYOND = "power, the kernel, the specimen, a second host: see to the instrument's own watchdog and interlock"
"""What no card can vouch for."""
_STYLES = {"passed": "green", "failed": "bold red", "untested": "yellow"}


def certify(
    part: Annotated[
        str,
        typer.Argument(
            metavar="PART",
            help="An executor's name, module:Class, or a campaign.",
            show_default=False,
        ),
    ],
    overrides: SetOption = None,
    live: Annotated[
        bool, typer.Option("--live", help="Move an instrument that is not simulated: see to the specimen first.")
    ] = False,
    trajectory_free: Annotated[
        bool, typer.Option("--trajectory-free", help="Run no trial: only what drives nowhere but to the safe state.")
    ] = False,
    duration: Annotated[
        float, typer.Option("--duration", min=1e-9, help="Of the half-sine, in the executor's unit of time.")
    ] = 0.25,
    within: Annotated[
        float, typer.Option("--within", min=0.1, metavar="SECONDS", help="What any one check may take.")
    ] = 60.0,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the card here too.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The card as JSON, for scripts.")] = False,
    allow_code: CodeOption = False,
) -> None:
    """Put an executor to the test, with faults injected, and write its card.

    It runs in a supervised process of its own, as in a campaign: with a curve of the campaign's library, or a gentle
    half-sine within a tenth of what it says it bears. A TCP socket's instrument is reached through a proxy that drops,
    delays and garbles; its process is killed and stopped in mid-trial. What cannot be tested is on the card too.
    A campaign that drives a real instrument wants a card of the code as it stands. Exit code 1 where a check fails.

    \b
    zbo certify ferrosim-over-scpi                          beside zbo simulate-instrument
    zbo certify scpi-waveform --set resource=TCPIP::127.0.0.1::5025::SOCKET
    zbo certify my.yaml --live                              moves the instrument
    zbo certify zbo_orchestrator.testing.zoo:Hangs --allow-code --within 5
    """
    from rich.console import Console

    from zbo_orchestrator.certification import cards, certifying

    subject = replace(
        _subject(part, overrides or [], allow_code=allow_code),
        duration=duration,
        still=trajectory_free,
        live=live,
    )
    subject = replace(subject, timeouts=replace(subject.timeouts, trial=within))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's way of saying Ctrl-C
    try:
        with Console(stderr=True).status("connecting") as status:
            card = certifying.certify(subject, status.update)
    except KeyboardInterrupt as interrupt:
        typer.echo("zbo: interrupted; the instrument was left in its safe state, and there is no card", err=True)
        raise typer.Exit(130) from interrupt
    for path in [None, *([output] if output else [])]:
        kept = cards.keep(card, path)
    if as_json:
        typer.echo(card.json())
    else:
        Console().print(_table(card))
        for line in _summary(card):
            typer.echo(line)
        typer.echo(f"card         {kept}")
    if card.failed:
        raise typer.Exit(1)


def _subject(part: str, overrides: list[str], *, allow_code: bool) -> Subject:
    from zbo_orchestrator.campaign import load
    from zbo_orchestrator.campaign.parts import installed
    from zbo_orchestrator.certification.certifying import Subject
    from zbo_orchestrator.certification.trajectories import middle

    if part in installed("executors") or ":" in part:
        return Subject(*_built(part, overrides, allow_code=allow_code))
    campaign = load(part, overrides, allow_code=allow_code)
    options, instrument, timeouts = campaign.document["executor"], campaign.instrument, campaign.timeouts
    return Subject(campaign.executor, options, middle(campaign), instrument=instrument, timeouts=timeouts)


def _built(use: str, overrides: list[str], *, allow_code: bool) -> tuple[Any, dict[str, Any]]:
    """An executor alone, and its section of a campaign file with every option filled in."""
    from zbo_orchestrator.campaign import document as files
    from zbo_orchestrator.campaign.complaints import refuse
    from zbo_orchestrator.campaign.parts import Part, specify

    section = files.override({"use": use}, overrides)
    found = specify("executors", section, seed=0, folder=Path.cwd(), allow_code=allow_code)
    if not isinstance(found, Part):
        refuse(use, found)
    return found.build(), found.document


def _table(card: Card) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "check", "", "what was seen", box=None, pad_edge=False)
    section = ""
    for check in card.checks:
        name = check.section if check.section != section else ""
        section = check.section
        said = f"{check.said}; {check.timed}" if check.timed else check.said
        verdict = f"[{_STYLES[check.verdict]}]{check.verdict}[/]"
        table.add_row(name, escape(check.name), verdict, escape(said))
    return table


def _summary(card: Card) -> list[str]:
    passed = len(card.checks) - len(card.failed) - len(card.untested)
    simulated = " (simulated)" if card.simulated else ""
    return [
        "",
        f"part         {card.part}",
        f"instrument   {card.identity or 'does not say'}{simulated}",
        f"code         {card.digest[:16]}",
        f"checks       {passed} passed, {len(card.failed)} failed, {len(card.untested)} could not be tested",
        f"beyond reach {BEYOND}",
    ]
