"""The words of a campaign: the values that travel between roles, the roles, and the errors.

Values are frozen and hold read-only arrays. Shapes and units stand in their docstrings, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Json = Mapping[str, Any]
"""A mapping that survives a round trip through JSON (NaN and infinities allowed)."""

Certify = Callable[[Array], Array]
"""z[m, d] -> margins[m, limit]: decode points and measure their distance to every limit."""

Report = Callable[..., None]
"""report(step, of, **values): progress of long work; may raise `Stopped`."""


# --- errors, named for what the caller must do ---------------------------------------------------


class ZboError(Exception):
    """Any error this package raises on purpose; its text is one line meant for the user."""


class ConfigurationError(ZboError):
    """The campaign, or a part's options, cannot work: mend the file."""


class ExecutionError(ZboError):
    """A trial failed: record it and go on."""


class RefusedError(ExecutionError):
    """The envelope said no; nothing moved."""


class TransientError(ExecutionError):
    """The attempt failed for a passing reason; the same trajectory may be tried again."""


class Stopped(ExecutionError):  # noqa: N818 (an outcome more than an error)
    """The trial was asked to stop, and did."""


class Vetoed(ExecutionError):  # noqa: N818 (likewise)
    """A person said that this trial is not to run; nothing moved."""


class Interrupted(ExecutionError):  # noqa: N818 (likewise)
    """Its process died and the executor may not repeat a trial unasked."""


class FatalError(ZboError):
    """The apparatus cannot be trusted: make safe and stop the campaign."""


class Unattended(ZboError):  # noqa: N818 (likewise)
    """The campaign waits for people and nobody came: it goes on when somebody answers and it is run again."""


class HistoryError(ZboError):
    """The record cannot be trusted, or is not ours to write: stop."""


class InUse(HistoryError):  # noqa: N818 (likewise)
    """Another process is writing the history: leave it to that one."""


# --- values ---------------------------------------------------------------------------------------


class Status(IntEnum):
    """What became of a trial."""

    PROPOSED = 0
    STARTED = 1
    SCORED = 2
    FAILED = 3
    REFUSED = 4
    STOPPED = 5
    INTERRUPTED = 6
    """Its process died and the executor may not repeat a trial unasked."""
    TRANSIENT = 7
    """Every attempt failed for a passing reason, which says nothing about the point."""
    VETOED = 8
    """A person said that it is not to run."""


def frozen(values: npt.ArrayLike, dtype: npt.DTypeLike = np.float64) -> Array:
    """A read-only array that nobody else can write to."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


def _refuse_shape(name: str, array: Array, wanted: str) -> None:
    raise ValueError(f"{name} has shape {array.shape}; wanted {wanted}")


@dataclass(frozen=True, slots=True)
class Channel:
    """One controlled quantity of a trajectory; unit "" means dimensionless."""

    name: str
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """What an executor follows: `values[..., step, channel]`, one step every `dt`.

    A batch is a leading axis, not another type. `dt` is in the campaign's unit of time.
    """

    values: Array
    dt: float
    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.values.ndim < 2 or self.values.shape[-1] != len(self.channels):
            _refuse_shape("trajectory", self.values, f"[..., step, {len(self.channels)} channels]")
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise ValueError(f"dt is {self.dt}; wanted a positive number")

    @property
    def steps(self) -> int:
        return int(self.values.shape[-2])

    @property
    def duration(self) -> float:
        """steps x dt: each value is held for one dt."""
        return self.steps * self.dt

    @property
    def time(self) -> Array:
        """The instant [step] at which each value is applied, from 0."""
        return np.arange(self.steps) * self.dt

    def __getitem__(self, index: int | slice | Array) -> Trajectory:
        """Pick along the leading batch axis."""
        if self.values.ndim < 3:
            raise IndexError("a single trajectory has no batch axis to index")
        return replace(self, values=self.values[index])


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The atlas as a value: where a planner may ask, and how far each candidate is from every limit.

    lower[d], upper[d]   the latent box
    candidates[m, d]     every charted point, in C order of `shape` where they form a grid
    margins[m, limit]    distance to each limit; negative or NaN breaks it
    limits[limit]        names, such as "field.upper"
    shape                the grid's points per dimension, or None for scattered candidates
    certify              charts further points where the decoder is at hand (not part of the record)
    """

    lower: Array
    upper: Array
    candidates: Array
    margins: Array
    limits: tuple[str, ...]
    shape: tuple[int, ...] | None = None
    certify: Certify | None = None

    def __post_init__(self) -> None:
        for name in ("lower", "upper", "candidates", "margins"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        d, m = len(self.lower), len(self.candidates)
        if self.lower.shape != (d,) or self.upper.shape != (d,) or not (self.lower < self.upper).all():
            raise ValueError(f"box {self.lower} .. {self.upper}; wanted lower[d] < upper[d]")
        if self.candidates.shape != (m, d):
            _refuse_shape("candidates", self.candidates, f"[m, {d}]")
        if self.margins.shape != (m, len(self.limits)):
            _refuse_shape("margins", self.margins, f"[{m}, {len(self.limits)}]")
        if self.shape is not None and int(np.prod(self.shape)) != m:
            raise ValueError(f"grid shape {self.shape} does not hold {m} candidates")

    @property
    def dimension(self) -> int:
        return len(self.lower)

    @property
    def feasible(self) -> Array:
        """Mask [m]: all margins hold."""
        return np.asarray((self.margins >= 0).all(axis=1))


@dataclass(frozen=True, slots=True)
class Goal:
    """Which way is better, and the value at which to stop asking for more."""

    maximize: bool = True
    target: float | None = None

    def gain(self, value: Array | float) -> Array:
        """The value with its sign such that more is better."""
        return np.asarray(value) if self.maximize else -np.asarray(value)

    def reached(self, value: float) -> bool:
        return self.target is not None and bool(self.gain(value) >= self.gain(self.target))


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a campaign may spend: trials before the model takes over, trials in all, seconds."""

    initial: int = 20
    total: int = 80
    seconds: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All a planner may know. Rows are recorded trials in proposal order.

    z[n, d], y[n] (NaN unless scored), noise[n] (standard deviation of y, NaN where unknown), status[n],
    pending[p, d] (proposed, not yet recorded), proposed (proposals ever made), memory (the last plan's),
    elapsed (seconds spent so far, over all sessions).
    """

    space: Space
    z: Array
    y: Array
    noise: Array
    status: Array
    pending: Array
    proposed: int
    memory: Json = field(default_factory=dict)
    goal: Goal = Goal()
    budget: Budget = Budget()
    elapsed: float = 0.0

    def __post_init__(self) -> None:
        for name in ("z", "y", "noise", "pending"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        object.__setattr__(self, "status", frozen(self.status, np.int8))
        n, d = len(self.y), self.space.dimension
        if self.z.shape != (n, d):
            _refuse_shape("z", self.z, f"[{n}, {d}]")
        if self.pending.ndim != 2 or self.pending.shape[1] != d:
            _refuse_shape("pending", self.pending, f"[p, {d}]")
        if not self.noise.shape == self.status.shape == (n,):
            _refuse_shape("noise and status", self.noise, f"[{n}]")

    @property
    def scored(self) -> Array:
        """Mask [n] of the trials with a value."""
        return np.asarray(self.status == Status.SCORED)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where to look next and why: z[n, d], a reason in words for each, maps over the candidates, memory.

    maps    by name ("mean", "deviation", "acquisition"), each [m] over `Space.candidates`, NaN where not computed
    memory  what the planner wants to find in `Evidence.memory` next time
    """

    z: Array
    reasons: tuple[str, ...]
    maps: Mapping[str, Array] = field(default_factory=dict)
    memory: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", frozen(self.z))
        object.__setattr__(self, "reasons", tuple(self.reasons))
        if self.z.ndim != 2 or len(self.z) == 0 or len(self.z) != len(self.reasons):
            _refuse_shape("plan", self.z, f"[n > 0, d] with {len(self.reasons)} reasons")


@dataclass(frozen=True, slots=True)
class Stop:
    """The planner asks for nothing more, and says why."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A numbered latent point z[d] that the history holds."""

    number: int
    z: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", frozen(self.z))


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What came back: arrays by name, the names of each one's axes, units, and what was really applied.

    executed   the trajectory as executed, on its own axis and with its own length, or None where unknown
    """

    arrays: Mapping[str, Array]
    dims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    executed: Trajectory | None = None

    def __post_init__(self) -> None:
        arrays = {name: frozen(values, np.asarray(values).dtype) for name, values in self.arrays.items()}
        dims = {
            name: tuple(self.dims.get(name, (f"{name}_{axis}" for axis in range(array.ndim))))
            for name, array in arrays.items()
        }
        for name, array in arrays.items():
            if len(dims[name]) != array.ndim:
                _refuse_shape(f"measured {name}", array, f"one axis for each of {dims[name]}")
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "dims", dims)


@dataclass(frozen=True, slots=True)
class Score:
    """An evaluator's verdict: the value, the terms it is made of, and its standard deviation where known."""

    value: float
    terms: Mapping[str, float] = field(default_factory=dict)
    noise: float | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ExecutionError(f"the score is {self.value}; wanted a finite number")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a trial: when it began and ended (seconds since the epoch), its seed, what went wrong."""

    number: int
    seed: int
    started: float
    ended: float
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One row of a history: a proposal, the trajectory it became, and what came of it."""

    proposal: Proposal
    trajectory: Trajectory
    outcome: Score | ExecutionError
    measurement: Measurement | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def number(self) -> int:
        return self.proposal.number

    @property
    def status(self) -> Status:
        for kind, status in _STATUS_OF.items():
            if isinstance(self.outcome, kind):
                return status
        return Status.FAILED

    @property
    def value(self) -> float:
        """The score, NaN where there is none."""
        return self.outcome.value if isinstance(self.outcome, Score) else float("nan")


_STATUS_OF: Mapping[type, Status] = MappingProxyType(
    {
        Score: Status.SCORED,
        RefusedError: Status.REFUSED,
        Stopped: Status.STOPPED,
        Vetoed: Status.VETOED,
        Interrupted: Status.INTERRUPTED,
        TransientError: Status.TRANSIENT,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One attempt to be executed."""

    number: int
    attempt: int
    seed: int
    trajectory: Trajectory


# --- roles ----------------------------------------------------------------------------------------


class Planner(Protocol):
    """The agent: looks at the evidence and names up to n points, or stops. Pure: same evidence, same plan."""

    def plan(self, evidence: Evidence, n: int) -> Plan | Stop: ...


class Decoder(Protocol):
    """Turns latent points z[n, d] into trajectories values[n, step, channel].

    Decoding a point alone or among others gives the same bits.
    """

    @property
    def box(self) -> tuple[Array, Array]:
        """lower[d] and upper[d] of the latent region worth charting."""
        ...

    def decode(self, z: Array) -> Trajectory: ...


@runtime_checkable
class Encoder(Protocol):
    """Finds the latent points z[n, d] of given trajectories."""

    def encode(self, trajectory: Trajectory) -> Array: ...


class DecoderRecipe(Protocol):
    """How a decoder comes to be: learn everything it is as plain arrays, then restore it from them.

    Arrays named "codes" [curve, d] are the library's latent codes. `learn` is seeded: same input, same arrays.
    A recipe that needs no library is given None.
    """

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]: ...

    def restore(self, arrays: Mapping[str, Array]) -> Decoder: ...


class Run(Protocol):
    """The one handle of one attempt."""

    @property
    def number(self) -> int: ...

    @property
    def attempt(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def scratch(self) -> Path:
        """A folder that survives until the trial is recorded: the place for checkpoints."""
        ...

    def report(self, step: int, of: int, **values: float) -> None:
        """Progress, heartbeat and abort point in one; raises `Stopped` where the trial is to end."""
        ...


@dataclass(slots=True)
class RunWithin:
    """A run around another: the same attempt, whose reports are seen on their way."""

    inner: Run

    @property
    def number(self) -> int:
        return self.inner.number

    @property
    def attempt(self) -> int:
        return self.inner.attempt

    @property
    def seed(self) -> int:
        return self.inner.seed

    @property
    def scratch(self) -> Path:
        return self.inner.scratch


class Executor(Protocol):
    """Runs one trajectory. `repeatable = True` says that running a trial twice harms nothing."""

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement: ...


@runtime_checkable
class BatchExecutor(Executor, Protocol):
    """An executor that runs many trajectories as one program, up to `capacity` at once."""

    capacity: int

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        """Yields (index into the batch, what came of it) as each ends."""
        ...


@runtime_checkable
class Comparable(Executor, Protocol):
    """An executor that knows what a found trajectory has to beat, and can run at full size.

    Rivals are its own, and no envelope stands before them: an executor that drives an instrument offers none.
    """

    def final(self) -> Executor:
        """The same experiment on all its data; itself a `Comparable`."""
        ...

    def rivals(self, found: Trajectory) -> Mapping[str, tuple[Executor, Trajectory]]:
        """What else is done in practice, by name in the order shown: what runs it, and a trajectory of found's form."""
        ...


class Evaluator(Protocol):
    """Turns a measurement into a score."""

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score: ...


class Workers(Protocol):
    """Where trials run; the loop knows only this."""

    def start(self, jobs: Sequence[Job]) -> None: ...

    def results(self) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        """Waits for and yields (number, what came of it) for jobs that were started, as each ends."""
        ...

    def ready(self) -> bool:
        """Whether `results` has another one without waiting."""
        ...

    def stop(self, number: int, reason: str) -> None:
        """Ask a started job to stop; it still ends through `results`."""
        ...

    def forget(self, number: int) -> None:
        """The trial is recorded: its scratch folder may go."""
        ...
