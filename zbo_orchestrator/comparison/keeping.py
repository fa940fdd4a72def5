"""Measurements kept as soon as they are taken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from zbo_orchestrator.history.charter import form_of, trajectory_of
from zbo_orchestrator.kept import keep, kept
from zbo_orchestrator.model import (
    Array,
    BatchExecutor,
    ExecutionError,
    Executor,
    Measurement,
    Run,
    Trajectory,
)

_PREFIX = "measured "


def packed(measurement: Measurement) -> dict[str, Array]:
    """A measurement as plain arrays: its own under prefixed names, its form as JSON, what was executed."""
    executed = measurement.executed
    form = {
        "dims": {name: list(dims) for name, dims in measurement.dims.items()},
        "units": dict(measurement.units),
        "executed": None if executed is None else form_of(executed),
    }
    arrays = {_PREFIX + name: array for name, array in measurement.arrays.items()}
    arrays["form"] = np.array(json.dumps(form))
    return arrays if executed is None else {**arrays, "executed": executed.values}


def unpacked(arrays: Mapping[str, Array]) -> Measurement:
    """The measurement that was packed."""
    form = json.loads(str(arrays["form"]))
    measured = {name.removeprefix(_PREFIX): each for name, each in arrays.items() if name.startswith(_PREFIX)}
    dims = {name: tuple(axes) for name, axes in form["dims"].items()}
    executed = None if form["executed"] is None else trajectory_of(arrays["executed"], form["executed"])
    return Measurement(measured, dims, form["units"], executed)


def measurement_of(folder: Path, digest: str) -> Measurement | None:
    """What was kept under a digest; None where nothing was."""
    arrays = kept(digest, folder)
    return None if arrays is None else unpacked(arrays)


def keeper(executor: Executor, folder: Path, digests: Mapping[int, str]) -> Executor:
    """The same executor, keeping what each run measures under the digest of its number."""
    if isinstance(executor, BatchExecutor):
        return BatchKeeper(executor, folder, digests)
    return Keeper(executor, folder, digests)


class Keeper:
    """Keeps each measurement itself, since an observer may wait for the whole batch before he passes any on."""

    def __init__(self, executor: Executor, folder: Path, digests: Mapping[int, str]) -> None:
        self._executor = executor
        self._folder = folder
        self._digests = digests
        self.repeatable = bool(getattr(executor, "repeatable", False))

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        return self._keep(run, self._executor.execute(trajectory, run))

    def _keep(self, run: Run, measurement: Measurement) -> Measurement:
        keep(self._digests[run.number], packed(measurement), self._folder)
        return measurement


class BatchKeeper(Keeper):
    """The same for one that takes batches."""

    _executor: BatchExecutor

    def __init__(self, executor: BatchExecutor, folder: Path, digests: Mapping[int, str]) -> None:
        super().__init__(executor, folder, digests)
        self.capacity = executor.capacity

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        for index, result in self._executor.execute_many(trajectories, runs):
            yield index, result if isinstance(result, ExecutionError) else self._keep(runs[index], result)
