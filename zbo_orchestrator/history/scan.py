"""The ground-truth map over the candidates, in a store of its own, filled block by block and resumable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np

from zbo_orchestrator.history.charter import refuse_other, to_json
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.store import Store, exists, telling
from zbo_orchestrator.model import Array, HistoryError, Json, Space
from zbo_orchestrator.place import Place

_ROWS = 2048
_SCAN_SCHEMA = 1


class Scan:
    """One score a candidate: values [m], NaN where it was not run or failed; `missing` tells which were not run.

    Each `record` is one commit under the writer's lock, so a scan that was killed goes on where it was.
    """

    def __init__(self, path: Path, space: Space) -> None:
        self.path, self.space = path, space
        self._load(Store.read(Place(path)))

    @classmethod
    def open(cls, path: str | Path, identity: Json, space: Space) -> Self:
        """Found or go on; raises `HistoryError` where a scan of another map lies there."""
        place = Path(path)
        if not exists(Place(place)):
            _found(place, identity, space)
        scan = cls(place, space)
        refuse_other(scan.identity, identity)
        if not np.array_equal(scan.candidates, space.candidates):
            raise HistoryError(
                f"the scan at {place} is over other candidates than the campaign's {len(space.candidates)}"
            )
        return scan

    def _load(self, store: Store) -> None:
        with telling(f"cannot read the scan at {self.path}"):
            found = store.root().attrs.get("scan_schema")
            if found != _SCAN_SCHEMA:
                raise HistoryError(f"{self.path} is no scan of schema {_SCAN_SCHEMA}: found {found}")
            self.identity: Json = json.loads(str(store.array("identity")[0]))
            self.candidates = np.asarray(store.array("candidates")[...])
            self._values = np.asarray(store.array("values")[...])
            self._known = np.asarray(store.array("known")[...]).astype(bool)

    @property
    def values(self) -> Array:
        """[m], NaN where not run, failed, or infeasible."""
        return self._values.copy()

    def missing(self) -> Array:
        """Indices of the feasible candidates that were not run yet, in order."""
        return np.flatnonzero(self.space.feasible & ~self._known)

    def record(self, indices: Array, values: Array) -> None:
        """Write down the scores of some candidates, NaN for failures."""
        if np.shape(indices) != np.shape(values):
            raise HistoryError(f"{np.shape(values)} values for {np.shape(indices)} candidates; wanted one each")
        with Lock(_lock_of(self.path)):
            store = Store.write(Place(self.path), "process")
            self._load(store)
            self._values[indices], self._known[indices] = values, True
            with telling(f"cannot write to the scan at {self.path}"):
                self._write(store, np.unique(np.asarray(indices) // _ROWS))
                store.commit(f"scan {int(self._known.sum())} of {int(self.space.feasible.sum())}", {})

    def _write(self, store: Store, blocks: Array) -> None:
        for block in blocks:
            rows = slice(int(block) * _ROWS, (int(block) + 1) * _ROWS)
            store.array("values")[rows] = self._values[rows]
            store.array("known")[rows] = self._known[rows]


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _found(path: Path, identity: Json, space: Space) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    m, d = space.candidates.shape
    with Lock(_lock_of(path)):
        if exists(Place(path)):
            return
        store = Store.found(Place(path), "process")
        with telling(f"cannot create a scan at {path}"):
            store.root().update_attributes({"scan_schema": _SCAN_SCHEMA})
            _create(store, "identity", (1,), "str", fill="")
            _create(store, "candidates", (m, d), "f8", fill=float("nan"))
            _create(store, "values", (m,), "f8", fill=float("nan"))
            _create(store, "known", (m,), "bool", fill=False)
            store.array("identity")[:] = np.array([to_json(identity)], dtype=object)
            store.array("candidates")[...] = space.candidates
            store.commit("found", {})


def _create(store: Store, path: str, shape: tuple[int, ...], dtype: str, *, fill: object) -> None:
    chunks, dims = (min(_ROWS, shape[0]), *shape[1:]), ("candidate", "latent")[: len(shape)]
    store.create_array(path, shape=shape, chunks=chunks, dtype=dtype, dims=dims, fill=fill, attributes={})
