"""Copying what can be read of a damaged history into a new one; the old is not touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.charter import to_json
from zbo_orchestrator.history.founding import refuse_other_schema
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.mending import mend
from zbo_orchestrator.history.salvage import Wreck, is_blank
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import Store, exists, telling
from zbo_orchestrator.history.tables import Table, columns_of, rows_for
from zbo_orchestrator.model import Array, HistoryError
from zbo_orchestrator.place import Address, Place, local


@dataclass(frozen=True)
class Repair:
    """What a repair saved and what it could not."""

    out: Path
    trials: int
    plans: int
    lost: tuple[str, ...]

    def __str__(self) -> str:
        saved = f"{self.out}: {self.trials} trials and {self.plans} plans copied"
        return "\n".join([f"{saved}; nothing was lost" if not self.lost else f"{saved}; lost:", *self.lost])


def repair(path: Address, out: str | Path) -> Repair:
    """Copy every readable row into a new history; what the newest commit cannot give, an older one may.

    Raises `HistoryError` where `out` is taken or not even the founding document can be read.
    """
    source, target = Place.of(path), local(out)
    if not exists(source):
        raise HistoryError(f"no history at {source}")
    if target.exists():
        raise HistoryError(f"{target} exists; wanted a free path")
    target.parent.mkdir(parents=True, exist_ok=True)
    with Lock(target.with_name(f"{target.name}.lock")):
        return _repaired(Wreck(source), target)


def _repaired(wreck: Wreck, target: Path) -> Repair:
    unborn = target.with_name(f"{target.name}.unborn")
    shutil.rmtree(unborn, ignore_errors=True)
    refuse_other_schema(wreck.newest)
    document = _document(wreck)
    state, given_up = mend(_tables(wreck), repeatable=document["repeatable"])
    store = Store.found(Place(unborn), "process")
    with telling(f"cannot write the repaired history at {target}"):
        _copy_arrays(wreck, store, state)
        lost = (*wreck.lost, *given_up)
        _note(state, wreck, lost)
        state.create(store)
        state.rewrite(store)
        store.commit(f"repaired from {wreck.path.name} as of {wreck.newest.commit_id}", _facts(state))
        unborn.replace(target)
    return Repair(target, state.trials, state.plans, lost)


def _document(wreck: Wreck) -> dict[str, Any]:
    text = str(wreck.whole(schema.DOCUMENT)[0])
    if not text:
        raise HistoryError(f"the founding document of {wreck.path} cannot be read: nothing to repair from")
    return dict(json.loads(text))


def _tables(wreck: Wreck) -> dict[str, Table]:
    present = wreck.newest.members()
    tables = {}
    for layout in schema.TABLES:
        if layout.path in present:
            columns = columns_of(wreck.newest.array(layout.path))
            tables[layout.path] = Table.of(layout, columns, wreck.whole(layout.path))
    return tables


def _copy_arrays(wreck: Wreck, store: Store, state: State) -> None:
    """Everything that is no table, chunk by chunk."""
    tables = {layout.path for layout in schema.TABLES}
    root = store.root()
    root.update_attributes({"schema": schema.SCHEMA})
    for path, node in wreck.newest.nodes():
        if isinstance(node, zarr.Group):
            root.require_group(path)
        elif path not in tables:
            _copy(wreck, store, path, state)


def _copy(wreck: Wreck, store: Store, path: str, state: State) -> None:
    old = wreck.newest.array(path)
    of_trials = _is_of_trials(path)
    rows = rows_for(state.trials) if of_trials else old.shape[0]
    store.create_array(
        path,
        shape=(rows, *old.shape[1:]),
        chunks=old.chunks,
        dtype="str" if np.dtype(old.dtype).kind == "T" else old.dtype,
        dims=tuple(str(name) for name in old.metadata.dimension_names or ()),  # type: ignore[union-attr]
        fill=old.fill_value,
        attributes=dict(old.attrs),
    )
    for block, values, newest in wreck.blocks(path, _end(path, state)):
        if values is not None:
            store.array(path)[block] = values
        if not newest and of_trials:
            wreck.lost += _lost_of_trials(state, path, block, old, values)
        elif not newest:
            wreck.lost.append(f"{path} rows {block.start} to {block.stop - 1}: cannot be read")


def _end(path: str, state: State) -> int | None:
    """How many rows of a long axis are used."""
    if path == schema.MAPS:
        return int(state[schema.PLAN_COUNTS].column("map").max(initial=-1)) + 1
    return state.trials if _is_of_trials(path) else None


def _is_of_trials(path: str) -> bool:
    return path in (schema.TRAJECTORY, schema.EXECUTED) or path.startswith(f"{schema.MEASURED}/")


def _lost_of_trials(
    state: State, path: str, rows: slice, array: zarr.Array[Any], values: Array | None
) -> Iterator[str]:
    """Names every trial that should have a row here and has none; its measurement counts as lost."""
    measured = path.startswith(f"{schema.MEASURED}/")
    due = _DUE["measured" if measured else path](state)
    for number in range(rows.start, min(rows.stop, state.trials)):
        if not due[number] or (values is not None and not is_blank(values[number - rows.start], array)):
            continue
        if measured:
            state[schema.COUNTS].set(number, measured=-1)
        elif path == schema.EXECUTED:
            state[schema.COUNTS].set(number, executed_steps=-1)
        yield f"{path} of trial {number}: cannot be read"


_DUE: Mapping[str, Callable[[State], Array]] = {
    "measured": lambda state: state[schema.COUNTS].column("measured") > 0,
    schema.EXECUTED: lambda state: state[schema.COUNTS].column("executed_steps") >= 0,
    schema.TRAJECTORY: lambda state: (state[schema.COUNTS].column("attempts") > 0) & ~state.waiting,
}


def _note(state: State, wreck: Wreck, lost: tuple[str, ...]) -> None:
    data = {"from": wreck.path.name, "commit": wreck.newest.commit_id, "lost": list(lost)}
    stamp = {"sequence": state.clock, "session": None, "at": 0.0}
    state[schema.EVENTS].append(json=to_json({**stamp, "kind": "repaired", "data": data}))


def _facts(state: State) -> dict[str, Any]:
    recorded = np.flatnonzero(~state.waiting).tolist()
    return {"clock": state.clock, "proposed": list(range(state.trials)), "recorded": recorded}
