"""The pages of the documentation, and what stands between their fences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {page.name: page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
TYPED = {"console", "sh", "bash", "python"}
"""Languages of blocks that a reader types."""

_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$(?:\n+<!-- not run: (.+?) -->)?", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


@dataclass(frozen=True)
class Block:
    """What is fenced: a file where it has a title, the reason why nothing runs it, whether numbers in it may differ."""

    language: str
    title: str
    text: str
    excuse: str
    any_numbers: bool


@dataclass(frozen=True)
class Link:
    """From a page to a file beside it, or to a heading; an empty path means the page itself."""

    page: str
    path: str
    anchor: str

    @property
    def target(self) -> Path:
        return (PAGES[self.page].parent / self.path).resolve() if self.path else PAGES[self.page]

    @property
    def leads_somewhere(self) -> bool:
        return self.target.exists() and (not self.anchor or self.anchor in anchors(self.target))


def blocks(page: str) -> list[Block]:
    """In the order of the page; `title="..."` and `numbers="any"` stand behind the language."""
    found = []
    for info, text, excuse in _BLOCK.findall(PAGES[page].read_text()):
        said = dict(re.findall(r'(\w+)="([^"]*)"', info))
        language = info.partition(" ")[0]
        found.append(Block(language, said.get("title", ""), text, excuse, said.get("numbers") == "any"))
    return found


def links(page: str) -> list[Link]:
    """All but those to other sites."""
    return [Link(page, path, anchor) for path, anchor in _LINK.findall(_prose(PAGES[page]))]


def anchors(page: Path) -> set[str]:
    """What a browser calls the headings."""
    titles = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())
