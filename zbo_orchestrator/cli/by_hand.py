"""The commands for an executor that is a person: next, tell. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415, PLR0917 (a command's arguments are its options, given by name)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zbo_orchestrator.cli.options import CodeOption, HistoryArgument, HistoryOption, SetOption
from zbo_orchestrator.place import Place

if TYPE_CHECKING:
    from zbo_orchestrator.cli.sitting import Sitting
    from zbo_orchestrator.model import Measurement

PATIENCE = 30.0
"""Seconds given to whoever runs the campaign to record what was told."""


def next_trial(
    campaign: Annotated[
        str,
        typer.Argument(metavar="CAMPAIGN", help="A campaign file, or the folder of its history.", show_default=False),
    ],
    number: Annotated[
        int | None, typer.Option("--trial", metavar="N", help="Of several open trials, this one.", show_default=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the trajectory there too.", show_default=False)
    ] = None,
    history: HistoryOption = "",
    overrides: SetOption = None,
    allow_code: CodeOption = False,
) -> None:
    """Print what to run next by hand.

    For campaigns with `executor: {use: by-hand}`. Begins the campaign, and plans, where that is needed; a campaign
    that `zbo run` has under way is only looked at.

    \b
    zbo next my.yaml
    zbo next histories/my --csv todo.csv
    """
    from zbo_orchestrator.campaign import load
    from zbo_orchestrator.cli.sitting import Sitting, of_history
    from zbo_orchestrator.conduct import history_path
    from zbo_orchestrator.history import History

    if History.exists(campaign):
        path = Place.of(campaign)
        loaded = of_history(path, allow_code=allow_code)
    else:
        loaded = load(campaign, overrides or [], allow_code=allow_code)
        path = history_path(loaded, history)
    sitting = Sitting(loaded, path)
    sitting.advance(PATIENCE)
    _show(sitting, number, csv)


def tell(
    history: HistoryArgument,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the trial.", show_default=False)],
    value: Annotated[float | None, typer.Option("--value", metavar="X", help="Measured as one number.")] = None,
    noise: Annotated[
        float | None, typer.Option("--noise", metavar="S", help="Standard deviation of the value.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Measured arrays by name: .npz, .csv with a header, .npy."),
    ] = None,
    failed: Annotated[
        str | None, typer.Option("--failed", metavar="REASON", help="Nothing was measured, and why.")
    ] = None,
    allow_code: CodeOption = False,
) -> None:
    """Record what came out of a trial run by hand, and print the next.

    What cannot be scored, or differs in form from what was told before, is refused and nothing is recorded.

    \b
    zbo tell histories/my 3 --value 3.2 --noise 0.1
    zbo tell histories/my 3 --file loop.csv
    zbo tell histories/my 3 --failed "the contact came off"
    """
    from zbo_orchestrator.cli.sitting import Sitting, of_history

    told = _told(value, noise, file, failed)
    sitting = Sitting(of_history(history, allow_code=allow_code), history)
    sitting.take(number, told)
    sitting.advance(PATIENCE, told=number)
    _show(sitting, None, None)


def _told(value: float | None, noise: float | None, file: Path | None, failed: str | None) -> Measurement | str:
    """What the options say came out; raises `ConfigurationError` where they say nothing, or contradict one another."""
    import numpy as np

    from zbo_orchestrator.executors.result_files import read_result
    from zbo_orchestrator.model import ConfigurationError, Measurement

    if failed is not None:
        if not failed.strip() or (value, noise, file) != (None, None, None):
            raise ConfigurationError(f"--failed {failed!r}: wanted a reason, and nothing measured beside it")
        return failed.strip()
    if value is None and (file is None or noise is not None):
        raise ConfigurationError("nothing was told; wanted --value X (and --noise S), --file FILE or --failed REASON")
    for name, number in (("value", value), ("noise", noise)):
        if number is not None and not np.isfinite(number):
            raise ConfigurationError(f"--{name} is {number}; wanted a finite number")
    measured = Measurement({}) if file is None else read_result(file)
    if value is None:
        return measured
    if clash := {"value", "noise"} & measured.arrays.keys():
        raise ConfigurationError(f"{file} holds {', '.join(clash)} too; wanted it there or as an option")
    numbers = {"value": np.array(value), "noise": np.array(np.nan if noise is None else noise)}
    return Measurement({**measured.arrays, **numbers}, measured.dims, measured.units)


def _show(sitting: Sitting, number: int | None, csv: Path | None) -> None:
    """Print an open trial: its number, the planner's reason, its trajectory, how to answer; or that none is left."""
    from zbo_orchestrator.cli.terminal import plot
    from zbo_orchestrator.executors.by_hand import ASKED, ask
    from zbo_orchestrator.history import Record
    from zbo_orchestrator.model import ConfigurationError

    record = Record.read(sitting.path)
    proposals = {proposal.number: proposal for proposal in sitting.untold()}
    if number is not None and number not in proposals:
        raise ConfigurationError(
            f"trial {number} is not open; wanted one of {', '.join(map(str, proposals)) or 'none'}"
        )
    if not proposals:
        typer.echo(f"{record.name} is {record.state}: {record.stop_reason or 'nothing is open'}")
        return
    proposal = proposals[min(proposals) if number is None else number]
    trajectory, asked = sitting.trajectory(proposal), sitting.folder(proposal.number) / ASKED
    typer.echo(f"\ntrial {proposal.number}: {record.reasons[proposal.number]}")
    for line in plot(trajectory):
        typer.echo(line)
    typer.echo(f"as numbers   {asked if asked.exists() else ask(asked.parent, trajectory)}")
    if csv is not None:
        try:
            csv.write_bytes(asked.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"--csv {csv}: {error.strerror}; wanted a file that can be written") from error
        typer.echo(f"copied to    {csv}")
    if others := sorted(proposals.keys() - {proposal.number}):
        typer.echo(f"open too     {', '.join(map(str, others))} (--trial)")
    typer.echo(f"then         zbo tell {sitting.path} {proposal.number} --value X, --file FILE or --failed REASON")
