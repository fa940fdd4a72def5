"""The common commands of IEEE 488.2, those with a star."""

from __future__ import annotations

from zbo_scpi.simulator.requests import Request, Vocabulary

COMMON = Vocabulary()
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
