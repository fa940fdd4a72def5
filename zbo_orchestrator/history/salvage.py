"""Reading what is left of a damaged store: what the newest commit cannot give, an older one often can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import zarr

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.contents import commits_by_age, first_that
from zbo_orchestrator.history.store import EngineError, Store, telling
from zbo_orchestrator.history.verify import read, rows_of_chunks
from zbo_orchestrator.model import Array, HistoryError
from zbo_orchestrator.place import Place


@dataclass(eq=False)
class Wreck:
    """A damaged store: its commits, newest first, opened as they are needed; and all that was found lost."""

    path: Place
    lost: list[str] = field(default_factory=list)
    _opened: dict[int, Store | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._commits = commits_by_age(self.path)

    def _open(self, age: int) -> Store | None:
        if age not in self._opened:
            self._opened[age] = self._tried(self._commits[age])
        return self._opened[age]

    def _tried(self, commit: str) -> Store | None:
        try:
            store = Store.read(self.path, commit)
            with telling(f"commit {commit}"):
                return store if schema.DOCUMENT.split("/")[0] in store.root() else None
        except EngineError as error:
            self.lost.append(f"commit {commit}: {error}")
            return None

    @property
    def newest(self) -> Store:
        """The newest commit whose list of arrays can be read."""
        age = self._newest_age
        store = None if age is None else self._open(age)
        if store is None:
            raise HistoryError(f"no commit of {self.path} can be read: nothing to repair from")
        return store

    @cached_property
    def _newest_age(self) -> int | None:
        return first_that(len(self._commits), lambda age: self._open(age) is not None)

    def rows(self, path: str, rows: slice) -> tuple[Array | None, bool]:
        """Rows of one array as of the newest commit that can give them, and whether that is the newest commit."""
        shape = (rows.stop - rows.start, *self.newest.array(path).shape[1:])
        age = first_that(len(self._commits), lambda age: self._read(age, path, rows) is not None)
        found = None if age is None else self._read(age, path, rows)
        if found is None:
            return None, False
        return _fitted(*found, shape), age == self._newest_age

    def _read(self, age: int, path: str, rows: slice) -> tuple[Array, zarr.Array[Any]] | None:
        store = self._open(age)
        if store is None:
            return None
        try:
            with telling(path):
                array = store.array(path)
            return read(array, rows), array
        except EngineError as error:  # an older commit is tried; the caller notes the loss where none has it
            not_yet = isinstance(error.__cause__, FileNotFoundError)
            whole = self.newest.array(path)
            return (np.empty((0, *whole.shape[1:]), whole.dtype), whole) if not_yet and age else None

    def blocks(self, path: str, end: int | None = None) -> Iterator[tuple[slice, Array | None, bool]]:
        """An array up to an end, chunk by chunk: rows, values (None where no commit has any), whether the newest."""
        array = self.newest.array(path)
        end = array.shape[0] if end is None else min(end, array.shape[0])
        for rows in rows_of_chunks(array, slice(0, end)):
            yield rows, *self.rows(path, rows)

    def whole(self, path: str) -> Array:
        """A small array; blank (the array's fill) where no commit can give it."""
        array = self.newest.array(path)
        values = np.full(array.shape, array.fill_value, array.dtype)
        for rows, block, newest in self.blocks(path):
            if block is not None:
                values[rows] = block
            if not newest:
                how = "cannot be read" if block is None else "read as they were some commits before"
                self.lost.append(f"{path} rows {rows.start} to {rows.stop - 1}: {how}")
        return values


def is_blank(values: Array, array: zarr.Array[Any]) -> bool:
    filled = values != values if values.dtype.kind in "fc" else values == array.fill_value  # noqa: PLR0124
    return bool(np.all(filled))


def _fitted(values: Array, array: zarr.Array[Any], shape: tuple[int, ...]) -> Array:
    """An older commit may have fewer rows or columns: those beyond are blank."""
    if values.shape == shape:
        return values
    fitted = np.full(shape, array.fill_value, values.dtype)
    fitted[tuple(slice(0, size) for size in values.shape)] = values
    return fitted
