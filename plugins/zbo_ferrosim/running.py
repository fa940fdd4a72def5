"""How trials become batches of lattices, and their outcomes measurements: what the executors have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from zbo_ferrosim.batch import Batch, Outcome
from zbo_ferrosim.block import finish
from zbo_ferrosim.lanes import LANES
from zbo_ferrosim.physics import curl
from zbo_ferrosim.simulator import FerroSim
from zbo_ferrosim.specimen import Specimen
from zbo_orchestrator.model import Array, ExecutionError, Measurement, Run, Trajectory

DIMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "polarization": ("component", "x", "y"),
        "curl": ("x", "y"),
        "total_polarization": ("component", "time"),
        "field": ("component", "time"),
        "frames": ("frame", "component", "x", "y"),
        "frame_time": ("frame",),
    }
)
UNITS = MappingProxyType({name: "Ec" if name == "field" else "" for name in DIMS})


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """What one trial asks of a lattice: fields[step, 2] in Ec, one step every dt, and the trajectory that this was."""

    simulation: FerroSim
    fields: Array
    dt: float
    executed: Trajectory


@dataclass(frozen=True, kw_only=True)
class LatticeExecutor(Specimen):
    """Runs lattices in batches over all cores; running a trial twice harms nothing.

    A trial has the same numbers, bit for bit, alone or anywhere in a batch. One that blows up or is stopped ends alone.
    """

    repeatable = True
    capacity = 256

    @abstractmethod
    def drive(self, trajectory: Trajectory, run: Run) -> Drive:
        """What a trajectory means; raises `ExecutionError` for one that means nothing."""

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Run one trial; raises `ExecutionError` where its lattice blows up, saying when."""
        ((_, outcome),) = self.execute_many([trajectory], [run])
        if isinstance(outcome, ExecutionError):
            raise outcome
        return outcome

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        """Yield (index, measurement or error) of each trial as its batch ends; reports come in the caller's thread."""
        if len(trajectories) != len(runs):
            raise ValueError(f"{len(trajectories)} trajectories for {len(runs)} runs; wanted one each")
        flight = _Flight(self, trajectories, runs)
        for batch in finish(flight.batches(), tick=flight.report):
            yield from flight.end(batch)
        yield from flight.failures()


class _Flight:
    """The trials of one call of `execute_many`."""

    def __init__(self, executor: LatticeExecutor, trajectories: Sequence[Trajectory], runs: Sequence[Run]) -> None:
        self._executor, self._trajectories, self._runs = executor, trajectories, runs
        self._drives: dict[int, Drive] = {}
        self._failed: dict[int, ExecutionError] = {}

    def batches(self) -> Iterator[Batch]:
        """Trials of one length and dt side by side, each begun only when a thread is about to be free."""
        alike: dict[tuple[int, float], list[int]] = {}
        for number, trajectory in enumerate(self._trajectories):
            alike.setdefault((trajectory.steps, trajectory.dt), []).append(number)
        for numbers in alike.values():
            for start in range(0, len(numbers), LANES):
                yield from self._batch(numbers[start : start + LANES])

    def _batch(self, numbers: list[int]) -> Iterator[Batch]:
        for number in numbers:
            self._begin(number)
        begun = [number for number in numbers if number not in self._failed]
        if begun:
            drives = [self._drives[number] for number in begun]
            steps = len(drives[0].fields)
            time = np.arange(steps) * drives[0].dt
            simulations, fields = [drive.simulation for drive in drives], [drive.fields for drive in drives]
            yield Batch(begun, simulations, fields, time, frames=self._executor.frame_steps(steps))

    def _begin(self, number: int) -> None:
        run = self._runs[number]
        try:
            drive = self._executor.drive(self._trajectories[number], run)
            run.report(0, len(drive.fields) - 1)
        except ExecutionError as error:
            self._failed[number] = error
        else:
            self._drives[number] = drive

    def report(self, batch: Batch) -> None:
        """Tell every run of a batch how far it is; a batch that nobody waits for any more is cancelled."""
        for number in batch.numbers:
            self._report(number, batch)
        batch.cancelled = all(number in self._failed for number in batch.numbers)

    def _report(self, number: int, batch: Batch) -> None:
        if number in self._failed:
            return
        try:
            self._runs[number].report(batch.step, batch.steps - 1)
        except ExecutionError as error:
            self._failed[number] = error

    def end(self, batch: Batch) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        """(index, outcome) of every trial of a batch that has come to its end."""
        self.report(batch)
        if batch.cancelled:
            yield from ((number, self._failed.pop(number)) for number in batch.numbers)
            return
        for number, outcome in zip(batch.numbers, batch.outcomes(), strict=True):
            drive = self._drives.pop(number)
            if number in self._failed:
                yield number, self._failed.pop(number)
            elif isinstance(outcome, Outcome):
                yield number, self._measurement(drive, outcome)
            else:
                yield number, outcome

    def failures(self) -> Iterator[tuple[int, ExecutionError]]:
        """The trials that never began."""
        yield from self._failed.items()

    def _measurement(self, drive: Drive, outcome: Outcome) -> Measurement:
        steps = np.array(self._executor.frame_steps(len(drive.fields)), int)
        arrays = {
            "polarization": outcome.polarization,
            "curl": curl(outcome.polarization),
            "total_polarization": outcome.total_polarization,
            "field": drive.fields.T,
            "frames": outcome.frames,
            "frame_time": steps * drive.dt,
        }
        kept = {name: values for name, values in arrays.items() if values.size}
        return Measurement(
            kept, {name: DIMS[name] for name in kept}, {name: UNITS[name] for name in kept}, drive.executed
        )
