"""A flow run whose worker died with it cannot say so: the run that goes on with its history does."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.states import Crashed

from zbo_flows import absence
from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History

_UNDER_WAY = (StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)


class Succession(Watcher):
    """Notes beside the history which flow run writes it, and ends in Prefect one that was noted there and is gone."""

    def __init__(self, run: UUID) -> None:
        self._run = run

    def opened(self, history: History) -> None:
        """Whoever had the history's lock has let go of it: it is ours. Its process may still be saying goodbye."""
        note = history.path.beside(".flow-run")
        before = _noted(note)
        fresh = note.with_name(f"{note.name}.part")
        pid = os.getpid()
        ours = {"flow_run": str(self._run), "host": socket.gethostname(), "pid": pid, "process": _process(pid)}
        try:
            fresh.write_text(json.dumps(ours))
            fresh.replace(note)
        except OSError as full:
            get_run_logger().warning("%s cannot be written: %s; should this run die, it stays Running", note, full)
        if before and before["host"] == socket.gethostname() and before["process"] != _process(before["pid"]):
            with absence.outlived("the end of the run before"):
                self._end(UUID(before["flow_run"]))

    def _end(self, run: UUID) -> None:
        with get_client(sync_client=True) as client:
            try:
                state = client.read_flow_run(run).state
            except ObjectNotFound:  # deleted since, or another server's
                return
            if state is not None and state.type in _UNDER_WAY:
                said = f"its process is gone; flow run {self._run} goes on with its history"
                client.set_flow_run_state(run, Crashed(message=said), force=True)
                get_run_logger().warning("flow run %s wrote this history before: %s", run, said)


def _noted(note: Path) -> dict[str, Any]:
    """Who wrote the history before; empty where nobody did, or a power cut left no whole note."""
    try:
        noted = json.loads(note.read_text())
        return {name: noted[name] for name in ("flow_run", "host", "pid")} | {"process": noted.get("process")}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as broken:
        get_run_logger().warning("%s does not say which run was before: %s", note, broken)
        return {}


def _process(pid: int) -> str | None:
    """Tells a process that lives from all others that have had its id; None: it is gone, or nothing tells here.

    Ids come again after a restart, of a container above all: what is added is when the machine and the process began.
    """
    try:
        began = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return f"{boot} {pid} {began}"
