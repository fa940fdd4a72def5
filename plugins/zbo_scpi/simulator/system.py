"""Errors, status registers, lease, interlock, emergency stop, and the switches that no real instrument has."""

from __future__ import annotations

from zbo_orchestrator.model import ConfigurationError
from zbo_scpi.simulator.requests import Request, Restarting, Vocabulary
from zbo_scpi.simulator.status import ScpiError

SYSTEM = Vocabulary()
UNPROTECTED = ("SYSTem:LEASe", "SYSTem:ESTop", "SIMulator:")
"""What needs no lease: to announce one, to stop everything, to order faults."""


@SYSTEM.at("SYSTem:ERRor[:NEXT]?")
def _next_error(request: Request) -> str:
    return request.client.status.next_error()


@SYSTEM.at("SYSTem:ERRor:COUNt?")
def _errors(request: Request) -> str:
    return str(len(request.client.status.errors))


@SYSTEM.at("SYSTem:VERSion?")
def _version(request: Request) -> str:  # noqa: ARG001 (a constant)
    return "1999.0"


@SYSTEM.at("SYSTem:LEASe", 1)
def _announce(request: Request) -> None:
    """From now on this connection drives under that number."""
    generator, client = request.generator, request.client
    client.lease = request.whole(2**53)
    if client.lease < generator.lease:
        raise ScpiError(-203, f"lease {client.lease} is older than {generator.lease}")
    generator.lease = client.lease


@SYSTEM.at("SYSTem:LEASe?")
def _newest_lease(request: Request) -> str:
    return str(request.generator.lease)


@SYSTEM.at("SYSTem:ESTop")
def _stop_everything(request: Request) -> None:
    request.generator.stop_everything()


@SYSTEM.at("SYSTem:ESTop:RESet")
def _release(request: Request) -> None:
    request.generator.release()


@SYSTEM.at("SYSTem:ESTop?")
def _is_stopped(request: Request) -> str:
    return str(int(request.generator.emergency_stopped))


@SYSTEM.at("SYSTem:INTerlock?")
def _is_closed(request: Request) -> str:
    return str(int(request.generator.interlock_closed))


@SYSTEM.at("STATus:PRESet")
def _preset(request: Request) -> None:
    request.client.status.operation.enable = request.client.status.questionable.enable = 0


def _register(name: str, attribute: str) -> None:
    """The three queries and one command of a status register."""

    @SYSTEM.at(f"STATus:{name}[:EVENt]?")
    def _read(request: Request) -> str:
        return str(getattr(request.client.status, attribute).read())

    @SYSTEM.at(f"STATus:{name}:CONDition?")
    def _condition(request: Request) -> str:
        return str(getattr(request.client.status, attribute).condition)

    @SYSTEM.at(f"STATus:{name}:ENABle?")
    def _enabled(request: Request) -> str:
        return str(getattr(request.client.status, attribute).enable)

    @SYSTEM.at(f"STATus:{name}:ENABle", 1)
    def _enable(request: Request) -> None:
        getattr(request.client.status, attribute).enable = request.whole(32767)


_register("OPERation", "operation")
_register("QUEStionable", "questionable")


# --- SIMulator: what no real instrument has


@SYSTEM.at("SIMulator:FAULt", 1, 2)
def _order_fault(request: Request) -> None:
    times = request.whole(2**31, 1) if len(request.arguments) > 1 else float("inf")
    try:
        request.faults.switch_on(request.text(), times)
    except ConfigurationError as error:
        raise ScpiError(-224, str(error)) from error


@SYSTEM.at("SIMulator:FAULt?")
def _ordered(request: Request) -> str:
    return f'"{request.faults}"'


@SYSTEM.at("SIMulator:FAULt:CLEar")
def _no_fault(request: Request) -> None:
    request.faults.clear()


@SYSTEM.at("SIMulator:INTerlock", 1)
def _interlock(request: Request) -> None:
    request.generator.set_interlock(closed=request.choice("OPEN", "CLOSed") == "CLOS")


@SYSTEM.at("SIMulator:RESTart")
def _restart(request: Request) -> None:  # noqa: ARG001 (the server's affair)
    raise Restarting
