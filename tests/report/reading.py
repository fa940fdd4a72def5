"""A report as a reader's browser takes it apart."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from zbo_orchestrator.model import Array

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.scripts[-1] += data
        elif "style" not in self._open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def figures(self) -> list[str]:
        return [attributes["id"] for attributes in self.all("figure")]

    @property
    def explorer(self) -> dict[str, Any] | None:
        """The data behind the slider."""
        kinds = [attributes.get("type", "") for attributes in self.all("script")]
        if "application/json" not in kinds:
            return None
        return dict(json.loads(self.scripts[kinds.index("application/json")]))


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def unpacked(data: dict[str, Any], layer: dict[str, Any], plan: int) -> Array:
    """A layer's values [candidate] at the plan-th kept plan, as the page computes them."""
    cells = np.frombuffer(base64.b64decode(data["cells"]), np.uint8).astype(bool)
    codes = np.frombuffer(base64.b64decode(layer["codes"][plan]), np.uint8)
    values = np.full(len(cells), np.nan)
    low, high = layer["low"][plan], layer["high"][plan]
    values[cells] = np.where(codes == 255, np.nan, low + codes / 254 * (high - low))
    return values
