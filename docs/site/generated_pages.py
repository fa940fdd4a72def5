"""What the code says of itself, put where a page has a line `<!-- generated: commands -->`: commands, parts, keys."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping

from campaign_keys import tables
from plain_docstrings import as_rst
from sphinx.application import Sphinx
from typer.main import get_group
from typer.testing import CliRunner

from zbo_orchestrator.campaign.catalogue import explained
from zbo_orchestrator.campaign.parts import KINDS, find, installed, options
from zbo_orchestrator.cli import app as zbo

_MARK = re.compile(r"^<!-- generated: ([\w ]+) -->$", re.MULTILINE)


def commands() -> Iterator[str]:
    """The help of zbo and of each of its commands."""
    for name in ("", *get_group(zbo).commands):
        yield from [f"## {f'zbo {name}'.strip()}", "", *_fenced("text", _help(name))]


def _help(name: str) -> str:
    words = [name, "--help"] if name else ["--help"]
    return CliRunner().invoke(zbo, words, prog_name="zbo", catch_exceptions=False).output.strip()


def parts() -> Iterator[str]:
    """Each installed part: what it is, then its options with types and defaults."""
    for kind in KINDS:
        yield from [f"## {kind.capitalize()}", ""]
        for name in installed(kind):
            part = find(kind, name)
            model = options(part).model_json_schema()
            about = "\n".join(as_rst((inspect.getdoc(part) or "").splitlines()))
            yield from [f"### {name}", "", *_fenced("{eval-rst}", about)]
            yield from _fenced("text", "\n".join(explained(model, model))) if model.get("properties") else []


def _fenced(language: str, text: str) -> list[str]:
    return [f"```{language}", text, "```", ""]


GENERATED: Mapping[str, Callable[[], Iterator[str]]] = {
    "commands": commands,
    "parts": parts,
    "campaign file": tables,
}


def _read(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = _MARK.sub(lambda mark: "\n".join(GENERATED[mark[1]]()), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
