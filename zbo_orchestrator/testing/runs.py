"""A run to hand to an executor, and what makes two measurements the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zbo_orchestrator.model import Measurement, Stopped


@dataclass
class RecordedRun:
    """A `Run` that remembers what was reported, and stops the trial at its `stop_at`-th report."""

    number: int = 0
    attempt: int = 1
    seed: int = 0
    scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="zbo-")))
    stop_at: int | None = None
    reports: list[tuple[int, int, Mapping[str, float]]] = field(default_factory=list)

    def report(self, step: int, of: int, **values: float) -> None:
        self.reports.append((step, of, values))
        if self.stop_at is not None and len(self.reports) >= self.stop_at:
            raise Stopped("the contract asked")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a run, which goes again."""
    with tempfile.TemporaryDirectory(prefix="zbo-") as folder:
        yield Path(folder)


def same(one: Measurement, other: Measurement) -> bool:
    """Whether two measurements hold the same bits, names and axes."""
    return (
        one.arrays.keys() == other.arrays.keys()
        and one.dims == other.dims
        and all(np.array_equal(values, other.arrays[name], equal_nan=True) for name, values in one.arrays.items())
    )
