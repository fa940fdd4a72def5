"""What instruments promise beyond executing (see `promises`): to say what they are, to refuse, to stop, to be safe."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.instrument import Abortable, Checked, Connected, Described, Description, Healthy, Safe
from zbo_orchestrator.model import RefusedError, Stopped, Trajectory
from zbo_orchestrator.testing.meddling import BOUND, Meddled, Trial, outcome_of, told
from zbo_orchestrator.testing.promises import Broken, Seen, Untestable, trial
from zbo_orchestrator.testing.readings import compare, left_safe, outputs, words
from zbo_orchestrator.testing.runs import RecordedRun, scratch

_ANY_ORDER = "abort close connect connect abort safe_state safe_state close close safe_state abort connect safe_state"


def describes(instrument: Any, trajectory: Trajectory) -> Seen:
    """Its description names it, and the trajectory's channels."""
    description = _having(instrument, Described).describe()
    if not isinstance(description, Description) or not description.identity:
        raise Broken(f"describe returned {description!r}; wanted a Description with an identity")
    if description.channels != trajectory.channels:
        raise Broken(f"it drives {description.channels}; the trajectory {trajectory.channels}")
    return Seen(description.identity)


def checks(instrument: Any, trajectory: Trajectory) -> Seen:
    """`check` lets the trajectory pass, refuses what its description forbids, and changes and moves nothing."""
    envelope = _having(_having(instrument, Checked), Described).describe().envelope
    safe = instrument.safe_state() if isinstance(instrument, Safe) else {}
    before = pickle.dumps(instrument)
    instrument.check(trajectory)
    refused = []
    for limit, beyond in beyond_limits(trajectory, envelope):
        with suppress(RefusedError):
            instrument.check(beyond)
            raise Broken(f"check passed a trajectory beyond {limit}")
        refused.append(limit)
    if pickle.dumps(instrument) != before:
        raise Broken("check changed the instrument")
    compare(outputs(instrument, safe), safe)
    return Seen(f"refused what is beyond {', '.join(refused)}")


def bears_any_order(instrument: Any, trajectory: Trajectory) -> Seen:
    """connect, close, safe_state and abort may be repeated in any order, and the next trial measures."""
    _having(instrument, Safe)
    calls = [call for call in _ANY_ORDER.split() if hasattr(instrument, call)]
    for call in calls:
        getattr(instrument, call)(*["nothing runs"] if call == "abort" else [])
    trial(instrument, trajectory)
    return Seen(f"{len(calls)} calls, then a trial")


def is_safe_unasked(instrument: Any, trajectory: Trajectory) -> Seen:  # noqa: ARG001 (a promise is given both)
    """safe_state connects by itself, may be repeated, and reads back numbers."""
    seconds, readings = [], []
    for _ in range(3):
        began = time.monotonic()
        readings.append(dict(_having(instrument, Safe).safe_state()))
        seconds.append(time.monotonic() - began)
    if not readings[0] or not all(math.isfinite(value) for value in readings[0].values()):
        raise Broken(f"its safe state read back {readings[0]}; wanted finite numbers")
    for again in readings[1:]:
        compare(again, readings[0])
    return Seen(f"reads {words(readings[0])}", tuple(seconds))


def ends_aborted(instrument: Any, trajectory: Trajectory) -> Seen:
    """abort, called from another thread, returns at once and ends a trial by `Stopped`, the instrument safe after."""
    _having(instrument, Abortable)
    safe = instrument.safe_state() if isinstance(instrument, Safe) else {}
    outcome = outcome_of(instrument, trajectory, lambda: instrument.abort("the contract asked"))
    if not isinstance(outcome, Stopped):
        raise Broken(f"the aborted trial ended in {told(outcome)}; wanted Stopped")
    return Seen(f"ended by Stopped, {left_safe(instrument, safe)}")


def is_safe_once_stopped(instrument: Any, trajectory: Trajectory) -> Seen:
    """After a stop at the first report the instrument can be made safe, and is where it tells of its outputs."""
    safe = _having(instrument, Safe).safe_state()
    with suppress(Stopped):
        trial(instrument, trajectory, stop_at=1)
    return Seen(left_safe(instrument, safe))


def pickles_unconnected(instrument: Any, trajectory: Trajectory) -> Seen:
    """The copy of a connected instrument needs nothing of the original."""
    _having(instrument, Connected).connect()
    copy = pickle.loads(pickle.dumps(instrument))
    instrument.close()
    try:
        trial(copy, trajectory)
    finally:
        copy.close()
    return Seen("its copy measures after it was closed itself")


def runs_one_trial_at_a_time(instrument: Any, trajectory: Trajectory) -> Seen:
    """A second trial, begun while one runs, waits or is refused."""
    _having(instrument, Safe)
    with scratch() as ours, scratch() as others:
        second = RecordedRun(scratch=others, stop_at=1)
        other = Trial(instrument, trajectory, second)

        def begin() -> None:
            other.start()
            other.join(0.3)  # long enough to begin, if it may

        run = Meddled(scratch=ours, meddle=begin, during=lambda: len(second.reports), stops=True)
        with suppress(Stopped):
            instrument.execute(trajectory, run)
        if other.ident is not None:
            other.join(BOUND)
    if run.seen is None:
        raise Untestable("it reports nothing: no second trial can be begun in the middle of one")
    if run.seen:
        raise Broken("two trials drove it at once")
    return Seen("a second trial waited or was refused")


def tells_its_health(instrument: Any, trajectory: Trajectory) -> Seen:  # noqa: ARG001 (a promise is given both)
    """health tells numbers."""
    health = dict(_having(instrument, Healthy).health())
    if not health or not all(math.isfinite(value) for value in health.values()):
        raise Broken(f"health is {health}; wanted finite numbers")
    return Seen(words(health))


def beyond_limits(trajectory: Trajectory, envelope: Envelope) -> Iterator[tuple[str, Trajectory]]:
    """Trajectories that are each beyond one limit, by its name; and one that is not finite."""
    for index, channel in enumerate(trajectory.channels):
        limits = envelope.channels.get(channel.name)
        for name, side in (("lower", -1), ("upper", 1)):
            limit = getattr(limits, name, math.inf)
            if math.isfinite(limit):
                yield f"{channel.name}.{name}", _with_peak(trajectory, index, limit + side * max(abs(limit), 1.0) / 10)
        change = np.abs(np.diff(trajectory.values[:, index])).max(initial=0.0)
        if limits is not None and math.isfinite(limits.slew) and change > 0:
            yield f"{channel.name}.slew", replace(trajectory, dt=change / limits.slew / 1.1)
    if math.isfinite(envelope.duration):
        yield "duration", replace(trajectory, dt=1.1 * envelope.duration / trajectory.steps)
    yield "all numbers", _with_peak(trajectory, 0, math.nan)


def _with_peak(trajectory: Trajectory, channel: int, value: float) -> Trajectory:
    values = np.array(trajectory.values)
    values[len(values) // 2, channel] = value
    return replace(trajectory, values=values)


def _having(instrument: Any, protocol: type) -> Any:
    if not isinstance(instrument, protocol):
        raise Untestable(f"it is not {protocol.__name__} (see zbo_orchestrator.instrument)")
    return instrument
