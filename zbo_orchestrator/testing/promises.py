"""What executors promise, one function a promise: kept by the contracts to subclass and by `zbo certify` alike.

A promise is given an executor that nobody else uses and a trajectory it can run; it returns what was seen, in words,
or raises `Broken`, or `Untestable` where the executor has nothing to be tested by.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import tracemalloc
import unittest
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zbo_orchestrator.model import Executor, Measurement, Stopped, Trajectory
from zbo_orchestrator.testing.runs import RecordedRun, same, scratch

TRIALS = 4
"""Trials after which what each of them leaves behind is told from what the first ones set up."""
MEMORY = 256 * 1024
"""Bytes that a trial may leave behind: caches fill, records grow."""
_DESCRIPTORS = Path("/proc/self/fd")


class Broken(AssertionError):  # noqa: N818 (an outcome more than an error)
    """A promise that was not kept, and what was seen instead."""


class Untestable(unittest.SkipTest):
    """Why a promise cannot be put to the test; pytest counts it as skipped."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a promise that was kept, in words, and the seconds that each of its tries took."""

    said: str
    seconds: tuple[float, ...] = ()


def trial(executor: Executor, trajectory: Trajectory, **run: Any) -> Measurement:
    """One trial under a `RecordedRun` of these values, in a folder that goes again."""
    with scratch() as folder:
        measured = executor.execute(trajectory, RecordedRun(scratch=folder, **run))
    if not isinstance(measured, Measurement):
        raise Broken(f"execute returned {type(measured).__name__}; wanted a Measurement")
    return measured


def measures(executor: Executor, trajectory: Trajectory) -> Seen:
    """A trial ends in a measurement, and whether trials may be repeated is said by a bool."""
    began = time.monotonic()
    measured = trial(executor, trajectory)
    repeatable = getattr(executor, "repeatable", False)
    if not isinstance(repeatable, bool):
        raise Broken(f"repeatable is {repeatable!r}; wanted True or False")
    arrays = ", ".join(f"{name} {list(array.shape)}" for name, array in measured.arrays.items())
    return Seen(f"measured {arrays}", (time.monotonic() - began,))


def measures_numbers(executor: Executor, trajectory: Trajectory) -> Seen:
    """Every measured array of numbers has at least one that is finite."""
    arrays = trial(executor, trajectory).arrays
    for name, array in arrays.items():
        if array.dtype.kind in "fc" and array.size and not np.isfinite(array).any():
            raise Broken(f"measured {name} holds no finite number in {array.size}")
    return Seen(f"{len(arrays)} arrays hold numbers")


def keeps_its_shape(executor: Executor, trajectory: Trajectory) -> Seen:
    """Every trial's arrays have the names, shapes and types of the first trial's."""
    one, other = (_form(trial(executor, trajectory, number=number)) for number in range(2))
    if one != other:
        raise Broken(f"the second trial measured {other}; the first {one}")
    return Seen("two trials alike in names, shapes and types")


def repeats(executor: Executor, trajectory: Trajectory) -> Seen:
    """An executor that calls itself repeatable measures the same bits for the same seed."""
    if not getattr(executor, "repeatable", False):
        raise Untestable("it is not repeatable, as it says")
    one, other = (trial(executor, trajectory, number=number, seed=5) for number in (1, 2))
    if not same(one, other):
        raise Broken("two trials with one seed differ, of an executor that says it is repeatable")
    return Seen("two trials with one seed have the same bits")


def survives_pickling(executor: Executor, trajectory: Trajectory) -> Seen:
    """A copy that went through pickle measures too: that is how an executor reaches its process."""
    trial(pickle.loads(pickle.dumps(executor)), trajectory)
    return Seen("its copy measures")


def obeys_a_stop(executor: Executor, trajectory: Trajectory) -> Seen:
    """`Stopped`, raised by a report, ends the trial and comes out of `execute`."""
    with scratch() as folder:
        run = RecordedRun(scratch=folder, stop_at=1)
        try:
            executor.execute(trajectory, run)
        except Stopped:
            return Seen("stopped at its first report")
    if not run.reports:
        raise Untestable("it reports nothing: only force ends its trials")
    raise Broken(f"it was told to stop at its first report, and went on for {len(run.reports) - 1} more")


def leaves_nothing(executor: Executor, trajectory: Trajectory) -> Seen:
    """No trial leaves a file, a thread or memory behind."""
    for _ in range(2):
        trial(executor, trajectory)
    tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        threads = threading.active_count()
        before = _held(threads)
        for _ in range(TRIALS):
            trial(executor, trajectory)
        after = _held(threads)
    finally:
        if not tracing:
            tracemalloc.stop()
    allowed = {"files": TRIALS - 1, "threads": TRIALS - 1, "bytes": TRIALS * MEMORY}
    left = {name: after[name] - before[name] for name in before if after[name] - before[name] > allowed[name]}
    if left:
        said = ", ".join(f"{count} {name}" for name, count in left.items())
        raise Broken(f"{TRIALS} trials left {said} behind")
    return Seen(f"{TRIALS} trials left no {', '.join(before)} behind")


def _held(threads: int) -> Mapping[str, int]:
    """What this process holds; files only where the system counts them. Threads beyond so many get time to end."""
    until = time.monotonic() + 0.5
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.01)
    held = {"threads": threading.active_count(), "bytes": tracemalloc.get_traced_memory()[0]}
    return {"files": len(os.listdir(_DESCRIPTORS)), **held} if _DESCRIPTORS.is_dir() else held  # noqa: PTH208


def _form(measured: Measurement) -> Mapping[str, tuple[tuple[int, ...], str]]:
    return {name: (array.shape, str(array.dtype)) for name, array in measured.arrays.items()}
