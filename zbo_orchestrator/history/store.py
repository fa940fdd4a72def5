"""The transactional Zarr store: the only place that knows how Icechunk is set up, committed to, and mended.

Random-named, never rewritten files in chunks/, manifests/, snapshots/, transactions/, and one small reference that a
commit replaces last: on disk by a rename, in a bucket only if it is still what the commit began from. Everything before
that is invisible.
"""

from __future__ import annotations

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

from zbo_orchestrator.history import bucket, disk
from zbo_orchestrator.model import HistoryError, Json, ZboError
from zbo_orchestrator.place import Place

Durability = Literal["process", "power"]

_BRANCH = "main"
_MANIFEST_ROWS = 64

# Icechunk prints to stdout that concurrent committers are unsafe on a local disk; ours hold a lock. Its filter
# is process-wide and must be set before the first repository is opened: here, since all are opened here.
icechunk.set_logs_filter("error")


class EngineError(HistoryError):
    """The storage engine failed: the disk is full, or what it read is damaged."""


class TakenOverError(EngineError):
    """Somebody else has committed since: what this writer holds is out of date, and it may commit no more."""


class Commit(NamedTuple):
    """One committed state: its id, when and with what message it was written, and what it holds."""

    id: str
    time: datetime
    message: str
    facts: Json


def storage(place: Place) -> icechunk.Storage:
    """Where a repository's files live."""
    return bucket.storage(place) if place.remote else icechunk.local_filesystem_storage(str(place))


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


def exists(place: Place) -> bool:
    if not place.remote:
        return disk.exists(place.folder)
    with telling(f"cannot reach {place} (credentials and AWS_ENDPOINT_URL come from the environment)"):
        return bucket.exists(place)


class Store:
    """One repository, with the arrays of its newest commit, or of an older one, at hand.

    durability "process": a commit survives the death of the process the moment it returns. "power": every new
    file and its folder is synced, then the reference is moved and synced, before a commit returns. That cannot
    promise more than the disk does: one that acknowledges a sync before the data is safe can still lose it. Object
    storage acknowledges what is safe, so there the two are one.
    """

    def __init__(
        self, place: Place, repository: icechunk.Repository, commit: str | None, durability: Durability | None
    ) -> None:
        self.path = place
        self.writable = durability is not None
        self._syncs = durability == "power" and not place.remote
        self._repository = repository
        self._known: set[Path] = set()
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._bound: dict[str, zarr.Array[Any]] = {}
        if self._syncs:
            self._known = set(disk.files(place.folder))
        self._session = self._begin(commit)
        self.commit_id: str = self._session.snapshot_id

    # --- opening ---

    @classmethod
    def found(cls, place: Place, durability: Durability) -> Store:
        """A new, empty repository; one in a bucket may have been left empty by a founder that died."""
        with telling(f"cannot create a history at {place}"):
            if place.remote:
                return cls(place, icechunk.Repository.open_or_create(storage(place), _config()), None, durability)
            place.folder.mkdir(parents=True, exist_ok=True)
            return cls(place, icechunk.Repository.create(storage(place), _config()), None, durability)

    @classmethod
    def read(cls, place: Place, commit: str | None = None) -> Store:
        """An existing repository, read-only, as of its newest commit or of an older one."""
        return cls._open(place, commit, None)

    @classmethod
    def write(cls, place: Place, durability: Durability) -> Store:
        """An existing repository, for the one writer; a torn reference is mended first."""
        if not place.remote and disk.exists(place.folder) and disk.reference(place.folder) is None:
            disk.mend_reference(place.folder)
        return cls._open(place, None, durability)

    @classmethod
    def _open(cls, place: Place, commit: str | None, durability: Durability | None) -> Store:
        if not exists(place):
            raise HistoryError(f"no history at {place}")
        if not place.remote and disk.reference(place.folder) is None:
            raise HistoryError(f"the history at {place} has a torn reference: {disk.mendable(place.folder)}")
        with telling(f"cannot open the history at {place}"):
            return cls(place, icechunk.Repository.open(storage(place), _config()), commit, durability)

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
        """Make everything written since the last commit visible, all or nothing; returns the commit's id.

        Raises `TakenOverError` where another writer has committed since, which only happens where no lock reaches.
        """
        try:
            self.commit_id = (
                self._commit_synced(message, facts) if self._syncs else self._session.commit(message, dict(facts))
            )
        except icechunk.ConflictError as error:
            raise TakenOverError(f"somebody else has written to {self.path} since {self.commit_id}") from error
        self._session = self._begin(None)
        return self.commit_id

    def afresh(self) -> Store:
        """The same repository as of its newest commit, without what is written here and not committed."""
        return Store(self.path, self._repository, None, "process")

    def _commit_synced(self, message: str, facts: Json) -> str:
        before = self.commit_id
        snapshot: str = self._session.flush(message, dict(facts))
        self._sync_new_files()
        self._repository.reset_branch(_BRANCH, snapshot, from_snapshot_id=before)
        folder = self.path.folder
        reference = folder / disk.REFERENCE
        for place in (reference, *reference.parents):
            disk.sync(place)
            if place == folder:
                break
        return snapshot

    def _sync_new_files(self) -> None:
        new = set(disk.files(self.path.folder)) - self._known
        folders = {file.parent for file in new}
        for place in (*new, *folders, self.path.folder):
            disk.sync(place)
        self._known |= new

    def log(self, commit: str | None = None) -> Iterator[Commit]:
        """All commits, newest first, down to the founding one."""
        for info in self._repository.ancestry(snapshot_id=commit or self._session.snapshot_id):
            if info.parent_id is not None:
                yield Commit(info.id, info.written_at, info.message, info.metadata)
