"""Commands by which people take part in a campaign: each puts a request into its inbox and tells what came of it."""
# ruff: noqa: PLC0415 (heavy imports stand inside: see `cli`)

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zbo_orchestrator.cli.options import HistoryArgument

if TYPE_CHECKING:
    from zbo_orchestrator.history import Request
    from zbo_orchestrator.place import Place

Reason = Annotated[str, typer.Option("--reason", "-m", metavar="TEXT", help="Why; it is kept.", show_default=False)]
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who asks. [default: the user logged in]", show_default=False)
]
Number = Annotated[
    int | None, typer.Argument(metavar="[TRIAL]", help="Its number; else the next one's.", show_default=False)
]
ANSWER = 3.0
"""Seconds to wait for a running campaign's answer."""


def pause(history: HistoryArgument, reason: Reason = "", by: By = "") -> None:
    """Let nothing start until `zbo resume`; what runs ends first.

    \b
    zbo pause histories/ferrosim-curl -m "the pump is loud"
    """
    _ask(history, "pause", reason, by)


def resume(history: HistoryArgument, reason: Reason = "", by: By = "") -> None:
    """Let a paused campaign go on.

    After a sentinel's drift this accepts the drift: later sentinels are compared with the one that drifted.

    \b
    zbo resume histories/ferrosim-curl -m "the pump is mended"
    """
    _ask(history, "resume", reason, by)


def approve(history: HistoryArgument, trial: Number = None, reason: Reason = "", by: By = "") -> None:
    """Let the next trial run, where the campaign file says `approval: true`.

    \b
    zbo approve histories/poling
    zbo approve histories/poling 12 -m "looks fine"
    """
    _ask(history, "approve", reason, by, number=trial)


def veto(history: HistoryArgument, trial: Number = None, reason: Reason = "", by: By = "") -> None:
    """Have the next trial not run.

    It is recorded as vetoed, with your reason; the planner sees that, asks for another point and keeps away from
    this one.

    \b
    zbo veto histories/poling -m "that would depole the sample"
    """
    _ask(history, "veto", reason, by, number=trial)


def inject(
    history: HistoryArgument,
    z: Annotated[list[float], typer.Argument(metavar="Z...", help="The latent point.", show_default=False)],
    reason: Reason = "",
    by: By = "",
) -> None:
    """Have a latent point of your own run next.

    It has to lie within the limits, counts as a trial of the budget, and the planner learns from it.

    \b
    zbo inject histories/ferrosim-curl 0.4 -1.2 -m "a hunch"
    """
    _ask(history, "inject", reason, by, z=z)


def budget(
    history: HistoryArgument,
    total: Annotated[int | None, typer.Option("--total", min=1, metavar="N", help="Trials in all.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0, metavar="S", help="Wall-clock time over all sessions.")
    ] = None,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Change how much a campaign may spend, while it runs.

    \b
    zbo budget histories/ferrosim-curl --total 120
    """
    if total is None and seconds is None:
        raise typer.BadParameter("wanted --total, --seconds or both")
    _ask(history, "budget", reason, by, total=total, seconds=seconds)


def stop(
    history: HistoryArgument,
    now: Annotated[bool, typer.Option("--now", help="Stop the running trial too, at its next report.")] = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """End a campaign after the running trial; more budget reopens it (`zbo run --add N`).

    \b
    zbo stop histories/ferrosim-curl -m "good enough"
    """
    _ask(history, "stop", reason, by, now=now)


def _ask(history: Place, kind: Any, reason: str, by: str, **data: Any) -> None:
    """Put the request and wait a moment for its answer."""
    from zbo_orchestrator.history import History, Inbox, Request, held_by
    from zbo_orchestrator.history.inbox import somebody
    from zbo_orchestrator.model import HistoryError

    if not History.exists(history):
        raise HistoryError(f"no history at {history}")
    given = {name: value for name, value in data.items() if value is not None}
    request = Request(kind, reason, by or somebody(), given)
    Inbox(history).put(request)
    holder = held_by(history)
    if holder is None:
        typer.echo(f"{kind}: noted; nobody runs this campaign now, so it is answered when somebody does: zbo run ...")
        return
    typer.echo(f"{kind}: {_answer(history, request)}")


def _answer(history: Place, request: Request) -> str:
    """What came of a request, in words; raises `ConfigurationError` where it was refused."""
    from zbo_orchestrator.history import Record
    from zbo_orchestrator.model import ConfigurationError
    from zbo_orchestrator.standing import Standing

    deadline = time.monotonic() + ANSWER
    while time.monotonic() < deadline:
        refused = Standing.of(Record.read(history).events).answered.get(request.id)
        if refused:
            raise ConfigurationError(f"{request.kind}: {refused}")
        if refused is not None:
            return "done"
        time.sleep(0.1)
    return "noted; it is answered once the running trial has ended"


COMMANDS = (pause, resume, approve, veto, inject, budget, stop)
