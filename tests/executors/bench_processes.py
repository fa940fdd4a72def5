"""The processes around a bench supply, and time-outs short enough to wait for."""

from __future__ import annotations

from bench_instrument import BenchSupply, Panel

from zbo_orchestrator.executors.lease import Lease, leases
from zbo_orchestrator.executors.timeouts import Timeouts

QUICK = Timeouts(heartbeat=2.0, ask=0.3, abort=0.3, safe=5.0, terminate=0.5)


def processes(panel: Panel) -> list[int]:
    """The guardian and the child that signed last."""
    signed = [Lease(path).pid for path in leases(BenchSupply(str(panel.file)))]
    return [pid for pid in signed if pid is not None]
