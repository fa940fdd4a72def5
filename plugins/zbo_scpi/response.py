"""What a run left in the instrument, read back: the waveform that was applied and everything that was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zbo_orchestrator.model import Array, ExecutionError, Measurement, Trajectory
from zbo_scpi.connection import Connection
from zbo_scpi.dialect import Dialect
from zbo_scpi.outputs import Output


def fetch(
    connection: Connection, dialect: Dialect, outputs: Sequence[Output], trajectory: Trajectory, read: Sequence[str]
) -> Measurement:
    """The arrays named in `read`, or all in the catalog; `ExecutionError` where one holds what is no number."""
    names = read or _listed(connection.ask(dialect.catalog))
    arrays, dims, units = {}, {}, {}
    for name in names:
        values = _finite(name, connection.download(dialect.response.format(name=name), big_endian=dialect.big_endian))
        arrays[name] = _shaped(connection, dialect, name, values)
        if dialect.axes:
            dims[name] = tuple(_listed(connection.ask(dialect.axes.format(name=name))))
        if dialect.unit:
            units[name] = connection.ask(dialect.unit.format(name=name)).strip('"')
    return Measurement(arrays, dims, units, _executed(connection, dialect, outputs, trajectory))


def _executed(
    connection: Connection, dialect: Dialect, outputs: Sequence[Output], trajectory: Trajectory
) -> Trajectory | None:
    """The waveform as applied, in the trajectory's channels and its dt; it may be longer."""
    if not dialect.applied:
        return None
    columns = []
    for output in outputs:
        query = dialect.applied.format(output=output.number)
        volts = connection.download(query, big_endian=dialect.big_endian)
        columns.append(output.values(_finite(f"what output {output.number} applied", volts)))
    lengths = {len(column) for column in columns}
    if len(lengths) > 1 or 0 in lengths:
        raise ExecutionError(f"the outputs applied {sorted(lengths)} samples; wanted equally many")
    return Trajectory(np.stack(columns, axis=1), trajectory.dt, trajectory.channels)


def _shaped(connection: Connection, dialect: Dialect, name: str, values: Array) -> Array:
    if not dialect.shape:
        return values
    said = connection.ask(dialect.shape.format(name=name))
    sizes = [each.strip() for each in said.split(",") if each.strip()]
    if not all(each.isdigit() for each in sizes) or int(np.prod([int(each) for each in sizes])) != values.size:
        raise ExecutionError(f"{name} has {values.size} values and the shape {said!r}")
    return values.reshape([int(each) for each in sizes])


def _finite(name: str, values: Array) -> Array:
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ExecutionError(f"{name} holds {values[wrong[0]]} at {wrong[0]} of {values.size}; wanted finite numbers")
    return values


def _listed(said: str) -> list[str]:
    """`"a","b"` as names."""
    return [name for each in said.split(",") if (name := each.strip().strip('"'))]
