"""The large arrays of a trial, one row a chunk: its trajectory, what was executed, what was measured.

The first scored trial fixes the form of all later measurements: names, axes, shapes, types, channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.charter import form_of, trajectory_of
from zbo_orchestrator.history.store import Store
from zbo_orchestrator.history.tables import columns_of, rows_for
from zbo_orchestrator.model import Array, ExecutionError, HistoryError, Measurement, Trajectory

_SMALL_CHUNK = 4096
_OURS = """
    trial latent step executed_step channel executed_channel candidate limit curve sample planned mapped_plan
    z status value noise seed attempts plan reason error
"""
_RESERVED = frozenset(_OURS.split())
"""Axes and variables of the whole history, whose names a measured axis may not take."""
_FILLS = {"f": np.nan, "c": complex(np.nan, np.nan)}


@dataclass(frozen=True)
class Form:
    """What every measured array of one name looks like."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, measurement: Measurement, name: str) -> Form:
        array = measurement.arrays[name]
        return cls(measurement.dims[name], array.shape, array.dtype.newbyteorder("=").str)

    def __str__(self) -> str:
        axes = ", ".join(f"{dim}: {size}" for dim, size in zip(self.dims, self.shape, strict=True))
        return f"[{axes}] of {np.dtype(self.dtype).name}"


def _refuse_unstorable(measurement: Measurement) -> None:
    for name, array in measurement.arrays.items():
        if array.dtype.kind not in "biufc" or array.dtype.char in "gG":
            raise ExecutionError(f"measured {name} is of type {array.dtype}; wanted numbers of at most 64 bits a part")
        if not name.isidentifier():
            raise ExecutionError(f"measured array is named {name!r}; wanted letters, digits and underscores")


def _axes(name: str, dims: tuple[str, ...], values: Array, sizes: dict[str, int]) -> tuple[str, ...]:
    """Names of a measured array's axes in the store, where one name means one length."""
    axes = ["trial"]
    for dim, size in zip(dims, values.shape, strict=True):
        taken = dim in axes or dim in _RESERVED or sizes.setdefault(dim, size) != size
        axes.append(f"{name}_{dim}" if taken else dim)
    return tuple(axes)


def _misfits(fixed: Mapping[str, Form], channels: list[list[str]] | None, measurement: Measurement) -> Iterator[str]:
    """Every way in which a measurement differs from what the first one fixed."""
    forms = {name: Form.of(measurement, name) for name in measurement.arrays}
    for name in dict.fromkeys([*fixed, *forms]):
        if name not in forms:
            yield f"{name} is missing"
        elif name not in fixed:
            yield f"{name} is new"
        elif forms[name] != fixed[name]:
            yield f"{name} is {forms[name]}, was {fixed[name]}"
    if channels is not None and measurement.executed is not None:
        met = form_of(measurement.executed)["channels"]
        if met != channels:
            yield f"executed channels are {met}, were {channels}"


class LargeArrays:
    """Reads and writes rows of the large arrays in a store."""

    def __init__(self, store: Store, present: set[str]) -> None:
        self._store = store
        self._present = present

    # --- forms ---

    def forms(self) -> dict[str, Form] | None:
        """The forms that the first scored trial fixed, None before it."""
        if schema.MEASURED not in self._present:
            return None
        names = [path.split("/")[1] for path in sorted(self._present) if path.startswith(f"{schema.MEASURED}/")]
        return {name: self._form(name) for name in names}

    def _form(self, name: str) -> Form:
        array = self._store.array(f"{schema.MEASURED}/{name}")
        dims = self._attributes(f"{schema.MEASURED}/{name}")["dims"]
        return Form(tuple(dims), tuple(array.shape[1:]), array.dtype.str)

    def check(self, measurement: Measurement) -> None:
        """Raise `ExecutionError` where a measurement cannot be stored, or differs from the fixed form."""
        _refuse_unstorable(measurement)
        forms = self.forms()
        found = [] if forms is None else list(_misfits(forms, self._executed_channels(), measurement))
        if found:
            raise ExecutionError(f"the measurement does not fit this campaign's: {'; '.join(found)}")

    def _executed_channels(self) -> list[list[str]] | None:
        if schema.EXECUTED not in self._present:
            return None
        return [list(map(str, channel)) for channel in self._attributes(schema.EXECUTED)["channels"]]

    def _attributes(self, path: str) -> dict[str, Any]:
        return dict(self._store.array(path).attrs)

    def units(self, name: str) -> str:
        return str(self._attributes(f"{schema.MEASURED}/{name}").get("units", ""))

    @property
    def row_bytes(self) -> int:
        """What a trial's trajectories and measurement take, before they are compressed."""
        arrays = (self._store.array(path) for path in self._present if self._is_of_trials(path))
        return sum(math.prod(array.shape[1:]) * array.dtype.itemsize for array in arrays)

    @staticmethod
    def _is_of_trials(path: str) -> bool:
        return path in {schema.TRAJECTORY, schema.EXECUTED} or path.startswith(f"{schema.MEASURED}/")

    # --- writing ---

    def write_trajectory(self, row: int, trajectory: Trajectory) -> None:
        if schema.TRAJECTORY not in self._present:
            dims = ("trial", "step", "channel")
            self._create(schema.TRAJECTORY, trajectory.values.shape, np.dtype("f8"), dims, form_of(trajectory))
        array = self._store.array(schema.TRAJECTORY)
        met, fixed = (trajectory.values.shape, form_of(trajectory)), (array.shape[1:], dict(array.attrs))
        if met != fixed:
            raise HistoryError(f"trajectory of trial {row} is {met}; this history holds {fixed}")
        self._put(schema.TRAJECTORY, row, trajectory.values)

    def fix(self, measurement: Measurement) -> None:
        """Let this measurement's form be that of all."""
        self._store.root().require_group(schema.MEASURED)
        self._present.add(schema.MEASURED)
        sizes: dict[str, int] = {}
        for name, values in measurement.arrays.items():
            dims = measurement.dims[name]
            axes = _axes(name, dims, values, sizes)
            attributes = {"units": measurement.units.get(name, ""), "dims": list(dims)}
            self._create(f"{schema.MEASURED}/{name}", values.shape, values.dtype, axes, attributes)

    def write_measurement(self, row: int, measurement: Measurement) -> None:
        for name, values in measurement.arrays.items():
            self._put(f"{schema.MEASURED}/{name}", row, values)
        if measurement.executed is not None:
            self._write_executed(row, measurement.executed)

    def grow(self, trials: int) -> None:
        """Let every array with an axis of trials have as many rows as the tables."""
        rows = rows_for(trials)
        for path in self._present:
            if self._is_of_trials(path):
                self._fit(path, rows)

    def _fit(self, path: str, rows: int) -> None:
        array = self._store.array(path)
        if array.shape[0] != rows:
            array.resize((rows, *array.shape[1:]))

    def _write_executed(self, row: int, executed: Trajectory) -> None:
        if schema.EXECUTED not in self._present:
            dims = ("trial", "executed_step", "executed_channel")
            channels = {"channels": form_of(executed)["channels"]}
            self._create(schema.EXECUTED, executed.values.shape, np.dtype("f8"), dims, channels)
        array = self._store.array(schema.EXECUTED)
        if array.shape[1] < executed.steps:
            array.resize((array.shape[0], executed.steps, array.shape[2]))
        self._put(schema.EXECUTED, row, executed.values)

    def _create(
        self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any], dims: tuple[str, ...], attributes: dict[str, Any]
    ) -> None:
        row_bytes = max(1, math.prod(shape) * dtype.itemsize)
        rows = 1 if row_bytes > _SMALL_CHUNK // 4 else min(rows_for(0), _SMALL_CHUNK // row_bytes)
        self._store.create_array(
            path,
            shape=(rows_for(0), *shape),
            chunks=(rows, *shape),
            dtype=dtype.newbyteorder("="),
            dims=dims,
            fill=dtype.type(_FILLS.get(dtype.kind, 0)),
            attributes=attributes,
        )
        self._present.add(path)

    def _put(self, path: str, row: int, values: Array) -> None:
        array = self._store.array(path)
        if row >= array.shape[0]:
            self._fit(path, rows_for(row + 1))
        if values.ndim == 2 and values.shape[0] < array.shape[1]:
            array[row, : len(values)] = values
        else:
            array[row] = values

    def write_maps(self, row: int, maps: Mapping[str, Array]) -> None:
        """Maps by name as float32 [mapped plan, map, candidate], a chunk each; a new name widens the array."""
        candidates = len(next(iter(maps.values())))
        if schema.MAPS not in self._present:
            self._create_maps(tuple(maps), candidates)
        array = self._store.array(schema.MAPS)
        names = list(columns_of(array))
        names += [name for name in maps if name not in names]
        if row >= array.shape[0] or len(names) > array.shape[1]:
            array.resize((rows_for(row + 1), len(names), candidates))
            array.attrs["columns"] = names
        blank = np.full(candidates, np.nan, np.float32)
        array[row] = np.stack([np.asarray(maps.get(name, blank), np.float32) for name in names])

    def _create_maps(self, names: tuple[str, ...], candidates: int) -> None:
        self._store.create_array(
            schema.MAPS,
            shape=(rows_for(0), len(names), candidates),
            chunks=(1, 1, candidates),
            dtype="f4",
            dims=("mapped_plan", "map", "candidate"),
            fill=np.float32(np.nan),
            attributes={"columns": list(names)},
        )
        self._present.add(schema.MAPS)

    # --- reading ---

    def trajectory(self, row: int) -> Trajectory | None:
        if schema.TRAJECTORY not in self._present:
            return None
        array = self._store.array(schema.TRAJECTORY)
        values = np.asarray(array[row]) if row < array.shape[0] else np.full(array.shape[1:], np.nan)
        return trajectory_of(values, dict(array.attrs))

    def executed(self, row: int, steps: int, dt: float) -> Trajectory | None:
        """What was executed, None where unknown (steps < 0)."""
        if steps < 0:
            return None
        array = self._store.array(schema.EXECUTED)
        return trajectory_of(np.asarray(array[row, :steps]), {"dt": dt, "channels": array.attrs["channels"]})

    def measurement(self, row: int, executed: Trajectory | None) -> Measurement:
        forms = self.forms() or {}
        arrays = {name: np.asarray(self._store.array(f"{schema.MEASURED}/{name}")[row]) for name in forms}
        units = {name: self.units(name) for name in forms}
        return Measurement(arrays, {name: form.dims for name, form in forms.items()}, units, executed)
