"""The charter in the store: written with the founding commit, read at every opening."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.charter import Charter, charter_from, document_of, packed_decoder, to_json
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import Durability, Store, exists, sync, telling
from zbo_orchestrator.model import Array, HistoryError

_DECODER_CHUNK = 1 << 20
_CANDIDATE_ROWS = 16384


def found(place: Path, charter: Charter, durability: Durability) -> None:
    """Write a whole history beside its place and move it there by one rename."""
    if exists(place):
        raise HistoryError(f"there is a history at {place} already")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise HistoryError(f"{place} exists and is not a history; wanted a free path")
    unborn = place.with_name(f"{place.name}.unborn")
    shutil.rmtree(unborn, ignore_errors=True)
    store = Store.found(unborn, durability)
    with telling(f"cannot found a history at {place}"):
        write_charter(store, charter)
        State.blank(charter.space.dimension).create(store)
        store.commit("found", {"clock": 0, "proposed": [], "recorded": []})
        unborn.replace(place)
        if durability == "power":
            sync(place.parent)


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
