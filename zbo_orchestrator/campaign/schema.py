"""The JSON schema of campaign files, with the options of every installed part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zbo_orchestrator.campaign.loading import SECTIONS
from zbo_orchestrator.campaign.parts import Kind, find, installed, options
from zbo_orchestrator.campaign.settings import CampaignFile
from zbo_orchestrator.model import ConfigurationError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CODE = {
    "type": "object",
    "description": "A class of one's own, as module:Class; runs only with --allow-code.",
    "properties": {"use": {"type": "string", "pattern": "^[\\w.]+:\\w+$"}},
    "required": ["use"],
}


def schema() -> dict[str, Any]:
    """A JSON schema that editors can check and complete campaign files with."""
    whole = CampaignFile.model_json_schema()
    definitions = whole["$defs"]
    for section, kind in SECTIONS.items():
        description = whole["properties"][section].get("description", "")
        whole["properties"][section] = {"description": description, **_choice(kind, definitions)}
    definitions["LibrarySection"]["properties"]["families"]["items"] = _choice("families", definitions)
    reading = definitions["InterlockSection"]["properties"]["reading"]
    definitions["InterlockSection"]["properties"]["reading"] = {**reading, **_choice("interlocks", definitions)}
    return {"$schema": DIALECT, **_finite(whole)}


def _choice(kind: Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    """Any installed part of a kind; those that cannot be imported on this machine are left out."""
    names = []
    for use in installed(kind):
        try:
            model = options(find(kind, use))
        except ConfigurationError:
            continue
        definitions[f"{kind}.{use}"] = _part(use, model.model_json_schema(), definitions)
        names.append(f"{kind}.{use}")
    return {"anyOf": [*({"$ref": f"#/$defs/{name}"} for name in names), CODE]}


def _part(use: str, part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    definitions.update(part.pop("$defs", {}))
    part["properties"] = {"use": {"const": use}, **part.get("properties", {})}
    part["required"] = ["use", *part.get("required", [])]
    return part


def _finite(value: Any) -> Any:
    """The same without infinite defaults, which JSON cannot say."""
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if not (isinstance(item, float) and not math.isfinite(item))}
        return {key: _finite(item) for key, item in kept.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
