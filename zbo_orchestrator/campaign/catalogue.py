"""What is installed, in words: parts with their options, shipped campaigns."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from zbo_orchestrator.campaign.complaints import meant
from zbo_orchestrator.campaign.document import parse, shipped
from zbo_orchestrator.campaign.parts import KINDS, Kind, find, installed, options
from zbo_orchestrator.model import ConfigurationError


def catalogue(about: str = "") -> Iterator[str]:
    """Lines about everything, one kind of parts, the campaigns, or one part with all its options explained."""
    sections = {kind: list(installed(kind)) for kind in KINDS} | {"campaigns": list(shipped())}
    if about and about not in sections:
        yield from _one(about, sections)
        return
    for kind in KINDS:
        if about in ("", kind):
            yield from ["", kind, *(f"  {name:<20} {_summary(kind, name)}" for name in sections[kind])]
    if about in ("", "campaigns"):
        yield from ["", "campaigns", *(f"  {name:<20} {_purpose(name)}" for name in sections["campaigns"])]


def _one(name: str, sections: dict[str, list[str]]) -> Iterator[str]:
    kinds: list[Kind] = [kind for kind in KINDS if name in sections[kind]]
    if not kinds:
        known = [*sections, *(part for parts in sections.values() for part in parts)]
        raise ConfigurationError(f"got {name!r}; wanted a kind or a part: {', '.join(known)}{meant(name, known)}")
    for kind in kinds:
        part = find(kind, name)
        model = options(part).model_json_schema()
        yield f"{name} ({kind})"
        yield from (f"  {line}".rstrip() for line in (inspect.getdoc(part) or "").splitlines())
        yield ""
        yield from explained(model, model, "    ")


def explained(node: dict[str, Any], whole: dict[str, Any], indent: str = "") -> Iterator[str]:
    """A line for each option with its type and default; below one that is a choice, those of every alternative."""
    for option, described in node.get("properties", {}).items():
        required = option in node.get("required", [])
        value = "required" if required else json.dumps(described.get("default"), ensure_ascii=False)
        value = "the campaign's" if option == "seed" else value
        if option != "use":
            yield f"{indent}{option:<24} {_type(described, whole)}  [{value}]"
        for use, reference in described.get("discriminator", {}).get("mapping", {}).items():
            yield f"{indent}    use: {use}"
            yield from explained(_resolved(reference, whole), whole, f"{indent}        ")


def _resolved(reference: str, whole: dict[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = whole["$defs"][reference.rpartition("/")[2]]
    return definition


def _summary(kind: Kind, name: str) -> str:
    try:
        return " ".join((options(find(kind, name)).__doc__ or "").split())
    except ConfigurationError as error:
        return f"not usable here: {error}"


def _purpose(name: str) -> str:
    """The first comment line of a shipped campaign."""
    text = shipped()[name].read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else str(parse(text, name).get("name", ""))


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _type(node: dict[str, Any], whole: dict[str, Any]) -> str:
    """A JSON schema node in a few words."""
    if "$ref" in node:
        inner = _resolved(node["$ref"], whole)
        return f"{{{', '.join(inner['properties'])}}}" if "properties" in inner else _type(inner, whole)
    if "discriminator" in node:
        return f"{{use: {' | '.join(node['discriminator']['mapping'])}, ...}}"
    if "anyOf" in node or "enum" in node:
        return " | ".join([*(_type(inner, whole) for inner in node.get("anyOf", [])), *map(str, node.get("enum", []))])
    if "prefixItems" in node:
        return f"[{', '.join(_type(inner, whole) for inner in node['prefixItems'])}]"
    if node.get("type") == "array":
        return f"list of {_type(node.get('items', {}), whole)}"
    bounds = "".join(f" {sign} {node[key]:.12g}" for key, sign in _BOUNDS.items() if key in node)
    return f"{node.get('const', node.get('type', 'anything'))}{bounds}"
