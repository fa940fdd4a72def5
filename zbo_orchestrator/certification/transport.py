"""Faults in the connection to an instrument: what becomes of the trial, and of the output."""

from __future__ import annotations

import pickle
import re
from typing import Any

from zbo_orchestrator.certification.proxy import Fault, Proxy
from zbo_orchestrator.instrument import Addressed, Connected, Safe
from zbo_orchestrator.model import ExecutionError, Measurement, Trajectory, TransientError
from zbo_orchestrator.testing.meddling import outcome_of, told
from zbo_orchestrator.testing.promises import Broken, Seen, Untestable
from zbo_orchestrator.testing.readings import left_safe

_SOCKET = re.compile(r"TCPIP\d*::(?P<host>[^:]+)::(?P<port>\d+)::SOCKET", re.IGNORECASE)
_OUTCOMES: dict[Fault, tuple[type, ...]] = {"delay": (TransientError, Measurement), "garbage": (ExecutionError,)}
"""What a trial may come to, beside `TransientError`: an answer that means nothing may be nothing that passes."""


def bears(fault: Fault, instrument: Any, trajectory: Trajectory) -> Seen:
    """A fault in mid-trial ends it by the right error, and the outputs then read as safe over a direct connection."""
    host, port = _address(instrument)
    safe = instrument.safe_state() if isinstance(instrument, Safe) else {}
    if isinstance(instrument, Connected):
        instrument.close()
    with Proxy(host, port) as proxy:
        outcome = outcome_of(_through(proxy, instrument), trajectory, lambda: proxy.order(fault), at=2)
        if not proxy.used:
            raise Untestable("its connection does not follow its resource")
        if not proxy.struck:
            raise Untestable("its instrument answered nothing after the second report")
        if not isinstance(outcome, _OUTCOMES.get(fault, (TransientError,))):
            wanted = " or ".join(kind.__name__ for kind in _OUTCOMES.get(fault, (TransientError,)))
            raise Broken(f"the trial ended in {told(outcome)}; wanted {wanted}")
    return Seen(f"{told(outcome)}; then {left_safe(instrument, safe)}")


def _address(instrument: Any) -> tuple[str, int]:
    if not isinstance(instrument, Addressed):
        raise Untestable("it does not say where its instrument is (see zbo_orchestrator.instrument.Addressed)")
    found = _SOCKET.fullmatch(instrument.resource)
    if found is None:
        raise Untestable(f"its resource is {instrument.resource}; faults are injected into TCPIP::HOST::PORT::SOCKET")
    return found["host"], int(found["port"])


def _through(proxy: Proxy, instrument: Any) -> Any:
    """The same executor, its fencing number included, with the proxy for its instrument."""
    twin = pickle.loads(pickle.dumps(instrument))
    try:
        twin.resource = proxy.resource
    except AttributeError as fixed:
        raise Untestable(f"its resource cannot be set to the proxy's: {fixed}") from fixed
    return twin
