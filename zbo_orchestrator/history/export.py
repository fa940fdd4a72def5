"""A history as files that need nothing of ours: plain Zarr, netCDF, or a table of trials."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from zbo_orchestrator.history.dataset import open_history
from zbo_orchestrator.history.record import Record
from zbo_orchestrator.model import ConfigurationError, HistoryError, Status
from zbo_orchestrator.place import Address, Place, local

_GROUPS = {
    "": "",
    "attempts": "journals/attempts",
    "events": "journals/events",
    "sessions": "journals/sessions",
    "decoder": "decoder",
}
"""Groups of `open_history`, and what they are called in a file, where arrays and groups share names."""


def export(path: Address, out: str | Path) -> None:
    """Copy a history into a new `.zarr`, `.nc` or `.csv`, told apart by the ending; appears whole or not at all."""
    target = local(out)
    if target.suffix not in _WRITERS:
        raise ConfigurationError(f"{out} ends in {target.suffix!r}; wanted one of {', '.join(_WRITERS)}")
    if target.exists():
        raise HistoryError(f"{out} exists; wanted a free path")
    target.parent.mkdir(parents=True, exist_ok=True)
    unborn = target.with_name(f"{target.name}.unborn")
    _remove(unborn)
    try:
        _WRITERS[target.suffix](Place.of(path), unborn)
        unborn.replace(target)
    finally:
        _remove(unborn)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _zarr(path: Place, out: Path) -> None:
    for group, name in _GROUPS.items():
        data = _simple(open_history(path, group))
        data.to_zarr(out, group=name or None, mode="a", zarr_format=3, consolidated=False)


def _netcdf(path: Place, out: Path) -> None:
    for group, name in _GROUPS.items():
        data = _simple(_halved(open_history(path, group)))
        data.to_netcdf(out, group=name or None, mode="a" if group else "w", engine="h5netcdf")


def _simple(data: xr.Dataset) -> xr.Dataset:
    """Attributes as any format holds them, and no encoding left over from the store."""
    plain = data.drop_encoding()
    plain.attrs = _simple_attributes(data.attrs)
    for variable in plain.variables.values():
        variable.attrs = _simple_attributes(variable.attrs)
    return plain


def _simple_attributes(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: int(value) if isinstance(value, bool) else value for key, value in attributes.items()}


def _halved(data: xr.Dataset) -> xr.Dataset:
    """NetCDF has no complex numbers: each such array becomes two."""
    for name in [str(name) for name, array in data.data_vars.items() if array.dtype.kind == "c"]:
        data = data.assign({f"{name}_real": data[name].real, f"{name}_imag": data[name].imag}).drop_vars(name)
    return data


def _csv(path: Place, out: Path) -> None:
    record = Record.read(path)
    columns = _columns(record)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _columns(record: Record) -> dict[str, list[Any]]:
    attempts = {row["trial"]: row for row in record.attempts}
    rows = range(len(record))
    return {
        "number": list(rows),
        "status": [Status(int(status)).name.lower() for status in record.status],
        "value": _numbers(record.values),
        "noise": _numbers(record.noise),
        **{f"term_{name}": _numbers(values) for name, values in record.terms.items()},
        **{f"z{axis}": _numbers(column) for axis, column in enumerate(record.z.T)},
        "plan": record.plan_of.tolist(),
        "attempts": [attempts[row]["attempt"] if row in attempts else 0 for row in rows],
        "seed": [attempts[row]["seed"] if row in attempts else "" for row in rows],
        "proposed_at": _moments(record.proposed_at),
        "recorded_at": _moments(record.recorded_at),
        "reason": record.reasons,
        "error": record.errors,
    }


def _numbers(values: np.ndarray[Any, Any]) -> list[Any]:
    """Shortest text that reads back to the same bits, empty for NaN."""
    return ["" if np.isnan(value) else repr(value) for value in values.tolist()]


def _moments(values: np.ndarray[Any, Any]) -> list[str]:
    return ["" if np.isnan(at) else datetime.fromtimestamp(at, UTC).isoformat() for at in values.tolist()]


_WRITERS: Mapping[str, Callable[[Place, Path], None]] = {".zarr": _zarr, ".nc": _netcdf, ".csv": _csv}
