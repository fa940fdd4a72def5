"""The files of a history on a local disk: its reference, its snapshots, its chunks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from zbo_orchestrator.model import HistoryError

REFERENCE = Path("refs") / "branch.main" / "ref.json"
_WRITTEN = ("chunks", "manifests", "snapshots", "transactions")


def exists(path: Path) -> bool:
    return (path / REFERENCE).is_file()


def files(path: Path) -> Iterator[Path]:
    """Everything that is written once and never again."""
    for folder in _WRITTEN:
        if (path / folder).is_dir():
            yield from (path / folder).iterdir()


def sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reference(path: Path) -> str | None:
    """The commit that the reference names, or None where it is torn."""
    try:
        named = json.loads((path / REFERENCE).read_text())["snapshot"]
    except (ValueError, KeyError, TypeError):
        return None
    return named if isinstance(named, str) and (path / "snapshots" / named).is_file() else None


def chunk_files(path: Path) -> Iterator[Path]:
    """Every finished chunk file of every commit; a name with # is one being written."""
    yield from (file for file in (path / "chunks").glob("*") if "#" not in file.name)


def snapshots(path: Path) -> list[str]:
    """The ids of all snapshot files, newest first, whether a commit was completed with them or not."""
    files = [file for file in (path / "snapshots").glob("*") if "#" not in file.name]
    return [file.name for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)]


def mendable(path: Path) -> str:
    """What can be done about a torn reference, in words."""
    newest = next(iter(snapshots(path)), "")
    return f"its last commit is {newest}, and `zbo run` mends it" if newest else "no snapshot is left; restore a copy"


def mend_reference(path: Path) -> None:
    """A reference is written after all else of its commit: where it is torn, the newest snapshot is complete."""
    torn = path / REFERENCE
    if not (kept := snapshots(path)):
        raise HistoryError(f"the history at {path} has a torn reference: {mendable(path)}")
    fresh = torn.with_suffix(".mended")
    fresh.write_text(json.dumps({"snapshot": kept[0]}))
    sync(fresh)
    fresh.replace(torn)
