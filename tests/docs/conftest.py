"""A reader's folder: nothing of this machine's user in it, and nothing of it left in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import PAGES, blocks
from reader import Reader


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    for name in ("ZBO_CACHE", "ZBO_CARDS", "ZBO_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    before = dict(sys.modules)
    yield Reader(tmp_path)
    for name in _modules():
        sys.modules.pop(name, None)
        if name in before:
            sys.modules[name] = before[name]


def _modules() -> set[str]:
    """What the pages' own files are imported as."""
    titles = (Path(block.title) for page in PAGES for block in blocks(page))
    return {title.stem for title in titles if title.suffix == ".py"}
