"""A laboratory of small, quick parts, and campaign files that use them as `lab:Class`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from annotated_types import Ge, Gt, Lt

from zbo_orchestrator.model import (
    Array,
    Channel,
    Decoder,
    ExecutionError,
    FatalError,
    Measurement,
    Report,
    Run,
    Score,
    Trajectory,
)


@dataclass(frozen=True)
class Hill:
    """A simulator: how far below the peak a point lies. Points beyond `cliff` fail."""

    peak: tuple[float, float] = (0.3, -0.2)
    cliff: float = 10.0
    wait: float = 0.0
    seed: int = 0
    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        run.report(1, 1)
        time.sleep(self.wait)
        x, y = trajectory.values[0]
        if x > self.cliff:
            raise ExecutionError(f"fell off the cliff at {x:g}")
        depth = -((x - self.peak[0]) ** 2) - (y - self.peak[1]) ** 2
        return Measurement({"height": np.array([depth])}, {"height": ("spot",)})


@dataclass(frozen=True)
class Hills(Hill):
    """The same, many at once."""

    capacity = 7

    def execute_many(
        self, trajectories: Sequence[Trajectory], runs: Sequence[Run]
    ) -> Iterator[tuple[int, Measurement | ExecutionError]]:
        assert len(trajectories) <= self.capacity
        for index in reversed(range(len(trajectories))):
            try:
                yield index, self.execute(trajectories[index], runs[index])
            except ExecutionError as error:
                yield index, error


@dataclass(frozen=True)
class Uneven(Hill):
    """Every other trial takes a second more."""

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        for step in range(100 * (run.number % 2)):
            run.report(step, 100)
            time.sleep(0.01)
        return super().execute(trajectory, run)


@dataclass(frozen=True)
class Instrument(Hill):
    """An executor that must not be run twice unasked."""

    repeatable = False


class Broken:
    """Cannot be trusted from the first trial on."""

    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        raise FatalError("the stage has lost its position; home it by hand")


@dataclass(frozen=True)
class Height:
    scale: float = 1.0

    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return Score(float(measurement.arrays["height"][0]) * self.scale)


@dataclass(frozen=True)
class Fussy:
    """A planner with an option of every type; it cannot be asked for plans."""

    acquisition: Literal["ei", "log-ei"] = "log-ei"
    share: Annotated[float, Gt(0), Lt(1)] = 0.5
    ends: tuple[float, float] = (0.0, 1.0)
    count: int | None = None
    curves: Path | None = None
    names: tuple[str, ...] = ()
    schema: str = "an option's name may be one of pydantic's"
    fit: Callable[[float], float] | None = None
    """Not settable in a file."""
    seed: int = 0

    def plan(self, evidence: object, n: int) -> Any:
        raise AssertionError


class CountedRecipe:
    """Learns the mean of the library and counts how often it was asked to."""

    lessons = 0

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]:
        assert library is not None
        CountedRecipe.lessons += 1
        report(1, 1, loss=0.0)
        return {"mean": library.values.mean(axis=0) * self.gain, "dt": np.array(library.dt), "codes": np.zeros((3, 2))}

    def restore(self, arrays: Mapping[str, Array]) -> Decoder:
        return Shifted(np.asarray(arrays["mean"]), float(arrays["dt"]))


@dataclass(frozen=True, eq=False)
class Shifted:
    """The mean curve, shifted by z."""

    mean: Array
    dt: float
    box = (np.array([-1.0, -1.0]), np.array([1.0, 1.0]))

    def decode(self, z: Array) -> Trajectory:
        values = self.mean + np.asarray(z).sum(axis=1)[:, None, None]
        return Trajectory(values, self.dt, (Channel("x"),))


DIRECT: dict[str, Any] = {
    "name": "hill",
    "seed": 3,
    "budget": {"initial": 4, "total": 7},
    "decoder": {"use": "identity", "channels": [{"name": "x"}, {"name": "y"}], "lower": [-1, -1], "upper": [1, 1]},
    "atlas": {"grid": [9, 9]},
    "envelope": {"channels": {"x": {"upper": 0.8}}},
    "planner": {"use": "random"},
    "executor": {"use": "lab:Hill"},
    "evaluator": {"use": "lab:Height"},
}
"""A direct search in two dimensions."""

CURVES: dict[str, Any] = {
    **DIRECT,
    "name": "curves",
    "library": {
        "steps": 12,
        "dt": 0.1,
        "channels": [{"name": "x"}],
        "bounds": [0, 1],
        "families": [{"use": "segmented", "count": 5}],
    },
    "decoder": {"use": "lab:CountedRecipe"},
    "envelope": {},
}
"""A search among curves, its decoder learnt."""


def written(folder: Path, document: Mapping[str, Any], **sections: Any) -> Path:
    """A campaign file in a folder; sections given by name replace those of the document, None removes one."""
    whole = {name: section for name, section in {**document, **sections}.items() if section is not None}
    path = folder / f"{whole['name']}.yaml"
    path.write_text(yaml.safe_dump(whole))
    return path


@dataclass(frozen=True, slots=True)
class Drawn:
    """Images drawn by a formula."""

    use: Literal["drawn"] = "drawn"
    side: Annotated[int, Ge(2)] = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """Images kept in a folder."""

    folder: Path
    use: Literal["stored"] = "stored"


@dataclass(frozen=True)
class Choosy(Hill):
    """An executor with a choice of options within its options."""

    images: Drawn | Stored = field(default_factory=Drawn)
