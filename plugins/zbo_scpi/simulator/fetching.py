"""The queries that fetch what the specimen answered, and what it was that it answered."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zbo_orchestrator.model import Array
from zbo_scpi.simulator.requests import Request, Vocabulary
from zbo_scpi.simulator.status import ScpiError

FETCHING = Vocabulary()


@FETCHING.at("FETCh:CATalog?")
def _catalog(request: Request) -> str:
    return _quoted(request.generator.response().arrays)


@FETCHING.at("FETCh:DATA?", 1)
def _data(request: Request) -> bytes:
    values = np.array(_array(request), np.float64)
    if request.faults.strikes("nan", {"FETCh:DATA?"}):
        values.flat[0] = np.nan
    return request.doubles(values)


@FETCHING.at("FETCh:DATA:SHAPe?", 1)
def _dimensions(request: Request) -> str:
    return ",".join(map(str, _array(request).shape))


@FETCHING.at("FETCh:DATA:AXES?", 1)
def _axes(request: Request) -> str:
    _array(request)
    return _quoted(request.generator.response().dims[request.text()])


@FETCHING.at("FETCh:DATA:UNIT?", 1)
def _unit(request: Request) -> str:
    _array(request)
    return f'"{request.generator.response().units.get(request.text(), "")}"'


@FETCHING.at("FETCh:APPLied#?")
def _applied(request: Request) -> bytes:
    """What was at the output during the last run, in volts."""
    request.output  # noqa: B018  refuses a number that is no output's
    executed = request.generator.response().executed
    if executed is None:
        raise ScpiError(-230, "what was applied is not known")
    return request.doubles(executed.values[:, request.number - 1])


def _array(request: Request) -> Array:
    arrays = request.generator.response().arrays
    if request.text() not in arrays:
        raise ScpiError(-224, f"no {request.text()}; there is {', '.join(arrays)}")
    return arrays[request.text()]


def _quoted(names: Iterable[str]) -> str:
    return ",".join(f'"{name}"' for name in names)
