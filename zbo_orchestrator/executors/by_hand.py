"""The executor that is a person: it says what to run, in a file, and waits for another that says what came out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import numpy as np

from zbo_orchestrator.model import ConfigurationError, ExecutionError, Measurement, Run, Trajectory

ASKED = "trajectory.csv"
ANSWERED = "answer.npz"
"""Names of the files in a trial's scratch folder."""

_LOOK = 0.2
"""Seconds between looks for the answer."""
_WORDS, _ARRAY = "words", "array."


@dataclass(frozen=True)
class ByHand:
    """A person runs the trajectory and tells what came out: `zbo next` shows what to run, `zbo tell` takes the answer.

    Repeatable, since asking a second time harms nothing: a campaign that was stopped asks for its open trials again.
    """

    repeatable = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        """Wait until the scratch folder holds an answer; raises `ExecutionError` where it says why there is none."""
        ask(run.scratch, trajectory)
        while not (run.scratch / ANSWERED).exists():
            run.report(0, trajectory.steps)
            time.sleep(_LOOK)
        return answer(run.scratch)


def ask(folder: Path, trajectory: Trajectory) -> Path:
    """Write a trajectory as CSV, a column of time and one for each channel, each headed `name [unit]`."""
    names = [f"{channel.name} [{channel.unit}]" if channel.unit else channel.name for channel in trajectory.channels]
    rows = np.column_stack([trajectory.time, trajectory.values])
    lines = [",".join(["time", *names]), *(",".join(f"{value:.17g}" for value in row) for row in rows)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ASKED
    _whole(path, lambda part: part.write("\n".join([*lines, ""]).encode()), Path.replace)
    return path


def tell(folder: Path, told: Measurement | str) -> None:
    """Leave the answer of a trial in its folder: a measurement, or why there is none; it appears whole.

    Raises `ConfigurationError` where there is one already.
    """
    words = {"failed": told} if isinstance(told, str) else {"dims": dict(told.dims), "units": dict(told.units)}
    arrays = {} if isinstance(told, str) else {f"{_ARRAY}{name}": values for name, values in told.arrays.items()}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _whole(
            folder / ANSWERED,
            lambda part: np.savez(part, allow_pickle=False, **{_WORDS: np.array(json.dumps(words))}, **arrays),
            lambda part, path: path.hardlink_to(part),  # unlike a rename, it fails where an answer lies already
        )
    except FileExistsError as twice:
        raise ConfigurationError(
            f"trial {folder.name} was told already; whoever runs the campaign records it, or else `zbo next`"
        ) from twice


def answer(folder: Path) -> Measurement:
    """The measurement that was told; raises `ExecutionError` with the reason where there is none."""
    with np.load(folder / ANSWERED, allow_pickle=False) as archive:
        words = json.loads(str(archive[_WORDS]))
        arrays = {name.removeprefix(_ARRAY): archive[name] for name in archive.files if name != _WORDS}
    if "failed" in words:
        raise ExecutionError(words["failed"])
    return Measurement(arrays, {name: tuple(axes) for name, axes in words["dims"].items()}, words["units"])


def _whole(path: Path, write: Callable[[IO[bytes]], object], name: Callable[[Path, Path], object]) -> None:
    """Write a file under another name, then give it its own: a reader sees all of it or none."""
    with NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as part:
        try:
            write(part)
            part.flush()
            name(Path(part.name), path)
        finally:
            Path(part.name).unlink(missing_ok=True)
