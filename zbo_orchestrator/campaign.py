"""The campaign file: loaded, checked to the last option, its parts built, its decoder and atlas made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zbo_orchestrator import document as files
from zbo_orchestrator import loop
from zbo_orchestrator.complaints import Problem, refuse
from zbo_orchestrator.decoders import atlas
from zbo_orchestrator.decoders.library import Library
from zbo_orchestrator.decoders.training import cached, fingerprint
from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.executors.guarded import guarded
from zbo_orchestrator.founding import LibrarySettings, cache_folder, recipe_digest
from zbo_orchestrator.history import Charter, History, Record
from zbo_orchestrator.model import (
    Array,
    Budget,
    Certify,
    ConfigurationError,
    Decoder,
    DecoderRecipe,
    Evaluator,
    Executor,
    Goal,
    HistoryError,
    Json,
    Planner,
    Report,
    Space,
    Status,
    Trial,
    Workers,
)
from zbo_orchestrator.parts import Kind, Part, check, specify
from zbo_orchestrator.settings import CampaignFile, LibrarySection, contradictions

SECTIONS: Mapping[str, Kind] = {
    "decoder": "decoders",
    "planner": "planners",
    "executor": "executors",
    "evaluator": "evaluators",
}
"""The sections of a file that are one part each."""

_MUTABLE = ("name", "budget", "width", "notes", "retries", "interrupted", "durability")
"""What may change between sessions of one campaign; everything else is its identity."""


def silent(step: int, of: int, **values: float) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """A campaign with its parts built: everything but a history.

    identity   all that determines results, by section; files named in it stand as digests of their contents
    document   the campaign file as plain data with every default filled in: `rebuild` makes the same campaign of it
    """

    name: str
    goal: Goal
    budget: Budget
    seed: int
    trial_seed: Literal["fixed", "per-trial"]
    width: int
    retries: int
    interrupted: Literal["go-on", "ask"]
    durability: Literal["process", "power"]
    notes: Json
    library: LibrarySettings | None
    recipe: DecoderRecipe
    grid: tuple[int, ...] | None
    candidates: int
    envelope: Envelope
    planner: Planner
    executor: Executor
    evaluator: Evaluator
    identity: Json
    document: Json

    def with_budget(self, total: int) -> Campaign:
        """The same campaign with another number of trials in all."""
        budget = {**self.document["budget"], "total": total}
        return replace(self, budget=replace(self.budget, total=total), document={**self.document, "budget": budget})

    def seed_of(self, number: int) -> int:
        """The seed an executor is given for a trial: the campaign's, or one derived from it and the trial's number."""
        if self.trial_seed == "fixed":
            return self.seed
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])

    # --- what a history is founded on, and its return

    def learn(self, report: Report = silent) -> tuple[dict[str, Array], Library | None]:
        """The decoder's arrays, learnt now or found in the user's cache, and the library they are learnt from."""
        drawn = self.library.draw(self.seed) if self.library else None
        curves = drawn.curves if drawn else None
        digest = recipe_digest(self.identity["decoder"], self.recipe, curves, self.seed)
        return cached(digest, lambda: self.recipe.learn(curves, self.seed, report), cache_folder()), drawn

    def charter(self, report: Report = silent) -> Charter:
        """Draw the library, learn the decoder and chart the atlas: all that a history is founded on."""
        arrays, drawn = self.learn(report)
        return Charter(
            name=self.name,
            goal=self.goal,
            budget=self.budget,
            identity={**self.identity, "weights": fingerprint(arrays)},
            campaign=self.document,
            decoder=arrays,
            space=self.chart(self.recipe.restore(arrays)),
            library=drawn.curves if drawn else None,
            families=drawn.labels if drawn else (),
            notes=self.notes,
            repeatable=bool(getattr(self.executor, "repeatable", False)),
        )

    def chart(self, decoder: Decoder) -> Space:
        """The atlas of a decoder: every candidate with its distance to every limit."""
        return atlas.chart(decoder, self.envelope, shape=self.grid, candidates=self.candidates, seed=self.seed)

    def decoder(self, record: Record) -> Decoder:
        """The decoder that a history was founded with; it is never learnt again."""
        return self.recipe.restore(record.charter.decoder)

    def founded(self, record: Record) -> bool:
        """Whether a history is this campaign's."""
        return {**self.identity, "weights": None} == {**record.charter.identity, "weights": None}

    def certify(self, record: Record) -> Certify:
        """Charts further points with the decoder of a history."""
        return atlas.Certifier(self.decoder(record), self.envelope)

    def open(self, path: Path, report: Report = silent) -> History:
        """The history at a path, founded or resumed; whoever calls closes it.

        Raises `HistoryError` where the history is another campaign's, or another process is writing it.
        """
        if History.exists(path):
            history = History.open(path, durability=self.durability)
        else:
            history = History.create(path, self.charter(report), durability=self.durability)
        try:
            self._ask(history)
            history.resume(
                {**self.identity, "weights": fingerprint(history.charter.decoder)},
                budget=self.budget,
                name=self.name,
                notes=self.notes,
                certify=self.certify(history),
                width=self.width,
            )
        except BaseException:
            history.close()
            raise
        return history

    def _ask(self, history: History) -> None:
        """Raise `HistoryError` where a trial was cut short that must not be repeated, and the campaign is to ask."""
        cut = np.flatnonzero(history.status == Status.STARTED)
        if len(cut) and self.interrupted == "ask" and not history.repeatable:
            raise HistoryError(
                f"trial {', '.join(map(str, cut))} was under way when its process died, and is not run again unasked: "
                "see to the specimen and the instrument, then go on with --set interrupted=go-on"
            )

    def run(self, history: History, workers: Workers) -> Iterator[Trial]:
        """Yield trials, each one once it is recorded, until the planner stops; a finished history yields none."""
        if history.state == "running":
            yield from loop.run(
                history,
                self.planner,
                self.decoder(history),
                self.evaluator,
                workers,
                width=self.width,
                retries=self.retries,
                seed_of=self.seed_of,
            )


# --- from files ------------------------------------------------------------------------------------


def load(path_or_name: str | Path, overrides: Sequence[str] = (), *, allow_code: bool = False) -> Campaign:
    """A campaign from a YAML file, or a shipped one by its name; `overrides` are `dotted.key=value`.

    Raises `ConfigurationError` that lists everything wrong with the file.
    """
    document, origin, folder = files.read(path_or_name)
    return _build(files.override(document, overrides), origin, folder, allow_code=allow_code)


def rebuild(document: Json, *, allow_code: bool = False) -> Campaign:
    """The campaign of a document that a history holds."""
    return _build(dict(document), "the history's campaign", Path.cwd(), allow_code=allow_code)


def part(kind: Kind, section: Json, *, seed: int = 0, allow_code: bool = False) -> Any:
    """One part, built from `{use: name, option: value, ...}`."""
    found = specify(kind, dict(section), seed=seed, folder=Path.cwd(), allow_code=allow_code)
    if not isinstance(found, Part):
        refuse(str(section.get("use")), found)
    return found.build()


def _build(document: dict[str, Any], origin: str, folder: Path, *, allow_code: bool) -> Campaign:
    file = check(CampaignFile, document)
    problems = file if isinstance(file, list) else list(contradictions(file))
    seed = _seed(document)
    sections = {name: (kind, document[name]) for name, kind in SECTIONS.items() if name in document}
    sections |= {f"library.families.{i}": ("families", family) for i, family in enumerate(_families(document))}
    parts, built = {}, {}
    for place, (kind, section) in sections.items():
        made = _make(kind, section, seed=seed, folder=folder, allow_code=allow_code)
        if isinstance(made, list):
            problems += [(f"{place}.{key}".rstrip("."), text) for key, text in made]
        else:
            parts[place], built[place] = made
    if isinstance(file, list) or problems:
        refuse(origin, [*dict.fromkeys(problems)])
    return _campaign(file, parts, built)


def _seed(document: Mapping[str, Any]) -> int:
    seed = document.get("seed", 0)
    return seed if type(seed) is int else 0  # another type is a problem already noted


def _families(document: Mapping[str, Any]) -> list[Any]:
    library = document.get("library")
    families = library.get("families") if isinstance(library, dict) else None
    return families if isinstance(families, list) else []


def _make(kind: Kind, section: Any, **how: Any) -> tuple[Part, Any] | list[Problem]:
    specified = specify(kind, section, **how)
    if not isinstance(specified, Part):
        return specified
    try:
        return specified, specified.build()
    except ConfigurationError as error:
        return [("", str(error))]


def _campaign(file: CampaignFile, parts: Mapping[str, Part], built: Mapping[str, Any]) -> Campaign:
    envelope = file.envelope.value()
    document = _filled(file, {place: part.document for place, part in parts.items()})
    identity = _filled(file, {place: part.identity for place, part in parts.items()})
    return Campaign(
        name=file.name,
        goal=file.goal.value(),
        budget=file.budget.value(),
        seed=file.seed,
        trial_seed=file.trial_seed,
        width=file.width,
        retries=file.retries,
        interrupted=file.interrupted,
        durability=file.durability,
        notes=document["notes"],
        library=_library(file.library, built),
        recipe=built["decoder"],
        grid=tuple(file.atlas.grid) if file.atlas.grid else None,
        candidates=file.atlas.candidates,
        envelope=envelope,
        planner=built["planner"],
        executor=guarded(built["executor"], envelope),
        evaluator=built["evaluator"],
        identity={name: section for name, section in identity.items() if name not in _MUTABLE},
        document=document,
    )


def _filled(file: CampaignFile, parts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The file as plain data, its defaults and its parts' filled in."""
    document = file.model_dump(mode="json")
    for place, filled in parts.items():
        if place in SECTIONS:
            document[place] = filled
        else:
            document["library"]["families"][int(place.rpartition(".")[2])] = filled
    return document


def _library(section: LibrarySection | None, built: Mapping[str, Any]) -> LibrarySettings | None:
    if section is None:
        return None
    families = tuple(built[f"library.families.{index}"] for index in range(len(section.families)))
    return LibrarySettings(families, section.steps, section.dt, section.channel_values(), section.bounds)
