"""The card of an executor: what it was seen to do, with which code, on which instrument; kept in the user's folder."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from platformdirs import user_data_path

from zbo_orchestrator.campaign.founding import sources
from zbo_orchestrator.certification.rehearsal import Verdict
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.model import ConfigurationError, Executor

_PACKAGES = ("zbo-orchestrator", "numpy", "pyvisa", "pyvisa-py")


@dataclass(frozen=True, slots=True)
class Check:
    """One promise put to the test: what was seen, or why it could not be tested; seconds of each try where timed."""

    section: str
    name: str
    verdict: Verdict
    said: str
    seconds: tuple[float, ...] = ()

    @property
    def timed(self) -> str:
        """Median and worst of several tries, in words; empty where nothing was timed."""
        if not self.seconds:
            return ""
        median, worst = 1000 * statistics.median(self.seconds), 1000 * max(self.seconds)
        return f"median {median:.3g} ms, worst {worst:.3g} ms of {len(self.seconds)}"


@dataclass(frozen=True, slots=True)
class Card:
    """What `zbo certify` saw.

    part       module:Class of the executor
    identity   what the instrument said it is; empty where it says nothing
    digest     of the code that drives: the executor's package and the supervision
    """

    part: str
    options: Mapping[str, Any]
    identity: str
    simulated: bool
    digest: str
    when: str
    host: str
    versions: Mapping[str, str]
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == "failed")

    @property
    def untested(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == "untested")

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def signed(
    executor: Executor, options: Mapping[str, Any], identity: str, checks: tuple[Check, ...], *, simulated: bool
) -> Card:
    """A card of here and now."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    versions = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    part, code = part_of(executor), digest(executor)
    return Card(part, options, identity, simulated, code, now, socket.gethostname(), versions, checks)


def part_of(executor: Executor) -> str:
    kind = type(bare(executor))
    return f"{kind.__module__}:{kind.__qualname__}"


def digest(executor: Executor) -> str:
    """Names the code that drives: the modules beside the executor's own, and those of the supervision."""
    known = hashlib.sha256()
    for path in [*sources(type(bare(executor))), *sources(Supervised)]:
        known.update(path.name.encode() + b"\0" + path.read_bytes())
    return known.hexdigest()


# --- kept cards -------------------------------------------------------------------------------------


def folder() -> Path:
    """Where cards are kept; `ZBO_CARDS` moves it."""
    chosen = os.environ.get("ZBO_CARDS")
    return Path(chosen) if chosen else user_data_path("zbo", appauthor=False) / "cards"


def keep(card: Card, path: Path | None = None) -> Path:
    """Write a card, whole or not at all: under its executor and instrument, where the last one is replaced."""
    path = path or _path(card.part, card.identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as part:
        part.write(card.json() + "\n")
    return Path(part.name).replace(path)


def read(path: Path) -> Card:
    """The card in a file; raises `ConfigurationError` where it holds none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        checks = tuple(Check(**{**check, "seconds": tuple(check["seconds"])}) for check in held.pop("checks"))
        return Card(**held, checks=checks)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} holds {type(error).__name__}: {error}; wanted a card of zbo certify"
        ) from error


def find(executor: Executor, identity: str) -> Card | None:
    """The last card of this executor on this instrument, whatever it says."""
    path = _path(part_of(executor), identity)
    return read(path) if path.exists() else None


def require(executor: Executor, identity: str, campaign: str = "CAMPAIGN") -> Card:
    """The card of this executor, as its code stands now, on this instrument.

    Raises `ConfigurationError`, naming the command that makes one, where there is none, the code has changed since, or
    a check failed.
    """
    card, command = find(executor, identity), f"zbo certify {campaign} --live"
    if card is None:
        raise ConfigurationError(f"{part_of(executor)} has no card for {identity!r}; wanted one: {command}")
    if card.digest != digest(executor):
        raise ConfigurationError(f"the code of {card.part} has changed since its card of {card.when}: {command}")
    if card.failed:
        names = ", ".join(f"{check.section}: {check.name}" for check in card.failed)
        raise ConfigurationError(f"the card of {card.part} of {card.when} has failed: {names}; mend it, then {command}")
    return card


def _path(part: str, identity: str) -> Path:
    name = hashlib.sha256(f"{part}\0{identity}".encode()).hexdigest()[:16]
    return folder() / f"{part.rpartition(':')[2]}-{name}.json"
