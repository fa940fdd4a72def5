"""The inbox of a campaign: what people ask of it while it runs, as files that appear whole, by a rename.

Anybody who may write beside a history may ask; whoever writes the history answers, with an event for each request.
"""

from __future__ import annotations

import getpass
import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from zbo_orchestrator.history.epoch import held_here
from zbo_orchestrator.model import HistoryError
from zbo_orchestrator.place import Address, Place
from zbo_orchestrator.standing import words

Kind = Literal["pause", "resume", "approve", "veto", "inject", "budget", "stop"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def somebody() -> str:
    """Who asks, where nobody says: the user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        return f"user {os.getuid()}"


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of a campaign, and why.

    data   approve, veto: `number` of the trial (absent: the next); inject: `z`; budget: `total`, `seconds`; stop: `now`
    """

    kind: Kind
    reason: str = ""
    by: str = field(default_factory=somebody)
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise HistoryError(f"a request to {self.kind!r}; wanted one of {', '.join(KINDS)}")

    @property
    def words(self) -> str:
        """Who asked and why."""
        return words(self.by, self.reason)


class Inbox:
    """The folder `<history>.inbox`: any process puts, one takes; oldest first."""

    def __init__(self, history: Address) -> None:
        self._place = Place.of(history)
        self.path = self._place.beside(".inbox")

    def put(self, request: Request) -> None:
        """Raises `HistoryError` where nobody would find it: a history in a bucket has its inbox where it is run."""
        if self._place.remote and not held_here(self._place):
            raise HistoryError(
                f"nobody here writes {self._place}: a request to a history on object storage can only be made on the "
                f"machine and in the folder in which it runs, while it runs ({self.path.absolute()})"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{request.id}"
        hidden = self.path / f".{name}"
        with hidden.open("w", encoding="utf-8") as file:
            json.dump(asdict(request), file)
            file.flush()
            os.fsync(file.fileno())
        hidden.rename(self.path / f"{name}.json")

    def files(self) -> list[Path]:
        """What waits, oldest first."""
        try:
            return sorted(file for file in self.path.iterdir() if file.suffix == ".json" and file.name[0] != ".")
        except FileNotFoundError:  # nobody has asked anything yet
            return []

    @staticmethod
    def read(file: Path) -> Request:
        """Raises `HistoryError` where a file is not a request."""
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            return Request(said["kind"], str(said["reason"]), str(said["by"]), dict(said["data"]), str(said["id"]))
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise HistoryError(f"{file} is not a request: {type(error).__name__}: {error}") from error
