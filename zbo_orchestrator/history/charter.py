"""The founding document of a history: what the campaign is, written once and never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from zbo_orchestrator.model import Array, Budget, Channel, Goal, HistoryError, Json, Space, Trajectory

LIBRARY_SAMPLE = 256
"""Curves of the library that a history keeps, at most."""
_SHOWN_DIFFERENCES = 6


@dataclass(frozen=True, eq=False)
class Charter:
    """Everything a campaign is, beside its trials.

    identity   sections (seed, library, decoder, ...) of which none may ever change
    campaign   the whole campaign file, for building the parts again
    decoder    arrays by name: all that its recipe needs to restore it
    library    a batch of curves (at most 256 are stored), one label of `families` each
    repeatable whether running a trial twice harms nothing
    """

    name: str
    goal: Goal
    budget: Budget
    identity: Json
    campaign: Json
    decoder: Mapping[str, Array]
    space: Space
    library: Trajectory | None = None
    families: tuple[str, ...] = ()
    notes: Json = field(default_factory=dict)
    repeatable: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "families", tuple(self.families))
        if self.library is None:
            return
        if self.library.values.ndim != 3:
            raise HistoryError(f"library has shape {self.library.values.shape}; wanted [curve, step, channel]")
        if self.families and len(self.families) != len(self.library.values):
            raise HistoryError(f"{len(self.families)} family labels for {len(self.library.values)} library curves")

    def sample(self) -> tuple[Trajectory | None, tuple[str, ...]]:
        """At most 256 library curves, evenly picked, and their labels."""
        if self.library is None or len(self.library.values) <= LIBRARY_SAMPLE:
            return self.library, self.families
        picked = np.linspace(0, len(self.library.values) - 1, LIBRARY_SAMPLE).round().astype(int)
        return self.library[picked], tuple(self.families[i] for i in picked) if self.families else ()


def to_json(value: object) -> str:
    """JSON text whose floats come back bit for bit; NumPy scalars and arrays become numbers and lists."""
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise HistoryError(
        f"{type(value).__name__} {value!r} cannot be stored as JSON; wanted numbers, text, lists, mappings"
    )


def document_of(charter: Charter) -> dict[str, Any]:
    """The charter without its arrays, as JSON."""
    library, families = charter.sample()
    space = charter.space
    return {
        "name": charter.name,
        "goal": asdict(charter.goal),
        "budget": asdict(charter.budget),
        "identity": charter.identity,
        "campaign": charter.campaign,
        "notes": charter.notes,
        "repeatable": charter.repeatable,
        "families": families,
        "library": None if library is None else form_of(library),
        "space": {"lower": space.lower, "upper": space.upper, "limits": space.limits, "shape": space.shape},
        "decoder": [[name, array.dtype.str, array.shape] for name, array in _decoder_arrays(charter)],
    }


def form_of(trajectory: Trajectory) -> dict[str, Any]:
    """All that a trajectory is beside its values, as JSON."""
    return {"dt": trajectory.dt, "channels": [[channel.name, channel.unit] for channel in trajectory.channels]}


def trajectory_of(values: Array, form: Json) -> Trajectory:
    return Trajectory(values, form["dt"], tuple(Channel(*channel) for channel in form["channels"]))


def _decoder_arrays(charter: Charter) -> Iterator[tuple[str, Array]]:
    for name, values in charter.decoder.items():
        array = np.asarray(values)
        if array.dtype.hasobject:
            raise HistoryError(f"decoder array {name!r} holds Python objects; wanted numbers or text")
        yield name, array


def packed_decoder(charter: Charter) -> Array:
    """All decoder arrays as one run of bytes, in the order of the document's index."""
    return np.frombuffer(b"".join(array.tobytes() for _, array in _decoder_arrays(charter)), np.uint8)


def unpacked_decoder(packed: Array, index: list[list[Any]]) -> dict[str, Array]:
    arrays, at = {}, 0
    for name, kind, shape in index:
        dtype = np.dtype(kind)
        size = dtype.itemsize * int(np.prod(shape))
        array = np.frombuffer(packed[at : at + size].tobytes(), dtype).reshape(shape)
        arrays[name], at = array, at + size
    return arrays


def charter_from(document: Json, arrays: Mapping[str, Array]) -> Charter:
    """The charter from its document and its arrays (candidates, margins, decoder, library)."""
    box, form = document["space"], document["library"]
    shape = None if box["shape"] is None else tuple(box["shape"])
    space = Space(box["lower"], box["upper"], arrays["candidates"], arrays["margins"], tuple(box["limits"]), shape)
    return Charter(
        name=document["name"],
        goal=Goal(**document["goal"]),
        budget=Budget(**document["budget"]),
        identity=document["identity"],
        campaign=document["campaign"],
        decoder=unpacked_decoder(arrays["decoder"], document["decoder"]),
        space=space,
        library=None if form is None else trajectory_of(arrays["library"], form),
        families=tuple(document["families"]),
        notes=document["notes"],
        repeatable=document["repeatable"],
    )


def differences(had: object, wants: object, path: str = "") -> Iterator[str]:
    """Every key in which two JSON values differ, as `planner.acquisition: history has ..., this campaign wants ...`."""
    if isinstance(had, Mapping) and isinstance(wants, Mapping):
        for key in dict.fromkeys([*had, *wants]):
            deeper = f"{path}.{key}" if path else str(key)
            yield from differences(had.get(key, _ABSENT), wants.get(key, _ABSENT), deeper)
    elif to_json_or_absent(had) != to_json_or_absent(wants):
        yield f"{path}: history has {_shown(had)}, this campaign wants {_shown(wants)}"


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


def to_json_or_absent(value: object) -> str:
    return "" if value is _ABSENT else to_json(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def refuse_other(had: Json, wants: Json) -> None:
    """Raise `HistoryError` naming each differing key where two identities are not one."""
    found = list(differences(json.loads(to_json(had)), json.loads(to_json(wants))))
    if found:
        rest = f"; and {len(found) - _SHOWN_DIFFERENCES} more" if len(found) > _SHOWN_DIFFERENCES else ""
        raise HistoryError(f"this is the history of another campaign: {'; '.join(found[:_SHOWN_DIFFERENCES])}{rest}")
