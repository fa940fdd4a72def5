"""What is wrong with a campaign file, in words: the path of the key, the value met, what was wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from zbo_orchestrator.model import ConfigurationError

Problem = tuple[str, str]
"""(dotted path of the key, what was met and what was wanted)."""

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MISSING = ("missing", "missing_argument")
_CHOICE = ("union_tag_invalid", "union_tag_not_found")
_ABSENT = object()
_PREAMBLE = re.compile(r"^(Value error, )?(\w+ should (be |have |match )?)?")


def complaints(details: Sequence[Mapping[str, Any]], values: Any, schema: Mapping[str, Any]) -> list[Problem]:
    """Pydantic's error details about `values` as problems; the alternatives of one value are joined."""
    found: dict[tuple[str | int, ...], list[str]] = {}
    for detail in details:
        place = _place(detail, values)
        texts = found.setdefault(place, [])
        if (text := _text(detail, place, values, schema)) not in texts:
            texts.append(text)
    return [(".".join(map(str, place)), _joined(texts, _at(values, place))) for place, texts in found.items()]


def refuse(origin: str, problems: Sequence[Problem]) -> NoReturn:
    """Raise `ConfigurationError` with every problem on a line of its own."""
    lines = [f"{path}: {text}" if path else text for path, text in problems]
    if len(lines) == 1:
        raise ConfigurationError(f"{origin}: {lines[0]}")
    raise ConfigurationError("\n  ".join([f"{origin}: {len(lines)} problems", *lines]))


def meant(name: str, known: Iterable[str]) -> str:
    """A did-you-mean for a name that is close to a known one, else nothing."""
    close = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def brief(value: Any) -> str:
    """A value as its file would write it, cut to a readable length."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _place(detail: Mapping[str, Any], values: Any) -> tuple[str | int, ...]:
    """The error's location in the file: pydantic's own names of union members and the like left out."""
    place: tuple[str | int, ...] = ()
    for step in detail["loc"]:
        if _at(values, (*place, step)) is not _ABSENT:
            place = (*place, step)
    last = detail["loc"][-1:]
    return place + tuple(last) if detail["type"] in _MISSING else place


def _at(values: Any, place: Iterable[str | int]) -> Any:
    for step in place:
        inside = isinstance(values, dict) and step in values
        if not inside and not (isinstance(values, list) and isinstance(step, int) and step < len(values)):
            return _ABSENT
        values = values[step]
    return values


def _text(detail: Mapping[str, Any], place: Sequence[str | int], values: Any, schema: Mapping[str, Any]) -> str:
    if detail["type"] in _UNKNOWN:
        known = _keys(schema, place[:-1], values)
        return f"unknown key; wanted one of {', '.join(known) or 'no options'}{meant(str(place[-1]), known)}"
    if detail["type"] in _MISSING:
        return "missing; wanted a value"
    if detail["type"] in _CHOICE:
        known = _uses(schema, place, values)
        return f"`use:` one of {', '.join(known)}{meant(str(detail['ctx'].get('tag', '')), known)}"
    wanted = _PREAMBLE.sub("", str(detail["msg"])).partition(" after validation")[0]
    met = _at(values, place)
    choices = [word.strip("'") for word in wanted.replace(" or ", ", ").split(", ")]
    return wanted + (meant(met, choices) if detail["type"] == "literal_error" and isinstance(met, str) else "")


def _joined(texts: Sequence[str], met: Any) -> str:
    if met is _ABSENT or texts[0].startswith("unknown key"):
        return texts[0]
    return f"got {brief(met)}; wanted {'; or '.join(texts)}"


def _keys(schema: Mapping[str, Any], place: Sequence[str | int], values: Any) -> list[str]:
    """The keys that a JSON schema knows at a place, of the chosen alternative where the values choose one."""
    return sorted({key for node in _nodes(schema, schema, place, values) for key in node.get("properties", {})})


def _uses(schema: Mapping[str, Any], place: Sequence[str | int], values: Any) -> list[str]:
    """What `use` may say at a place."""
    nodes = _nodes(schema, schema, place, values)
    return sorted({use for node in nodes for use in node.get("discriminator", {}).get("mapping", {})})


def _nodes(
    schema: Mapping[str, Any], node: Mapping[str, Any], place: Sequence[str | int], value: Any
) -> Iterator[Mapping[str, Any]]:
    alternatives = _alternatives(schema, node, value)
    if not place:
        yield from alternatives
        return
    inner = _at(value, place[:1])
    for alternative in alternatives:
        for step in _inside(alternative, place[0]):
            yield from _nodes(schema, step, place[1:], inner)


def _alternatives(schema: Mapping[str, Any], node: Mapping[str, Any], value: Any) -> Iterator[Mapping[str, Any]]:
    members = [*node.get("anyOf", []), *_chosen(node, value)]
    if "$ref" in node:
        members.append(schema["$defs"][node["$ref"].rpartition("/")[2]])
    for member in members:
        yield from _alternatives(schema, member, value)
    yield node


def _chosen(node: Mapping[str, Any], value: Any) -> list[Mapping[str, Any]]:
    """The alternative that the value's `use` names."""
    mapping = node.get("discriminator", {}).get("mapping", {})
    use = value.get("use") if isinstance(value, dict) else None
    return [{"$ref": mapping[use]}] if use in mapping else []


def _inside(node: Mapping[str, Any], step: str | int) -> Iterator[Mapping[str, Any]]:
    inner = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
    for candidate in (inner, node.get("additionalProperties") if inner is None else None):
        if isinstance(candidate, dict):
            yield candidate
