"""The transactional Zarr store: the only place that knows how Icechunk is set up, committed to, and mended.

On disk: random-named, never rewritten files in chunks/, manifests/, snapshots/, transactions/, and one small
reference that a commit replaces last, by rename. Everything before that rename is invisible.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import icechunk
import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import StorePath

from zbo_orchestrator.model import HistoryError, Json, ZboError

Durability = Literal["process", "power"]

_BRANCH = "main"
_REFERENCE = Path("refs") / f"branch.{_BRANCH}" / "ref.json"
_WRITTEN = ("chunks", "manifests", "snapshots", "transactions")
_MANIFEST_ROWS = 64

# Icechunk prints to stdout that concurrent committers are unsafe on a local disk; ours hold a lock. Its filter
# is process-wide and must be set before the first repository is opened: here, since all are opened here.
icechunk.set_logs_filter("error")


class EngineError(HistoryError):
    """The storage engine failed: the disk is full, or what it read is damaged."""


class Commit(NamedTuple):
    """One committed state: its id, when and with what message it was written, and what it holds."""

    id: str
    time: datetime
    message: str
    facts: Json


def storage(path: Path) -> icechunk.Storage:
    """Where a repository's files live; another kind of address would be told apart here."""
    return icechunk.local_filesystem_storage(str(path))


def _config() -> icechunk.RepositoryConfig:
    """Manifests split by rows, so that a commit rewrites a bounded part of them and disk grows linearly.

    No chunk is put into a manifest, where it would be copied with every commit and have no checksum of its own.
    """
    every_array = icechunk.ManifestSplitCondition.AnyArray()
    rows = icechunk.ManifestSplitDimCondition.Axis(0)
    splitting = icechunk.ManifestSplittingConfig.from_dict({every_array: {rows: _MANIFEST_ROWS}})
    return icechunk.RepositoryConfig(
        inline_chunk_threshold_bytes=0,
        compression=icechunk.CompressionConfig(level=1),
        manifest=icechunk.ManifestConfig(preload=icechunk.ManifestPreloadConfig(max_total_refs=0), splitting=splitting),
    )


@contextmanager
def telling(doing: str) -> Iterator[None]:
    """Turn any failure of the storage engine into an `EngineError`: one line that says what was being done."""
    try:
        yield
    except ZboError:
        raise
    except Exception as error:
        raise EngineError(f"{doing}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An engine's error without its trail of Rust contexts: the first line, and the cause at its end."""
    lines = [line.strip(" |x`->\t") for line in str(error).splitlines()]
    told = [line for line in lines if line]
    first, last = (told[0], told[-1]) if told else (type(error).__name__, "")
    cause_follows = any("`->" in line or "|->" in line for line in str(error).splitlines())
    return f"{first}: {last}" if cause_follows and last != first else first


def exists(path: Path) -> bool:
    return (path / _REFERENCE).is_file()


class Store:
    """One repository, with the arrays of its newest commit, or of an older one, at hand.

    durability "process": a commit survives the death of the process the moment it returns. "power": every new
    file and its folder is synced, then the reference is moved and synced, before a commit returns. That cannot
    promise more than the disk does: one that acknowledges a sync before the data is safe can still lose it.
    """

    def __init__(
        self, path: Path, repository: icechunk.Repository, commit: str | None, durability: Durability | None
    ) -> None:
        self.path = path
        self.writable = durability is not None
        self._durability = durability
        self._repository = repository
        self._known: set[Path] = set()
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._bound: dict[str, zarr.Array[Any]] = {}
        if durability == "power":
            self._known = set(self._files())
        self._session = self._begin(commit)
        self.commit_id: str = self._session.snapshot_id

    # --- opening ---

    @classmethod
    def found(cls, path: Path, durability: Durability) -> Store:
        """A new, empty repository."""
        with telling(f"cannot found a history at {path}"):
            path.mkdir(parents=True, exist_ok=True)
            return cls(path, icechunk.Repository.create(storage(path), _config()), None, durability)

    @classmethod
    def read(cls, path: Path, commit: str | None = None) -> Store:
        """An existing repository, read-only, as of its newest commit or of an older one."""
        return cls._open(path, commit, None)

    @classmethod
    def write(cls, path: Path, durability: Durability) -> Store:
        """An existing repository, for the one writer; a torn reference is mended first."""
        if exists(path) and _reference(path) is None:
            _mend_reference(path)
        return cls._open(path, None, durability)

    @classmethod
    def _open(cls, path: Path, commit: str | None, durability: Durability | None) -> Store:
        if not exists(path):
            raise HistoryError(f"no history at {path}")
        if _reference(path) is None:
            raise HistoryError(
                f"the history at {path} has a torn reference; its last good commit is {_newest_snapshot(path)}: "
                "opening it to write mends it"
            )
        with telling(f"cannot open the history at {path}"):
            return cls(path, icechunk.Repository.open(storage(path), _config()), commit, durability)

    def _begin(self, commit: str | None) -> icechunk.Session:
        self._bound = {}
        if self.writable:
            return self._repository.writable_session(_BRANCH)
        if commit is None:
            return self._repository.readonly_session(_BRANCH)
        return self._repository.readonly_session(snapshot_id=commit)

    # --- arrays ---

    def nodes(self) -> Iterator[tuple[str, zarr.Array[Any] | zarr.Group]]:
        """All arrays and groups by path; their metadata is parsed here once for all."""
        for path, node in self.root().members(max_depth=None):
            if isinstance(node, zarr.Array):
                self._arrays[path] = node
            yield path, node

    def members(self) -> set[str]:
        """The paths of all arrays and groups."""
        return {path for path, _ in self.nodes()}

    def root(self) -> zarr.Group:
        return zarr.open_group(self._session.store, mode="a" if self.writable else "r", use_consolidated=False)

    def array(self, path: str) -> zarr.Array[Any]:
        """An array of the session at hand; its metadata is parsed once, since it changes only through us."""
        if path not in self._bound:
            self._bound[path] = self._bind(path)
        return self._bound[path]

    def _bind(self, path: str) -> zarr.Array[Any]:
        if path not in self._arrays:
            self._arrays[path] = zarr.open_array(self._session.store, path=path, mode="r+" if self.writable else "r")
        known = self._arrays[path]
        place = StorePath(self._session.store, path)
        self._arrays[path] = zarr.Array(zarr.AsyncArray(metadata=known.metadata, store_path=place))
        return self._arrays[path]

    def create_array(
        self,
        path: str,
        *,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: np.dtype[Any] | str,
        dims: tuple[str, ...],
        fill: object,
        attributes: Mapping[str, Any],
    ) -> None:
        """A new array whose every chunk ends in a CRC32C checksum."""
        self._bound[path] = self._arrays[path] = zarr.create_array(
            self._session.store,
            name=path,
            shape=shape,
            chunks=tuple(max(1, size) for size in chunks),
            dtype=str if dtype == "str" else dtype,
            fill_value=fill,
            compressors=[ZstdCodec(level=1), Crc32cCodec()],
            dimension_names=dims,
            attributes=dict(attributes),
        )

    # --- commits ---

    def commit(self, message: str, facts: Json) -> str:
        """Make everything written since the last commit visible, all or nothing; returns the commit's id."""
        if self._durability == "power":
            self.commit_id = self._commit_synced(message, facts)
        else:
            self.commit_id = self._session.commit(message, dict(facts))
        self._session = self._begin(None)
        return self.commit_id

    def _commit_synced(self, message: str, facts: Json) -> str:
        before = self.commit_id
        snapshot: str = self._session.flush(message, dict(facts))
        self._sync_new_files()
        self._repository.reset_branch(_BRANCH, snapshot, from_snapshot_id=before)
        reference = self.path / _REFERENCE
        for place in (reference, *reference.parents):
            sync(place)
            if place == self.path:
                break
        return snapshot

    def _files(self) -> Iterator[Path]:
        for folder in _WRITTEN:
            if (self.path / folder).is_dir():
                yield from (self.path / folder).iterdir()

    def _sync_new_files(self) -> None:
        new = set(self._files()) - self._known
        folders = {file.parent for file in new}
        for place in (*new, *folders, self.path):
            sync(place)
        self._known |= new

    def log(self, commit: str | None = None) -> Iterator[Commit]:
        """All commits, newest first, down to the founding one."""
        for info in self._repository.ancestry(snapshot_id=commit or self._session.snapshot_id):
            if info.parent_id is not None:
                yield Commit(info.id, info.written_at, info.message, info.metadata)


def sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reference(path: Path) -> str | None:
    """The commit that the reference names, or None where it is torn."""
    try:
        named = json.loads((path / _REFERENCE).read_text())["snapshot"]
    except (ValueError, KeyError, TypeError):
        return None
    return named if isinstance(named, str) and (path / "snapshots" / named).is_file() else None


def chunk_files(path: Path) -> Iterator[Path]:
    """Every finished chunk file of every commit; a name with # is one being written."""
    yield from (file for file in (path / "chunks").glob("*") if "#" not in file.name)


def snapshots(path: Path) -> list[str]:
    """The ids of all snapshot files, newest first, whether a commit was completed with them or not."""
    files = [file for file in (path / "snapshots").iterdir() if "#" not in file.name]
    return [file.name for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)]


def _newest_snapshot(path: Path) -> str:
    return next(iter(snapshots(path)), "none")


def _mend_reference(path: Path) -> None:
    """A reference is written after all else of its commit: where it is torn, the newest snapshot is complete."""
    reference = path / _REFERENCE
    fresh = reference.with_suffix(".mended")
    fresh.write_text(json.dumps({"snapshot": _newest_snapshot(path)}))
    sync(fresh)
    fresh.replace(reference)
