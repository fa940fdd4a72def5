"""A history as one `xarray.Dataset`: packed columns unpacked, large arrays read when they are touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.charter import to_json
from zbo_orchestrator.history.record import Record
from zbo_orchestrator.history.tables import columns_of
from zbo_orchestrator.model import Array, HistoryError, Status
from zbo_orchestrator.place import Address

_EPOCH = {"units": "s", "long_name": "seconds since 1970-01-01T00:00:00 UTC"}
_PLAN_TIMES = {"at": _EPOCH, "elapsed": {"units": "s"}, "seconds": {"units": "s"}}
_PLAIN = (int, float, str)
_PLAN_COLUMNS = ("sequence", "seen", "first", "size", "initial", "total")

Variables = dict[str, xr.Variable]


def open_history(path: Address, group: str = "", *, commit: str | None = None, trial: int | None = None) -> xr.Dataset:
    """The whole history at its newest commit, at another, or at the one that recorded a trial.

    group   "" (trials, plans, space, library), "attempts", "events", "sessions" or "decoder"
    Needs no lock: what is read stays as of one commit, while a writer may go on.
    """
    if group not in _GROUPS:
        raise HistoryError(f"group is {group!r}; wanted one of {sorted(_GROUPS)}")
    return _GROUPS[group](Record.read(path, commit, trial))


def _whole(record: Record) -> xr.Dataset:
    large = _Large(record)
    variables = {
        **_trial_variables(record),
        **large.trial_variables(),
        **_plan_variables(record),
        **large.map_variables(),
        **_space_variables(record),
        **_library_variables(record),
    }
    return xr.Dataset(variables, coords=_coordinates(record), attrs=_attributes(record))


def _text(values: object) -> Array:
    """Text as an array of objects, empty or not."""
    return np.array(list(values), dtype=object)  # type: ignore[call-overload]


def _trial_variables(record: Record) -> Variables:
    row = ("trial",)
    state = record.tables
    counts = state[schema.COUNTS]
    variables = {
        "z": xr.Variable(("trial", "latent"), record.z),
        "status": xr.Variable(row, _text(Status(int(status)).name.lower() for status in record.status)),
        "value": xr.Variable(row, record.values),
        "noise": xr.Variable(row, record.noise, {"long_name": "standard deviation of value"}),
        "seed": xr.Variable(row, _seeds(record)),
        "attempts": xr.Variable(row, counts.column("attempts").copy()),
        "plan": xr.Variable(row, record.plan_of),
        "proposed_at": xr.Variable(row, record.proposed_at, _EPOCH),
        "recorded_at": xr.Variable(row, record.recorded_at, _EPOCH),
        "reason": xr.Variable(row, _text(record.reasons)),
        "error": xr.Variable(row, _text(record.errors)),
        "executed_steps": xr.Variable(row, counts.column("executed_steps").copy()),
        "executed_dt": xr.Variable(row, state[schema.NUMBERS].column("executed_dt").copy()),
    }
    return variables | {f"term_{name}": xr.Variable(row, values) for name, values in record.terms.items()}


def _seeds(record: Record) -> Array:
    """Of each trial's last attempt, -1 where none is recorded; as text where one exceeds 63 bits."""
    known = {attempt["trial"]: attempt["seed"] for attempt in record.attempts}
    seeds = [known.get(number, -1) for number in range(len(record))]
    small = max(seeds, default=0).bit_length() < 64
    return np.array(seeds, np.int64) if small else _text(map(str, seeds))


def _plan_variables(record: Record) -> Variables:
    counts, numbers = record.tables[schema.PLAN_COUNTS], record.tables[schema.PLAN_NUMBERS]
    variables = {f"plan_{name}": xr.Variable("planned", counts.column(name).copy()) for name in _PLAN_COLUMNS}
    variables |= {
        f"plan_{name}": xr.Variable("planned", numbers.column(name).copy(), unit) for name, unit in _PLAN_TIMES.items()
    }
    memory = record.tables[schema.PLAN_WORDS].column("memory")
    return variables | {"plan_memory": xr.Variable("planned", _text(memory), {"long_name": "JSON"})}


def _space_variables(record: Record) -> Variables:
    space = record.charter.space
    variables = {
        "candidates": xr.Variable(("candidate", "latent"), space.candidates),
        "margins": xr.Variable(("candidate", "limit"), space.margins),
        "feasible": xr.Variable("candidate", space.feasible),
    }
    codes = record.charter.decoder.get("codes")
    return variables if codes is None else variables | {"codes": xr.Variable(("curve", "latent"), codes)}


def _library_variables(record: Record) -> Variables:
    library = record.charter.library
    if library is None:
        return {}
    variables = {"library": xr.Variable(("sample", "step", "channel"), library.values)}
    families = record.charter.families
    return variables | ({"library_family": xr.Variable("sample", _text(families))} if families else {})


class _Large:
    """The large arrays of a record as lazy variables, cut to the rows that are."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._trials = slice(0, len(record))

    def _opened(self, group: str) -> xr.Dataset:
        opened: xr.Dataset = xr.open_zarr(
            self._record.zarr_store, group=group, consolidated=False, chunks=None, decode_cf=False, zarr_format=3
        )
        return opened

    def trial_variables(self) -> Variables:
        root = self._opened("")
        variables = {
            name: root[name].isel(trial=self._trials).variable
            for name in (schema.TRAJECTORY, schema.EXECUTED)
            if name in root
        }
        if schema.EXECUTED in variables and _same_channels(root):
            variables[schema.EXECUTED] = _with(variables[schema.EXECUTED], dims=("trial", "executed_step", "channel"))
        if self._record.measures:
            variables |= self._measured()
        return {name: _plain_attributes(variable) for name, variable in variables.items()}

    def _measured(self) -> Variables:
        group = self._opened(schema.MEASURED)
        return {f"measured_{name}": array.isel(trial=self._trials).variable for name, array in group.items()}

    def map_variables(self) -> Variables:
        maps = [int(row) for row in self._record.tables[schema.PLAN_COUNTS].column("map")]
        if max(maps, default=-1) < 0:
            return {}
        array = self._opened("plans")["maps"].isel(mapped_plan=slice(0, max(maps) + 1))
        return {
            f"plan_{name}": _with(array.isel(map=index).variable, attributes={})
            for index, name in enumerate(columns_of(self._record.array(schema.MAPS)))
        }


def _same_channels(root: xr.Dataset) -> bool:
    return bool(root[schema.EXECUTED].attrs["channels"] == root[schema.TRAJECTORY].attrs["channels"])


def _with(
    variable: xr.Variable, *, dims: tuple[str, ...] | None = None, attributes: Mapping[str, Any] | None = None
) -> xr.Variable:
    """The same data, unread, under other names or with other attributes."""
    other = variable.copy(deep=False)
    other.dims = other.dims if dims is None else dims
    other.attrs = dict(other.attrs if attributes is None else attributes)
    return other


def _plain_attributes(variable: xr.Variable) -> xr.Variable:
    """Attributes that any file format can hold: numbers, text; lists as JSON."""
    plain = {key: value if isinstance(value, _PLAIN) else to_json(value) for key, value in variable.attrs.items()}
    return _with(variable, attributes=plain)


def _coordinates(record: Record) -> Variables:
    maps = record.tables[schema.PLAN_COUNTS].column("map")
    coordinates = {
        "trial": xr.Variable("trial", np.arange(len(record))),
        "planned": xr.Variable("planned", np.arange(len(maps))),
        "limit": xr.Variable("limit", _text(record.charter.space.limits)),
    }
    if (maps >= 0).any():
        coordinates["mapped_plan"] = xr.Variable("mapped_plan", np.flatnonzero(maps >= 0))
    channels = record.channels
    if channels:
        coordinates["channel"] = xr.Variable("channel", _text(channel.name for channel in channels))
        coordinates["channel_unit"] = xr.Variable("channel", _text(channel.unit for channel in channels))
    return coordinates


def _attributes(record: Record) -> dict[str, Any]:
    charter, space, dt = record.charter, record.charter.space, record.dt
    target = charter.goal.target
    return {
        "name": record.name,
        "maximize": charter.goal.maximize,
        "target": float("nan") if target is None else target,
        "state": record.state,
        "stop_reason": record.stop_reason or "",
        "grid_shape": list(space.shape or ()),
        "latent_lower": space.lower.tolist(),
        "latent_upper": space.upper.tolist(),
        "dt": float("nan") if dt is None else dt,
        "elapsed": record.elapsed,
        "campaign": to_json(charter.campaign),
        "identity": to_json(charter.identity),
        "notes": to_json(record.notes),
        "commit": record.commit,
        "schema": schema.SCHEMA,
    }


def _rows(dim: str, rows: list[dict[str, Any]]) -> xr.Dataset:
    """Journal rows as columns; what is no number or text becomes JSON."""
    columns = dict.fromkeys(key for row in rows for key in row)
    return xr.Dataset({key: (dim, _column([row.get(key) for row in rows])) for key in columns})


def _column(values: list[Any]) -> Array:
    if all(isinstance(value, int | float) for value in values):
        return np.array(values)
    return _text(value if isinstance(value, str) else to_json(value) for value in values)


def _decoder(record: Record) -> xr.Dataset:
    arrays = record.charter.decoder.items()
    return xr.Dataset(
        {name: ([f"{name}_{axis}" for axis in range(array.ndim)], _storable(array)) for name, array in arrays}
    )


def _storable(array: Array) -> Array:
    return array.astype(object) if array.dtype.kind == "U" else array


_GROUPS: Mapping[str, Callable[[Record], xr.Dataset]] = {
    "": _whole,
    "attempts": lambda record: _rows("attempt_row", record.attempts),
    "events": lambda record: _rows("event", record.events),
    "sessions": lambda record: _rows("session", record.sessions),
    "decoder": _decoder,
}
