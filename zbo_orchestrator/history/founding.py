"""The charter in the store: written with the founding commit, read at every opening."""

from __future__ import annotations

import json
import shutil

import numpy as np

from zbo_orchestrator.history import disk, schema
from zbo_orchestrator.history.charter import Charter, charter_from, document_of, packed_decoder, to_json
from zbo_orchestrator.history.epoch import Epoch, commit
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import Durability, Store, exists, telling
from zbo_orchestrator.model import Array, HistoryError
from zbo_orchestrator.place import Place

_DECODER_CHUNK = 1 << 20
_CANDIDATE_ROWS = 16384


def found(place: Place, charter: Charter, durability: Durability, epoch: Epoch) -> None:
    """Write a whole history, or none: on disk beside its place, and there by one rename; in a bucket by one commit."""
    if exists(place):
        raise HistoryError(f"there is a history at {place} already")
    with telling(f"cannot create a history at {place}"):
        if place.remote:
            store = Store.found(place, durability)
            epoch.note(store)
            _write(store, charter)
        else:
            _found_on_disk(place, charter, durability)


def _found_on_disk(place: Place, charter: Charter, durability: Durability) -> None:
    folder = place.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HistoryError(f"{place} exists and is not a history; wanted a free path")
    unborn = place.beside(".unborn")
    shutil.rmtree(unborn, ignore_errors=True)
    _write(Store.found(Place(unborn), durability), charter)
    unborn.replace(folder)
    if durability == "power":
        disk.sync(folder.parent)


def _write(store: Store, charter: Charter) -> None:
    write_charter(store, charter)
    State.blank(charter.space.dimension).create(store)
    commit(store, "found", {"clock": 0, "proposed": [], "recorded": []})


def write_charter(store: Store, charter: Charter) -> None:
    space, (library, _) = charter.space, charter.sample()
    store.root().update_attributes({"schema": schema.SCHEMA})
    _write_whole(store, schema.CANDIDATES, space.candidates, ("candidate", "latent"), _CANDIDATE_ROWS)
    _write_whole(store, schema.MARGINS, space.margins, ("candidate", "limit"), _CANDIDATE_ROWS)
    _write_whole(store, schema.DECODER, packed_decoder(charter), ("byte",), _DECODER_CHUNK)
    if library is not None:
        _write_whole(store, schema.LIBRARY, library.values, ("sample", "step", "channel"), len(library.values))
    document = np.array([to_json(document_of(charter))], dtype=object)
    store.create_array(
        schema.DOCUMENT, shape=(1,), chunks=(1,), dtype="str", dims=("document",), fill="", attributes={}
    )
    store.array(schema.DOCUMENT)[:] = document


def _write_whole(store: Store, path: str, values: Array, dims: tuple[str, ...], rows: int) -> None:
    fill = np.nan if values.dtype.kind == "f" else 0
    chunks = (min(rows, len(values)), *values.shape[1:])
    store.create_array(path, shape=values.shape, chunks=chunks, dtype=values.dtype, dims=dims, fill=fill, attributes={})
    if values.size:
        store.array(path)[:] = values


def refuse_other_schema(store: Store) -> None:
    found = store.root().attrs.get("schema")
    if found != schema.SCHEMA:
        raise HistoryError(f"{store.path} is written in schema {found}; this version reads schema {schema.SCHEMA}")


def read_charter(store: Store) -> Charter:
    document = json.loads(str(store.array(schema.DOCUMENT)[0]))
    paths = {"candidates": schema.CANDIDATES, "margins": schema.MARGINS, "decoder": schema.DECODER}
    if document["library"] is not None:
        paths["library"] = schema.LIBRARY
    return charter_from(document, {name: np.asarray(store.array(path)[...]) for name, path in paths.items()})
