"""From campaign files to campaigns: checked to the last option, every problem told at once."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zbo_orchestrator.campaign import document as files
from zbo_orchestrator.campaign.built import Campaign
from zbo_orchestrator.campaign.complaints import Problem, brief, refuse
from zbo_orchestrator.campaign.founding import LibrarySettings
from zbo_orchestrator.campaign.parts import Kind, Part, check, specify
from zbo_orchestrator.campaign.settings import CampaignFile, LibrarySection, contradictions
from zbo_orchestrator.executors.guarded import guarded
from zbo_orchestrator.instrument import Checked
from zbo_orchestrator.interlocks import Interlock
from zbo_orchestrator.model import ConfigurationError, Json, RefusedError, Trajectory

SECTIONS: Mapping[str, Kind] = {
    "decoder": "decoders",
    "planner": "planners",
    "executor": "executors",
    "evaluator": "evaluators",
}
"""The sections of a file that are one part each."""

_MUTABLE = (
    "name",
    "budget",
    "width",
    "batches",
    "notes",
    "retries",
    "interrupted",
    "durability",
    "timeouts",
    "approval",
    "breaker",
    "interlocks",
    "travels",
)
"""What may change between sessions of one campaign; everything else is its identity."""


def load(path_or_name: str | Path, overrides: Sequence[str] = (), *, allow_code: bool = False) -> Campaign:
    """A campaign from a YAML file, or a shipped one by its name; `overrides` are `dotted.key=value`.

    The file's paths stay inside its folder, those in overrides lead anywhere; a password stands in neither.
    Raises `ConfigurationError` that lists everything wrong with the file.
    """
    document, origin, folder = files.read(path_or_name)
    changed = files.override(document, overrides)
    if secrets := [*files.passwords(changed)]:
        refuse(origin, secrets)
    return _build(changed, origin, folder, allow_code=allow_code, typed=files.typed(overrides))


def rebuild(document: Json, *, allow_code: bool = False) -> Campaign:
    """The campaign of a document that a history holds."""
    return _build(dict(document), "the history's campaign", Path.cwd(), allow_code=allow_code)


def part(kind: Kind, section: Json, *, seed: int = 0, allow_code: bool = False) -> Any:
    """One part, built from `{use: name, option: value, ...}`."""
    found = specify(kind, dict(section), seed=seed, folder=Path.cwd(), allow_code=allow_code)
    if not isinstance(found, Part):
        refuse(str(section.get("use")), found)
    return found.build()


def _build(
    document: dict[str, Any], origin: str, folder: Path, *, allow_code: bool, typed: Container[str] | None = None
) -> Campaign:
    file = check(CampaignFile, document)
    problems = file if isinstance(file, list) else list(contradictions(file))
    seed = _seed(document)
    sections = {name: (kind, document[name]) for name, kind in SECTIONS.items() if name in document}
    sections |= {f"library.families.{i}": ("families", family) for i, family in enumerate(_families(document))}
    sections |= {f"interlocks.{i}.reading": ("interlocks", each) for i, each in _readings(document)}
    parts, built = {}, {}
    for place, (kind, section) in sections.items():
        made = _make(kind, section, seed=seed, folder=folder, allow_code=allow_code, typed=typed)
        if isinstance(made, list):
            problems += [(f"{place}.{key}".rstrip("."), text) for key, text in made]
        else:
            parts[place], built[place] = made
    if not isinstance(file, list) and not problems:
        problems = list(_misfits(file, built["executor"]))
    if isinstance(file, list) or problems:
        refuse(origin, [*dict.fromkeys(problems)])
    return _campaign(file, parts, built)


def _misfits(file: CampaignFile, executor: Any) -> Iterator[Problem]:
    """What the executor cannot do with trajectories of the library's form, or with the rule about hopeless trials."""
    known = getattr(executor, "reported", None)
    if file.hopeless is not None and known is not None and file.hopeless.value not in known:
        yield "hopeless.value", f"got {brief(file.hopeless.value)}; wanted one of {', '.join(known)}"
    if file.library is None or not isinstance(executor, Checked):
        return
    section = file.library
    bounds = np.broadcast_to(np.reshape(section.bounds, (-1, 2)), (len(section.channels), 2))
    middle = np.tile(bounds.mean(axis=1), (section.steps, 1))
    try:
        executor.check(Trajectory(middle, section.dt, section.channel_values()))
    except ConfigurationError as error:
        yield "executor", str(error)
    except RefusedError:
        return  # one trajectory that may not run says nothing of the others


def _seed(document: Mapping[str, Any]) -> int:
    seed = document.get("seed", 0)
    return seed if type(seed) is int else 0  # another type is a problem already noted


def _families(document: Mapping[str, Any]) -> list[Any]:
    library = document.get("library")
    families = library.get("families") if isinstance(library, dict) else None
    return families if isinstance(families, list) else []


def _readings(document: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    interlocks = document.get("interlocks")
    for index, section in enumerate(interlocks if isinstance(interlocks, list) else []):
        if isinstance(section, dict) and "reading" in section:
            yield index, section["reading"]


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
    # A reading is no part of the identity: the files that it looks at change all the time.
    lasting = {place: part for place, part in parts.items() if part.kind != "interlocks"}
    identity = _filled(file, {place: part.identity for place, part in lasting.items()})
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
        support=file.atlas.support,
        envelope=envelope,
        planner=file.sentinels.around(built["planner"]) if file.sentinels else built["planner"],
        executor=guarded(built["executor"], envelope),
        evaluator=built["evaluator"],
        identity={name: section for name, section in identity.items() if name not in _MUTABLE},
        document=document,
        timeouts=file.timeouts.value(),
        hopeless=file.hopeless.rule() if file.hopeless else None,
        batches=file.batches,
        approval=file.approval,
        breaker=file.breaker.value() if file.breaker else None,
        simulated=file.simulated,
        instrument=file.instrument,
        interlocks=tuple(_interlocks(file, document, built)),
        travels=file.travels,
    )


def _filled(file: CampaignFile, parts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The file as plain data, its defaults and its parts' filled in."""
    document = file.model_dump(mode="json")
    for place, filled in parts.items():
        if place in SECTIONS:
            document[place] = filled
        elif place.startswith("interlocks."):
            document["interlocks"][int(place.split(".")[1])]["reading"] = filled
        else:
            document["library"]["families"][int(place.rpartition(".")[2])] = filled
    # What was added since histories were first founded is named only where it is used: they are still this campaign's.
    for added in ("hopeless", "simulated", "instrument", "sentinels", "approval", "breaker", "interlocks", "travels"):
        if not document[added]:
            del document[added]
    for limits in document["envelope"]["channels"].values():
        for added in ("step", "energy"):
            if limits[added] is None:
                del limits[added]
    return document


def _interlocks(file: CampaignFile, document: Json, built: Mapping[str, Any]) -> Iterator[Interlock]:
    for index, section in enumerate(file.interlocks):
        use = document["interlocks"][index]["reading"]["use"]
        yield section.value(built[f"interlocks.{index}.reading"], use)


def _library(section: LibrarySection | None, built: Mapping[str, Any]) -> LibrarySettings | None:
    if section is None:
        return None
    families = tuple(built[f"library.families.{index}"] for index in range(len(section.families)))
    return LibrarySettings(families, section.steps, section.dt, section.channel_values(), section.bounds)
