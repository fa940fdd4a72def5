"""One finished duel for all tests, each in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arena
import pytest
from arena import duel

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.comparison import Audience, Comparison, Wish, compare, prepare
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record

Compare = Callable[..., Comparison]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    conduct(load(duel(folder), allow_code=True), folder / "duel", Watcher())
    return folder


@pytest.fixture
def found(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The history of a finished duel: its best found level is 2.5."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    arena.RAN.clear()
    arena.PATIENCE.clear()
    return tmp_path / "duel"


@pytest.fixture
def compared(found: Path) -> Compare:
    """Compares the duel's best found over four seeds, with wishes and the trainer's options as given."""

    def run(*, audience: Audience | None = None, trainer: str = "Trainer", **options: Any) -> Comparison:
        wish = Wish(
            **{"seeds": 4, **{name: options.pop(name) for name in Wish.__dataclass_fields__ if name in options}}
        )
        file = duel(found.parent, executor={"use": f"arena:{trainer}", **options})
        if not (campaign := load(file, allow_code=True)).founded(Record.read(found)):
            found_anew(campaign, found)
        return compare(prepare(campaign, found, wish), audience or Audience())

    return run


def found_anew(campaign: Campaign, history: Path) -> None:
    """The same duel under other options in place of the one there; its trials are no trainings of a comparison."""
    ran, patience = len(arena.RAN), list(arena.PATIENCE)
    arena.PATIENCE.clear()
    shutil.rmtree(history)
    conduct(campaign, history, Watcher())
    del arena.RAN[ran:]
    arena.PATIENCE.extend(patience)
