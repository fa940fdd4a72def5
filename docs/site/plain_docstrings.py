"""Docstrings of this project are plain text; here they become reStructuredText for autodoc.

Single backticks are code, a name in them a link where it names something of the reference. Lines of a name, spaces and
what it is are a definition list, and so is `Args:`, where Prefect reads a form's words. What is indented is shown as it
stands.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from itertools import groupby
from textwrap import dedent, indent
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import TypeAliasForwardRef

_ITEM = re.compile(r"(\S(?:.*?\S)?) {2,}\S")
_NAMES = re.compile(r"[\w.<>-]+(\[[^\]]*\])?(, ?[\w.<>-]+(\[[^\]]*\])?)*")
_ARGUMENT = re.compile(r"^    (\w+): ")
_CLASS = re.compile(r"[A-Z]\w*[a-z]\w*(\.\w+)?")
_BOUNDED = re.compile(r"~?(?:typing\.)?Annotated\[(\w+)(?:, [~\w.]+\((?:[^()]|\([^()]*\))*\))+\]")
_SPECIAL = re.compile(r"[\\*|]|(?<=\w)_(?!\w)")


def as_rst(lines: Sequence[str]) -> list[str]:
    """The lines of a plain docstring as lines of reStructuredText."""
    blocks = (list(block) for filled, block in groupby(lines, key=lambda line: bool(line.strip())) if filled)
    return [line for block in blocks for line in _block(block)]


def inline(text: str) -> str:
    """Text of a paragraph: code in backticks marked as such, everything else taken literally."""
    words, *rest = re.split(r"`([^`]+)`", text)
    parts = [_SPECIAL.sub(r"\\\g<0>", words)]
    for code, after in zip(rest[::2], rest[1::2], strict=True):
        glue = "\\ " if after[:1].isalnum() else ""
        parts += [_code(" ".join(code.split())), glue, _SPECIAL.sub(r"\\\g<0>", after)]
    return "".join(parts)


def _code(text: str) -> str:
    return f":py:obj:`.{text}`" if _CLASS.fullmatch(text) else f"``{text}``"


def _block(lines: list[str]) -> list[str]:
    """One block between blank lines."""
    if lines[0] == "Args:":
        return _block([_ARGUMENT.sub(r"\1  ", line) for line in lines[1:]])
    if all(line.startswith("    ") for line in lines):
        return _verbatim(dedent("\n".join(lines)))
    column = next((len(found[0]) - 1 for line in lines if (found := _item(line))), 0)
    shown: list[str] = []
    for isitem, group in groupby(_entries(lines, column), key=lambda entry: bool(entry[0])):
        if isitem:
            shown += [part for name, text in group for part in (_term(name), f"    {inline(text)}")]
        else:
            shown += inline("\n".join(text for _, text in group)).splitlines()
        shown.append("")
    return shown


def _item(line: str) -> re.Match[str] | None:
    found = _ITEM.match(line)
    return found if found and _NAMES.fullmatch(found[1]) else None


def _entries(lines: list[str], column: int) -> Iterator[tuple[str, str]]:
    """(name, what it is) of a list's items, ("", text) of other lines; a line below an item's text goes on with it."""
    name, text = "", ""
    for line in lines:
        begun = _split(line, column)
        if name and not begun and not line[:column].strip():
            text += f" {line.strip()}"
            continue
        if name:
            yield name, text
        name, text = begun or ("", "")
        if not begun:
            yield "", line.strip()
    if name:
        yield name, text


def _split(line: str, column: int) -> tuple[str, str] | None:
    """Name and text of an item's first line: at the list's column, or two spaces apart where the name is too long."""
    found = _item(line)
    at = len(found[0]) - 1 if found else column
    head, text = line[:at], line[at:]
    return (head.strip(), text) if head.endswith(" ") and text.strip() and _NAMES.fullmatch(head.strip()) else None


def _term(names: str) -> str:
    return ", ".join(f"``{name}``" for name in re.split(r", ?(?![^\[]*\])", names))


def _verbatim(text: str) -> list[str]:
    """Python where it is some, else text."""
    try:
        ast.parse(text)
        language = "python"
    except SyntaxError:
        language = "text"
    return [f".. code-block:: {language}", "", *indent(text, "    ").splitlines(), ""]


def _docstring(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = as_rst(lines)


def _signature(
    _app: Sphinx, _what: str, _name: str, thing: Any, _options: Any, arguments: str | None, returned: str | None
) -> tuple[str, str] | None:
    """A signature that Sphinx can read and people can too; none for a Protocol, which is not called."""
    if isinstance(thing, type) and getattr(thing, "_is_protocol", False):
        return "", ""
    return (_readable(arguments), _readable(returned or "")) if arguments else None


def _readable(signature: str) -> str:
    """Without bounds, which stand with the parts, and without what makes a default."""
    return _BOUNDED.sub(r"\1", signature.replace("<factory>", "..."))


def _skip(app: Sphinx, _what: str, name: str, _thing: Any, _skipped: bool, _options: Any) -> bool | None:
    """Fields stand in the signature of their class, and are told in its docstring."""
    document = app.env.current_document
    owner: Any = import_module(document.autodoc_module) if document.autodoc_module else None
    for step in document.autodoc_class.split(".") if document.autodoc_class else ():
        owner = getattr(owner, step)
    known = [field.name for field in fields(owner)] if is_dataclass(owner) else getattr(owner, "_fields", ())
    return True if name in known else None


def setup(app: Sphinx) -> dict[str, bool]:
    # Within tuple[...] and the like Sphinx shows an alias by its repr, which is made for debugging.
    TypeAliasForwardRef.__repr__ = lambda alias: f"~{alias.name}"  # type: ignore[method-assign]
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
