"""The common commands of IEEE 488.2, and SCPI's status, error, lease, interlock and stop."""

from __future__ import annotations

from zbo_orchestrator.model import ConfigurationError
from zbo_scpi.simulator.requests import Request, Restarting, Vocabulary
from zbo_scpi.simulator.status import ScpiError

COMMON = Vocabulary()
UNPROTECTED = ("SYSTem:LEASe", "SYSTem:ESTop", "SIMulator:")
"""What needs no lease: to announce one, to stop everything, to order faults."""
_LOOK = 0.1
"""Seconds between two looks at whether a client that waits is still there."""


@COMMON.at("*IDN?")
def _identity(request: Request) -> str:
    other = request.faults.strikes("wrong-identity", {"*IDN?"})
    return "ANOTHER,INSTRUMENT,1,1.0" if other else request.identity


@COMMON.at("*RST")
def _reset(request: Request) -> None:
    request.generator.reset()


@COMMON.at("*CLS")
def _clear(request: Request) -> None:
    request.client.status.clear()


@COMMON.at("*ESE", 1)
def _enable_events(request: Request) -> None:
    request.client.status.event_enable = request.whole(255)


@COMMON.at("*ESE?")
def _enabled_events(request: Request) -> str:
    return str(request.client.status.event_enable)


@COMMON.at("*ESR?")
def _events(request: Request) -> str:
    return str(request.client.status.read_event())


@COMMON.at("*SRE", 1)
def _enable_service(request: Request) -> None:
    request.client.status.service_enable = request.whole(255) & ~64


@COMMON.at("*SRE?")
def _enabled_service(request: Request) -> str:
    return str(request.client.status.service_enable)


@COMMON.at("*STB?")
def _status_byte(request: Request) -> str:
    return str(request.client.status.byte)


@COMMON.at("*OPC")
def _tell_when_complete(request: Request) -> None:
    request.client.status.awaiting = True
    if not request.generator.pending:
        request.client.status.completed()


@COMMON.at("*OPC?")
def _complete(request: Request) -> str:
    _wait(request)
    return "1"


@COMMON.at("*WAI")
def _wait(request: Request) -> None:
    while not request.generator.wait(_LOOK) and not request.client.gone.is_set():
        pass


@COMMON.at("*TST?")
def _self_test(request: Request) -> str:  # noqa: ARG001 (nothing in it can break)
    return "0"


@COMMON.at("*TRG")
def _trigger(request: Request) -> None:
    request.generator.trigger()


# --- SYSTem and STATus


@COMMON.at("SYSTem:ERRor[:NEXT]?")
def _next_error(request: Request) -> str:
    return request.client.status.next_error()


@COMMON.at("SYSTem:ERRor:COUNt?")
def _errors(request: Request) -> str:
    return str(len(request.client.status.errors))


@COMMON.at("SYSTem:VERSion?")
def _version(request: Request) -> str:  # noqa: ARG001 (a constant)
    return "1999.0"


@COMMON.at("SYSTem:LEASe", 1)
def _announce(request: Request) -> None:
    """From now on this connection drives under that number."""
    generator, client = request.generator, request.client
    client.lease = request.whole(2**53)
    if client.lease < generator.lease:
        raise ScpiError(-203, f"lease {client.lease} is older than {generator.lease}")
    generator.lease = client.lease


@COMMON.at("SYSTem:LEASe?")
def _newest_lease(request: Request) -> str:
    return str(request.generator.lease)


@COMMON.at("SYSTem:ESTop")
def _stop_everything(request: Request) -> None:
    request.generator.stop_everything()


@COMMON.at("SYSTem:ESTop:RESet")
def _release(request: Request) -> None:
    request.generator.release()


@COMMON.at("SYSTem:ESTop?")
def _is_stopped(request: Request) -> str:
    return str(int(request.generator.emergency_stopped))


@COMMON.at("SYSTem:INTerlock?")
def _is_closed(request: Request) -> str:
    return str(int(request.generator.interlock_closed))


@COMMON.at("STATus:PRESet")
def _preset(request: Request) -> None:
    request.client.status.operation.enable = request.client.status.questionable.enable = 0


def _register(name: str, attribute: str) -> None:
    """The three queries and one command of a status register."""

    @COMMON.at(f"STATus:{name}[:EVENt]?")
    def _read(request: Request) -> str:
        return str(getattr(request.client.status, attribute).read())

    @COMMON.at(f"STATus:{name}:CONDition?")
    def _condition(request: Request) -> str:
        return str(getattr(request.client.status, attribute).condition)

    @COMMON.at(f"STATus:{name}:ENABle?")
    def _enabled(request: Request) -> str:
        return str(getattr(request.client.status, attribute).enable)

    @COMMON.at(f"STATus:{name}:ENABle", 1)
    def _enable(request: Request) -> None:
        getattr(request.client.status, attribute).enable = request.whole(32767)


_register("OPERation", "operation")
_register("QUEStionable", "questionable")


# --- SIMulator: what no real instrument has


@COMMON.at("SIMulator:FAULt", 1, 2)
def _order_fault(request: Request) -> None:
    times = request.whole(2**31, 1) if len(request.arguments) > 1 else float("inf")
    try:
        request.faults.switch_on(request.text(), times)
    except ConfigurationError as error:
        raise ScpiError(-224, str(error)) from error


@COMMON.at("SIMulator:FAULt?")
def _ordered(request: Request) -> str:
    return f'"{request.faults}"'


@COMMON.at("SIMulator:FAULt:CLEar")
def _no_fault(request: Request) -> None:
    request.faults.clear()


@COMMON.at("SIMulator:INTerlock", 1)
def _interlock(request: Request) -> None:
    request.generator.set_interlock(closed=request.choice("OPEN", "CLOSed") == "CLOS")


@COMMON.at("SIMulator:RESTart")
def _restart(request: Request) -> None:  # noqa: ARG001 (the server's affair)
    raise Restarting
