"""Every key of a campaign file, from its JSON schema, as tables: one of the plain keys, one for each section."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zbo_orchestrator.campaign.catalogue import explained
from zbo_orchestrator.campaign.settings import CampaignFile

Node = dict[str, Any]
_LINE = re.compile(r"\S+ +(.*)  \[.*\]")


@dataclass(frozen=True, slots=True)
class Key:
    """A key by its path, such as envelope.channels.NAME.upper; a section has no default that is worth a cell."""

    path: str
    type: str
    default: str
    description: str

    @property
    def row(self) -> str:
        default = f"`{self.default}`" if self.default else ""
        cells = (f"`{self.path}`", self.type.replace("|", "or"), default, self.description)
        return f"| {' | '.join(cells)} |"


def tables() -> Iterator[str]:
    """Markdown: a heading and a table for the plain keys, then for each section."""
    whole = CampaignFile.model_json_schema()
    sections = {key: node for key, node in whole["properties"].items() if _within(node, whole)}
    plain = {**whole, "properties": {key: node for key, node in whole["properties"].items() if key not in sections}}
    yield from _table(
        "The file", "Those of type part name [a part](parts.md) by `use:`; sections follow below.", keys(plain, whole)
    )
    for key, node in sections.items():
        _, section = _within(node, whole)  # type: ignore[misc]
        about = f"{node.get('description', '')} {section.get('description', '')}".strip()
        yield from _table(f"`{key}`", about, keys(section, whole, f"{key}."))


def keys(section: Node, whole: Node, before: str = "") -> Iterator[Key]:
    """The keys of a section and, below each, those of the sections within it."""
    for name, node in section["properties"].items():
        inner, path = _within(node, whole), f"{before}{name}"
        default = "required" if name in section.get("required", []) else json.dumps(node.get("default"))
        kind = _type(name, node, whole, inner is not None)
        yield Key(path, kind, "" if kind == "section" else default, " ".join(node.get("description", "").split()))
        if inner:
            yield from keys(inner[1], whole, f"{path}{inner[0]}.")


def _within(node: Node, whole: Node) -> tuple[str, Node] | None:
    """The section that a key holds, by itself, in a list ([]) or by name (.NAME); None where it holds a plain value."""
    choices = {"": [node, *node.get("anyOf", [])], "[]": [node.get("items", {})], ".NAME": [_others(node)]}
    for step, nodes in choices.items():
        for each in nodes:
            found: Node = whole["$defs"].get(each.get("$ref", "").rpartition("/")[2], {})
            if "properties" in found:
                return step, found
    return None


def _others(node: Node) -> Node:
    others = node.get("additionalProperties", {})
    return others if isinstance(others, dict) else {}


def _type(name: str, node: Node, whole: Node, holds_sections: bool) -> str:
    """As `zbo parts` words it."""
    if holds_sections:
        return {"array": "list", "object": "mapping"}.get(node.get("type", ""), "section")
    (line, *_) = explained({"properties": {name: node}}, whole)
    (kind,) = _LINE.fullmatch(line).groups()  # type: ignore[union-attr]
    return kind.replace("anything", "part")


def _table(heading: str, about: str, rows: Iterator[Key]) -> Iterator[str]:
    yield from [f"## {heading}", "", about, "", "| key | type | default | |", "|---|---|---|---|"]
    yield from (key.row for key in rows)
    yield ""
