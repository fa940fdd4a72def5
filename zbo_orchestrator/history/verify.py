"""Reading every byte of a history, and asking whether what it says can be true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c
import numpy as np
import zarr

from zbo_orchestrator.history import disk, schema
from zbo_orchestrator.history.contents import DamageError
from zbo_orchestrator.history.record import Record
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import EngineError, Store, telling
from zbo_orchestrator.model import Array, HistoryError, Status
from zbo_orchestrator.place import Address, Place

_SLAB_BYTES = 1 << 24
_CHECKSUM_BYTES = 4


def verify(path: Address) -> list[str]:
    """Every problem found, in words; empty where the history is sound.

    Reads every array of the newest commit, each chunk with its checksum, walks all commits, and compares statuses,
    scores, plans and the logical clock with one another; on disk also checks every chunk file of every older commit.
    Raises `HistoryError` where there is no history of this schema at all.
    """
    place = Place.of(path)
    try:
        record = Record.read(place)
    except DamageError as error:
        return [*_damaged_chunks(place), *_damaged_arrays(place, {}), str(error)]
    found = [*_damaged_chunks(place), *_damaged_arrays(place, _ends(record))]
    return [*found, *_damaged_commits(record), *contradictions(record.tables)]


def _ends(record: Record) -> dict[str, int]:
    """How many rows of the long axes are used; nothing lies beyond."""
    maps = record.tables[schema.PLAN_COUNTS].column("map").max(initial=-1)
    return {"trial": len(record), "mapped_plan": int(maps) + 1}


def sound(stored: bytes) -> bool:
    """Whether a chunk ends in the CRC32C checksum of what stands before it."""
    checksum = int(google_crc32c.value(stored[:-_CHECKSUM_BYTES]))
    return stored[-_CHECKSUM_BYTES:] == checksum.to_bytes(_CHECKSUM_BYTES, "little")


def _damaged_chunks(path: Place) -> Iterator[str]:
    """Chunk files of any commit; one that a killed writer left behind belongs to none and does no harm."""
    if path.remote:
        return
    damaged = [file.name for file in disk.chunk_files(path.folder) if not sound(file.read_bytes())]
    if damaged:
        yield f"{len(damaged)} chunk files fail their checksum: {', '.join(damaged[:4])}"


def _damaged_arrays(path: Place, ends: Mapping[str, int]) -> Iterator[str]:
    try:
        store = Store.read(path)
        with telling("the newest commit cannot be read"):
            arrays = [store.array(name) for name, node in store.nodes() if isinstance(node, zarr.Array)]
    except EngineError as error:
        yield str(error)
        return
    for array in arrays:
        for rows in slabs(array, ends.get(axis_of(array), array.shape[0])):
            yield from _damaged_rows(array, rows)


def axis_of(array: zarr.Array[Any]) -> str:
    """The name of an array's first axis."""
    names = array.metadata.dimension_names  # type: ignore[union-attr]
    return str(names[0]) if names else "row"


def slabs(array: zarr.Array[Any], end: int) -> Iterator[slice]:
    """Whole chunks of rows up to an end, some megabytes at a time."""
    row_bytes = max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize)
    rows = max(1, _SLAB_BYTES // row_bytes // array.chunks[0]) * array.chunks[0]
    for start in range(0, end, rows):
        yield slice(start, min(start + rows, array.shape[0]))


def rows_of_chunks(array: zarr.Array[Any], rows: slice) -> Iterator[slice]:
    """The same rows, chunk by chunk."""
    for start in range(rows.start, rows.stop, array.chunks[0]):
        yield slice(start, min(start + array.chunks[0], rows.stop))


def read(array: zarr.Array[Any], rows: slice) -> Array:
    """Rows of an array; raises `EngineError` where they cannot be read."""
    with telling(f"{array.path} {_named(array, rows)}"):
        return np.asarray(array[rows])


def _named(array: zarr.Array[Any], rows: slice) -> str:
    axis, last = axis_of(array), rows.stop - 1
    return f"of {axis} {rows.start}" if rows.start == last else f"of {axis} {rows.start} to {last}"


def _damaged_rows(array: zarr.Array[Any], rows: slice) -> Iterator[str]:
    try:
        read(array, rows)
    except EngineError:
        for chunk in rows_of_chunks(array, rows):
            yield from _damage(array, chunk)


def _damage(array: zarr.Array[Any], rows: slice) -> Iterator[str]:
    try:
        read(array, rows)
    except EngineError as error:
        yield str(error)


def _damaged_commits(record: Record) -> Iterator[str]:
    try:
        commits = record.log()
    except HistoryError as error:
        yield str(error)
        return
    for commit in commits:
        try:
            with telling(f"commit {commit.id} ({commit.message}) cannot be read"):
                Store.read(record.path, commit.id).root()
        except HistoryError as error:
            yield str(error)


def contradictions(state: State) -> Iterator[str]:
    """Everything in the tables that cannot be true together."""
    yield from _of_trials(state)
    yield from _of_plans(state)
    yield from _of_ticks(state)


def _of_trials(state: State) -> Iterator[str]:
    value, recorded = state[schema.NUMBERS].column("value"), state[schema.COUNTS].column("recorded")
    tried = state[schema.COUNTS].column("attempts") * ~state.waiting
    attempted = {row["trial"] for row in state.journal(schema.ATTEMPTS)}
    for number in range(state.trials):
        status = int(state.status[number])
        if status not in set(Status):
            yield f"trial {number} has status {status}; wanted one of {[int(known) for known in Status]}"
            continue
        name = Status(status).name.lower()
        if not np.isfinite(state.z[number]).all():
            yield f"trial {number} has no latent point"
        if (status == Status.SCORED) != bool(np.isfinite(value[number])):
            yield f"trial {number} is {name} with value {value[number]}"
        if bool(state.waiting[number]) != bool(recorded[number] < 0):
            yield f"trial {number} is {name} with record tick {recorded[number]}"
        if tried[number] > 0 and status != Status.INTERRUPTED and number not in attempted:
            yield f"trial {number} has lost its attempts"


def _of_plans(state: State) -> Iterator[str]:
    counts = state[schema.PLAN_COUNTS]
    due = 0
    for number in range(state.plans):
        row = counts.row(number)
        if row["first"] != due or row["size"] < 1:
            yield f"plan {number} proposes {row['size']} trials from {row['first']}; wanted some from {due}"
        if not row["seen"] < row["sequence"]:
            yield f"plan {number} of tick {row['sequence']} has seen tick {row['seen']}"
        owned = state[schema.COUNTS].column("plan")[row["first"] : row["first"] + row["size"]]
        if not (owned == number).all() or len(owned) != row["size"]:
            yield f"plan {number} proposes {row['size']} trials; they belong to plans {owned.tolist()}"
        due = row["first"] + row["size"]
    if due != state.trials:
        yield f"the plans propose {due} trials; the history holds {state.trials}"


def _of_ticks(state: State) -> Iterator[str]:
    counts, plans = state[schema.COUNTS], state[schema.PLAN_COUNTS].column("sequence")
    ticks = np.concatenate([plans, counts.column("started"), counts.column("recorded")])
    seen, times = np.unique(ticks[ticks >= 0], return_counts=True)
    for tick in seen[times > 1]:
        yield f"tick {tick} was taken {times[seen == tick][0]} times"
    if not (np.diff(plans) > 0).all():
        yield "plans are not in the order of their ticks"
    recorded = counts.column("recorded")
    planned = plans[np.clip(counts.column("plan"), 0, max(len(plans) - 1, 0))] if len(plans) else recorded
    for number in np.flatnonzero((recorded >= 0) & (recorded <= planned)):
        yield f"trial {number} was recorded at tick {recorded[number]}, before it was proposed at {planned[number]}"
