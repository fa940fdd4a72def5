"""What is put to the test, in which order, and what has to hold before it can be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from zbo_orchestrator.certification import transport
from zbo_orchestrator.certification.latency import aborts_soon
from zbo_orchestrator.certification.proxy import FAULTS
from zbo_orchestrator.certification.rehearsal import Keep
from zbo_orchestrator.testing import instrument_promises as instruments
from zbo_orchestrator.testing import promises as executors


@dataclass(frozen=True, slots=True)
class Task:
    """One promise; `needs` names tasks that have to pass before, `moves` tells whether it runs a trial."""

    section: str
    name: str
    keep: Keep
    needs: tuple[str, ...] = ()
    moves: bool = True


MEASURES = "a trial ends in a measurement"
ABORTS = "an abort ends a trial by Stopped"
_AFTER = (MEASURES,)

ROUTINE: tuple[Task, ...] = (
    Task("contract", "describes itself", instruments.describes, moves=False),
    Task("contract", "safe state without a connection", instruments.is_safe_unasked, moves=False),
    Task("contract", "tells its health", instruments.tells_its_health, moves=False),
    Task("contract", "check refuses and moves nothing", instruments.checks, moves=False),
    Task("contract", MEASURES, executors.measures),
    Task("contract", "measures numbers", executors.measures_numbers, _AFTER),
    Task("contract", "every trial has one shape", executors.keeps_its_shape, _AFTER),
    Task("contract", "the same seed measures the same", executors.repeats, _AFTER),
    Task("contract", "survives pickling", executors.survives_pickling, _AFTER),
    Task("contract", "its copy is not connected", instruments.pickles_unconnected, _AFTER),
    Task("contract", "a stop is not swallowed", executors.obeys_a_stop, _AFTER),
    Task("contract", "safe after a stop", instruments.is_safe_once_stopped, _AFTER),
    Task("contract", ABORTS, instruments.ends_aborted, _AFTER),
    Task("contract", "calls in any order", instruments.bears_any_order, _AFTER),
    Task("contract", "one trial at a time", instruments.runs_one_trial_at_a_time, _AFTER),
    Task("contract", "leaves nothing behind", executors.leaves_nothing, _AFTER),
    Task("latency", "abort to outputs safe", aborts_soon, (MEASURES, ABORTS)),
    *(Task("transport", fault, partial(transport.bears, fault), _AFTER) for fault in FAULTS),
)
