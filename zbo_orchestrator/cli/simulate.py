"""The command that serves a simulated instrument. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415, PLR0917 (a command's arguments are its options, given by name)

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zbo_orchestrator.cli.options import CodeOption, SetOption
from zbo_orchestrator.model import ConfigurationError

if TYPE_CHECKING:
    from zbo_scpi.simulator import Behaviour, Ratings, Simulator


def simulate_instrument(
    campaign: Annotated[
        str, typer.Argument(metavar="CAMPAIGN", help="The campaign whose executor is the specimen at the outputs.")
    ] = "ferrosim-curl",
    host: Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any free one.")] = 5025,
    overrides: SetOption = None,
    outputs: Annotated[int, typer.Option("--outputs", min=1, max=16, help="How many outputs it has.")] = 1,
    pace: Annotated[
        float, typer.Option("--pace", min=0, metavar="SECONDS", help="What a second of a waveform takes; 0: no wait.")
    ] = 0.0,
    latency: Annotated[
        float, typer.Option("--latency", min=0, metavar="SECONDS", help="What every answer takes longer.")
    ] = 0.0,
    noise: Annotated[
        float, typer.Option("--noise", min=0, metavar="SD", help="Normal noise on every number that is measured.")
    ] = 0.0,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME[@COMMAND]", help="May be given several times.", show_default=False),
    ] = None,
    lateness: Annotated[
        float, typer.Option("--lateness", min=0, metavar="SECONDS", help="How late the fault late is.")
    ] = 5.0,
    downtime: Annotated[
        float, typer.Option("--downtime", min=0, metavar="SECONDS", help="How long the fault restart lasts.")
    ] = 1.0,
    allow_code: CodeOption = False,
) -> None:
    """Serve a simulated waveform generator.

    It speaks SCPI over a TCP socket. At its outputs hangs the specimen of a campaign: what that campaign's executor
    would answer to the same trajectory. What was switched on stays on when a client leaves. Ctrl-C ends it.

    \b
    zbo simulate-instrument                        then, in another terminal: zbo run ferrosim-over-scpi
    zbo simulate-instrument --pace 1 --noise 0.01  in real time, and not quite the same twice
    zbo simulate-instrument --set executor.n=10    a smaller lattice
    zbo simulate-instrument --fault drop           closes the connection whenever it is asked *ESR?
    zbo simulate-instrument --fault late@OUTP?     answers OUTP? late

    \b
    Faults:
      drop            closes the connection               (at *ESR?, which a driver asks while a waveform runs)
      hang            never answers on that connection    (*ESR?)
      late            answers --lateness seconds later    (*ESR?)
      garbage         answers what means nothing          (*ESR?)
      refuse          refuses, with an error in the queue (INITiate)
      ignore-abort    does not stop when told to          (ABORt, OUTPut OFF, *RST)
      restart         away for --downtime, then as new    (*TRG)
      wrong-identity  is another instrument               (*IDN?)
      nan             measures numbers that are none      (FETCh:DATA?)

    \b
    Any client, by hand too (nc 127.0.0.1 5025), may say:
      *IDN?   OUTPut?   SYSTem:ERRor?     who it is, whether its output is on, what went wrong
      SYSTem:ESTop, SYSTem:ESTop:RESet    emergency stop, and its end
      SYSTem:LEASe 7                      commands of clients under a lower number are refused from now on
      SIMulator:FAULt "drop",1            order a fault, here for one time; SIMulator:FAULt:CLEar ends all
      SIMulator:INTerlock OPEN            and CLOSed
    """
    from zbo_scpi.simulator import Behaviour, Ratings

    ratings = Ratings(outputs, pace=pace, noise=noise)
    behaviour = Behaviour(latency, lateness, downtime, faults=tuple(faults or ()))
    section, seed = _specimen(campaign, overrides or [])
    simulator = _simulator(section, seed, ratings, behaviour, host, port, allow_code=allow_code)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's way of saying Ctrl-C
    with simulator:
        for line in _greeting(simulator, f"{section['use']}, as in {campaign}", behaviour):
            typer.echo(line)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            typer.echo("ended")


def _specimen(campaign: str, overrides: list[str]) -> tuple[dict[str, Any], int]:
    """The executor's section of a campaign file, and the campaign's seed."""
    from zbo_orchestrator.campaign import document as files

    read, _, _ = files.read(campaign)
    document = files.override(read, overrides)
    section, seed = document.get("executor"), document.get("seed", 0)
    if not isinstance(section, dict) or not isinstance(seed, int):
        raise ConfigurationError(f"{campaign}: got executor {section!r}, seed {seed!r}; wanted a section and a number")
    if section.get("use") == "scpi-waveform":
        raise ConfigurationError(f"{campaign}: its executor is an instrument; wanted the specimen behind one")
    return section, seed


def _simulator(
    section: dict[str, Any],
    seed: int,
    ratings: Ratings,
    behaviour: Behaviour,
    host: str,
    port: int,
    *,
    allow_code: bool,
) -> Simulator:
    from zbo_orchestrator.campaign import part
    from zbo_scpi.simulator import ExecutorSpecimen, Generator, Simulator

    executor = part("executors", section, seed=seed, allow_code=allow_code)
    return Simulator(Generator(ExecutorSpecimen(executor, seed), ratings), behaviour, host=host, port=port)


def _greeting(simulator: Simulator, specimen: str, behaviour: Behaviour) -> Iterator[str]:
    host, port = simulator.address
    yield f"listening   {host} port {port}, to VISA {simulator.resource}"
    yield f"identity    {behaviour.identity}"
    yield f"specimen    {specimen}"
    if behaviour.faults:
        yield f"faults      {', '.join(behaviour.faults)}"
    yield f"campaign    zbo run ferrosim-over-scpi --set executor.resource={simulator.resource}"
    yield f"by hand     nc {host} {port}, then *IDN? or OUTPut? or SYSTem:ERRor?"
    yield "Ctrl-C ends it"
