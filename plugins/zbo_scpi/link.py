"""How to reach the instrument that is meant, and no other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from zbo_orchestrator.model import FatalError, TransientError
from zbo_scpi.connection import Connection, Opening, visa
from zbo_scpi.dialect import Dialect
from zbo_scpi.driver import Driver
from zbo_scpi.outputs import Output

_AGAIN = 0.1
"""Seconds between two attempts to reach an instrument that has to be made safe."""


@dataclass(frozen=True, slots=True)
class Link:
    """Opens connections; `identity` is what has to answer, empty for anything, `lease` what to announce, 0 for none."""

    resource: str
    backend: str
    timeout: float
    identity: str
    dialect: Dialect
    outputs: tuple[Output, ...]
    lease: int
    opening: Opening = visa

    def open(self) -> Driver:
        """A connection that is ready to be driven; `FatalError` where another instrument answers."""
        driver = Driver(Connection(self.resource, self.backend, self.timeout, self.opening), self.dialect, self.outputs)
        try:
            self._refuse_stranger(driver)
            driver.prepare(self.lease)
        except BaseException:
            driver.connection.close()
            raise
        return driver

    @contextmanager
    def fresh(self) -> Iterator[Driver]:
        """A connection that is closed again."""
        driver = self.open()
        try:
            yield driver
        finally:
            driver.connection.close()

    def make_safe(self, reach: float) -> Mapping[str, float]:
        """Outputs off over a fresh connection, read back; `FatalError` where none can be had in `reach` seconds."""
        until = time.monotonic() + reach
        while True:
            try:
                with self.fresh() as driver:
                    return driver.make_safe()
            except TransientError as error:
                if time.monotonic() >= until:
                    raise FatalError(f"nobody can tell whether the outputs are off: {error}") from error
            time.sleep(_AGAIN)

    def _refuse_stranger(self, driver: Driver) -> None:
        met = driver.identify()
        if self.identity and met != self.identity:
            raise FatalError(f"{self.resource} is {met!r}; wanted {self.identity!r}; nothing was sent to it")
