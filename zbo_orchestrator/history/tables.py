"""Small packed tables: whole in memory, a commit writes only the chunks that changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr

from zbo_orchestrator.history.store import Store
from zbo_orchestrator.model import Array, HistoryError

BLOCK = 256
"""Arrays grow by so many rows at a time, all of one axis together."""
_FILLS: dict[str, Any] = {"f8": float("nan"), "i8": -1, "str": ""}


@dataclass(frozen=True)
class Layout:
    """How a table lies in the store: one array [row, column], `rows` of them a chunk; kind is f8, i8 or str."""

    path: str
    dims: tuple[str, str]
    kind: str
    rows: int
    columns: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)


class Table:
    """Rows of one role. Floats are born NaN, integers -1, text empty; the store holds whole chunks of rows."""

    def __init__(self, layout: Layout, columns: tuple[str, ...] = ()) -> None:
        self.layout = layout
        self.columns = columns or layout.columns
        self.count = 0
        self._fill = _FILLS[layout.kind]
        self._values = self._blank(layout.rows)
        self._dirty: set[int] = set()

    def _blank(self, rows: int) -> Array:
        dtype = object if self.layout.kind == "str" else self.layout.kind
        return np.full((rows, len(self.columns)), self._fill, dtype)

    @property
    def values(self) -> Array:
        """A view [row, column]."""
        return self._values[: self.count]

    def column(self, name: str) -> Array:
        """A view [row] of one column."""
        return self.values[:, self.columns.index(name)]

    def row(self, number: int) -> dict[str, Any]:
        """One row by column, as plain Python values."""
        return dict(zip(self.columns, self.values[number].tolist(), strict=True))

    def append(self, **values: object) -> int:
        """A new row; returns its number."""
        if self.count == len(self._values):
            self._values = np.concatenate([self._values, self._blank(len(self._values))])
        self.count += 1
        self.set(self.count - 1, **values)
        return self.count - 1

    def set(self, row: int, **values: object) -> None:
        for name, value in values.items():
            self._values[row, self.columns.index(name)] = value
        self._dirty.add(row // self.layout.rows)

    def pad(self, count: int) -> None:
        """Let the table have at least so many rows."""
        while self.count < count:
            self.append()

    def widen(self, columns: tuple[str, ...]) -> Table:
        """The same rows with further columns, all to be written again."""
        wider = Table(self.layout, (*self.columns, *columns))
        wider.pad(self.count)
        wider._values[: self.count, : len(self.columns)] = self.values
        return wider

    @property
    def changed(self) -> bool:
        return bool(self._dirty)

    def write(self, store: Store) -> None:
        """Put the changed chunks into the store, growing its array as needed."""
        rows = self.layout.rows
        if self._dirty:
            self._fit(store)
        for block in sorted(self._dirty):
            array = store.array(self.layout.path)
            end = (block + 1) * rows
            if end > len(self._values):
                self._values = np.concatenate([self._values, self._blank(end - len(self._values))])
            array[end - rows : end] = self._values[end - rows : end]
        self._dirty.clear()

    def _fit(self, store: Store) -> None:
        array = store.array(self.layout.path)
        shape = (rows_for(self.count), len(self.columns))
        if array.shape != shape:
            array.resize(shape)
        if array.attrs["columns"] != list(self.columns):
            array.attrs["columns"] = list(self.columns)

    def create(self, store: Store) -> None:
        store.create_array(
            self.layout.path,
            shape=(rows_for(self.count), len(self.columns)),
            chunks=(self.layout.rows, len(self.columns)),
            dtype=self.layout.kind,
            dims=self.layout.dims,
            fill=self._fill,
            attributes={"columns": list(self.columns), "units": self.layout.units},
        )

    @classmethod
    def load(cls, layout: Layout, store: Store, rows: int | None = None) -> Table:
        """The first rows as stored, or every row of the array; `trim` it to those that are used."""
        array = store.array(layout.path)
        return cls.of(layout, columns_of(array), np.asarray(array[:rows]))

    @classmethod
    def of(cls, layout: Layout, columns: tuple[str, ...], values: Array) -> Table:
        """A table of given rows."""
        table = cls(layout, columns)
        table.count = len(values)
        table._values = table._blank(max(len(values), layout.rows))
        table._values[: len(values)] = values
        return table

    def touch(self) -> None:
        """Let the next `write` write every row."""
        self._dirty = set(range(-(-self.count // self.layout.rows)))

    def trim(self, count: int) -> None:
        """Say how many rows there are; rows beyond those stored are blank."""
        self.count = min(count, len(self._values))
        while self.count < count:
            self.append()
        self._dirty.clear()


def rows_for(count: int) -> int:
    """How many rows an array holds for so many used ones: whole blocks, at least one."""
    return max(1, -(-count // BLOCK)) * BLOCK


def columns_of(array: zarr.Array[Any]) -> tuple[str, ...]:
    """The names along a packed array's second axis."""
    columns = array.attrs["columns"]
    if not isinstance(columns, list):
        raise HistoryError(f"{array.path} has columns {columns!r}; wanted a list of names")
    return tuple(str(name) for name in columns)
