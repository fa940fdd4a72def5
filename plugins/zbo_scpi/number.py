"""The interlock reading `scpi-number`: what an instrument answers to one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, MinLen

from zbo_scpi.connection import Connection, check_resource


@dataclass(frozen=True)
class ScpiNumber:
    """A number over a connection of its own that is closed again; not of an instrument that bears one connection only.

    resource   its VISA name
    query      such as MEASure:TEMPerature?
    timeout    seconds to wait for an answer
    backend    VISA library: @py for pyvisa-py, empty for the one that is installed
    """

    resource: str
    query: Annotated[str, MinLen(1)]
    unit: str = ""
    timeout: Annotated[float, Gt(0)] = 2.0
    backend: str = "@py"

    def __post_init__(self) -> None:
        check_resource(self.resource)

    def reading(self) -> float:
        connection = Connection(self.resource, self.backend, self.timeout)
        try:
            return connection.number(self.query)
        finally:
            connection.close()
