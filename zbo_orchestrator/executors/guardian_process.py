"""The guardian: outlives a campaign's process and its child, and makes the instrument safe when both are gone or hung.

`python -m zbo_orchestrator.executors.guardian_process DESCRIPTOR`, started by `guardian.Guardian`: in a session of its
own, deaf to all signals but SIGKILL, connected only while it makes safe, gone when there is nothing left to guard.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from zbo_orchestrator.arming import Stranger
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.lease import Lease, leases
from zbo_orchestrator.executors.line import Line
from zbo_orchestrator.executors.messages import (
    Allow,
    Charge,
    Made,
    MakeSafe,
    Permit,
    Release,
    Waiting,
    read_back,
)
from zbo_orchestrator.instrument import Connected, Described, Description, Fenced
from zbo_orchestrator.model import FatalError, TransientError, ZboError

Result = TypeVar("Result")


class Guard:
    """Holds the lease of one instrument for one campaign."""

    def __init__(self, line: Line, device: Any, charge: Charge) -> None:
        self._line, self._device, self._words = line, device, charge.words
        self._timeouts, self._arming = charge.timeouts, charge.arming
        guardian, driver = leases(device)
        self._lease, self._driver = Lease(guardian), Lease(driver)

    def begin(self) -> Made:
        """Take the lease once whoever had it is done, and find the instrument safe before anything drives it."""
        for lease in (self._lease, self._driver):
            lease.take(f"the guardian of {self._words}", self._timeouts.lease, self._waiting)
        self._in_time(self._recognised, "cannot be recognised")
        made = self.make_safe()
        self._driver.release()
        return made

    def keep(self) -> None:
        """Serve the campaign until it releases the instrument, or is gone."""
        try:
            while True:
                match self._line.receive(self._timeouts.beat):
                    case MakeSafe():
                        self._line.send(self._made_or_not())
                    case Allow():
                        words = f"the child of {self._words}"
                        self._line.send(Permit(self._driver.path, self._lease.number(), words))
                    case Release():
                        return None
                    case None if self._line.silence > self._timeouts.heartbeat:
                        return self._take_over(f"was not heard of for {self._timeouts.heartbeat:g} s")
        except EOFError:
            return self._take_over("is gone")

    def make_safe(self) -> Made:
        """Under a new fencing number and within the time allowed; raises `FatalError` where it is not safe then."""
        return self._in_time(self._driven_safe, "cannot be made safe")

    def _in_time(self, act: Callable[[], Result], failed: str) -> Result:
        """What `act` returns, from a thread of its own: one that hangs is left behind."""
        came: list[tuple[Result] | ZboError] = []

        def attempt() -> None:
            try:
                came.append((act(),))
            except (FatalError, Stranger) as refused:
                came.append(refused)
            except BaseException as error:  # noqa: BLE001 (raised again by whoever waits)
                came.append(FatalError(f"the instrument {failed}: {type(error).__name__}: {error}"))

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(self._timeouts.safe)
        if not came:
            raise FatalError(f"the instrument {failed} in {self._timeouts.safe:g} s")
        if isinstance(came[0], ZboError):
            raise came[0]
        return came[0][0]

    def _recognised(self) -> None:
        """Raise `Stranger` for another instrument than the campaign's; it is asked, and nothing moves."""
        if self._arming is not None:
            self._arming.admit(self._described())

    def _described(self) -> Description | None:
        """What the instrument says it is; one that cannot be reached just now is tried again."""
        until = time.monotonic() + self._timeouts.safe / 2
        while True:
            self._fence()
            try:
                if isinstance(self._device, Connected):
                    self._device.connect()
                return self._device.describe() if isinstance(self._device, Described) else None
            except TransientError:
                if time.monotonic() > until:
                    raise
                time.sleep(self._timeouts.beat)
            finally:
                self._disconnect()

    def _driven_safe(self) -> Made:
        self._fence()
        made = Made(read_back(self._device.safe_state()))
        self._disconnect()
        return made

    def _fence(self) -> None:
        if isinstance(self._device, Fenced):
            self._device.fence(self._lease.number())

    def _disconnect(self) -> None:
        """An instrument may bear one connection only."""
        if isinstance(self._device, Connected):
            self._device.close()

    def _made_or_not(self) -> Made | FatalError:
        try:
            return self.make_safe()
        except FatalError as refused:
            return refused

    def _take_over(self, fate: str) -> None:
        """See the child off, then make safe, again and again for as long as a new campaign would wait."""
        self._lease.sign(f"the guardian of {self._words}, whose process {fate}, making the instrument safe")
        self._see_off()
        deadline = time.monotonic() + self._timeouts.lease
        while True:
            try:
                return self._lease.sign(f"the guardian of {self._words}: {self.make_safe().words}")
            except FatalError as refused:
                self._lease.sign(f"the guardian of {self._words}, whose instrument is NOT safe: {refused}")
                if time.monotonic() > deadline:
                    raise
                time.sleep(self._timeouts.beat)

    def _see_off(self) -> None:
        """The child makes safe by itself if it can; one that still holds the driver's lock after a while is killed."""
        if not self._driver.free(self._timeouts.abort):
            if self._driver.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(self._driver.pid, signal.SIGKILL)  # a stopped process dies of it too
            self._driver.free(self._timeouts.terminate)

    def _waiting(self, words: str) -> None:
        self._line.send(Waiting(words))


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    line = Line(Connection(int(sys.argv[1])))
    charge: Charge = line.receive()
    sys.path[:] = charge.path
    try:
        guard = Guard(line, bare(pickle.loads(charge.executor)), charge)
        made = guard.begin()
    except Exception as error:  # noqa: BLE001 (raised again in the campaign's process)
        line.send(error if isinstance(error, ZboError) else FatalError(f"{type(error).__name__}: {error}"))
        sys.exit(1)
    line.send(made)
    guard.keep()


if __name__ == "__main__":
    main()
