"""The `zbo` command.

Its modules import the heavy libraries inside commands, so that `zbo --help` answers at once: the one place where
imports stand in functions.
"""

from __future__ import annotations

import errno
import io
import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from zbo_orchestrator.cli import by_hand, campaigns, histories, people
from zbo_orchestrator.cli.certify import certify
from zbo_orchestrator.cli.compare import compare
from zbo_orchestrator.cli.leaving import leave
from zbo_orchestrator.cli.new_plugin import new_plugin
from zbo_orchestrator.cli.notify import notify
from zbo_orchestrator.cli.pages import pages
from zbo_orchestrator.cli.run import run
from zbo_orchestrator.cli.serve import serve
from zbo_orchestrator.cli.simulate import simulate_instrument
from zbo_orchestrator.model import ConfigurationError, FatalError, HistoryError, Unattended, ZboError

DONE, FAILED, CONFIGURATION, HISTORY, FATAL, UNATTENDED = 0, 1, 2, 3, 4, 5
_CODES: dict[type[ZboError], int] = {
    ConfigurationError: CONFIGURATION,
    HistoryError: HISTORY,
    FatalError: FATAL,
    Unattended: UNATTENDED,
}
_CANNOT_WRITE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR,
)  # fmt: skip
"""What a machine refuses, whoever asks; any other error of the system is taken for a bug."""


app = typer.Typer(
    name="zbo",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed  # noqa: PLC0415

        typer.echo(installed("zbo-orchestrator"))
        raise typer.Exit


@app.callback()
def zbo(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Closed-loop experiments on trajectories.

    \b
    A campaign file says what to optimise; a history holds all that happened.
      zbo run ferrosim-curl                the demo; stop it any time, run it again to go on
      zbo show histories/ferrosim-curl     what was found
      zbo report histories/ferrosim-curl   the figures, as one HTML file
      zbo pages                            all histories of a folder in a browser, running ones too
      zbo simulate-instrument              an instrument to plug in, harmless
      zbo certify ferrosim-over-scpi       what does it do when everything fails?
      zbo compare histories/jrvae-digits   does it beat what people use?
      zbo new-plugin my-lab                a package for an instrument of your own, to start from
      zbo next my-campaign.yaml            run it by hand: what comes next; zbo tell records what came out
      zbo check my-campaign.yaml           is the file right? what may the planner ask for?
      zbo pause histories/ferrosim-curl    people have a say: also resume, approve, veto, inject, budget, stop
      zbo serve                            scheduled campaigns, unattended, on this machine
      zbo notify https://chat.example/...  who is called when one finishes, fails or stalls
      zbo parts                            what is installed: planners, decoders, executors ...

    \b
    Exit codes: 0 done, 1 anything else, 2 the campaign file or the command line is wrong,
    3 the history cannot be trusted or is in use, 4 stopped by a fatal error, 5 it waits for people, 130 interrupted.
    """


for _command in (
    run,
    histories.show,
    histories.report,
    pages,
    histories.export,
    histories.verify,
    histories.repair,
    histories.log,
    campaigns.parts,
    campaigns.check,
    campaigns.scan,
    compare,
    histories.rescore,
    campaigns.schema,
    serve,
    notify,
    simulate_instrument,
    certify,
    new_plugin,
    by_hand.tell,
):
    app.command()(_command)
app.command(name="next")(by_hand.next_trial)
for _asked in people.COMMANDS:
    app.command(context_settings={"ignore_unknown_options": _asked is people.inject})(_asked)  # -1.2 is no option


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line; every error of ours, or a full disk, is one readable text on stderr and an exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    _quieten()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Braille shows question marks, not a traceback
    try:
        app(args=[word for word in words if word != "--debug"], prog_name="zbo")
    except ZboError as error:
        _told(error, next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAILED), debug=debug)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _told(error, HISTORY, debug=debug)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else FAILED)
    leave(DONE)


def _told(error: Exception, code: int, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    typer.echo(f"zbo: {error}", err=True)
    leave(code)


def _quieten() -> None:
    """Our warnings as one readable line each; what other packages log is theirs to show."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("zbo: %(message)s"))
    logging.getLogger("zbo_orchestrator").handlers[:] = [handler]
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*")  # gpytorch's affair, not the user's
    warnings.formatwarning = lambda message, *_, **__: f"zbo: {message}\n"
