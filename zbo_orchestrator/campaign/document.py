"""Campaign files as plain data: strict YAML in, one dictionary out, every complaint with its place.

YAML is read by the rules of version 1.2, where `1e-3` is a number and `no` is a word. Keys that stand twice, keys that
are not words and aliases are refused: what the file seems to say is what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from zbo_orchestrator.campaign.complaints import Problem, brief, meant
from zbo_orchestrator.model import ConfigurationError

CAMPAIGNS = "zbo_campaigns"
"""The package that carries the shipped campaign files."""


class _Loader(yaml.SafeLoader):
    """Safe YAML, version 1.2 scalars, no duplicate keys, no aliases."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way of declaring it)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias (*name); wanted the value written out", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        met: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(problem=f"key {_text(key)}; wanted a word", problem_mark=key.start_mark)
            if key.value in met:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
            met.add(key.value)
        return super().construct_mapping(node, deep)


def _text(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "that is a list or mapping"


def _number(_: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


_INT = r"[-+]?[0-9]+"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def parse(text: str, origin: str) -> Any:
    """The value that a piece of YAML stands for; raises `ConfigurationError` with the line where it is malformed."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"{origin}{line}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{origin}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{origin}: nested too deeply to be a campaign") from error


def shipped() -> dict[str, Traversable]:
    """The campaigns that come with the package, by name."""
    files = resources.files(CAMPAIGNS).iterdir()
    return {Path(file.name).stem: file for file in sorted(files, key=str) if file.name.endswith(".yaml")}


def read(path_or_name: str | Path) -> tuple[dict[str, Any], str, Path]:
    """A campaign file as (document, its origin in words, the folder its relative paths start from)."""
    path = Path(path_or_name)
    known = shipped()
    file: Path | Traversable = path
    if not path.is_file() and str(path_or_name) in known:
        file = known[str(path_or_name)]
    elif not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise ConfigurationError(
            f"campaign {path}: {found}; wanted a YAML file, or the name of a shipped campaign: "
            f"{', '.join(known)}{meant(str(path_or_name), known)}"
        )
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"campaign {path}: cannot be read: {error}") from error
    document = parse(text, str(path_or_name))
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"{path_or_name}: holds {brief(document)}; wanted keys such as name, goal, budget, planner"
        )
    return document, str(path_or_name), path.resolve().parent if file is path else Path.cwd()


def override(document: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """The document with each `dotted.key=value` set; values are YAML, numbers in a path pick from a list."""
    changed = deepcopy(document)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise ConfigurationError(f"--set {assignment}: wanted key=value, such as planner.acquisition=ei")
        _place(changed, path, parse(value, f"--set {assignment}"), assignment)
    return changed


_PASSWORD = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_SECRET = re.compile(r"(^|[_-])(password|passwd|secret|token|(api|access|secret)[_-]?key)$", re.IGNORECASE)


def passwords(value: Any, place: str = "") -> Iterator[Problem]:
    """Where a document holds what looks like one: an address `scheme://user:password@host`, or a key that says so."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from passwords(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, str) and (_PASSWORD.search(value) or (value and _SECRET.search(place.rpartition(".")[2]))):
        yield place, "got a password, which the history would keep; wanted it in the environment of what uses it"


def typed(assignments: Sequence[str]) -> frozenset[str]:
    """Every text in the values of `dotted.key=value`, as a path is written: what a person typed."""
    values = (parse(value, f"--set {key}") for key, _, value in (each.partition("=") for each in assignments))
    return frozenset(str(Path(text)) for value in values for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _place(target: Any, path: list[str], value: Any, assignment: str) -> None:
    *parents, last = path
    for name in parents:
        if isinstance(target, dict):
            target[name] = target.get(name) or {}
        target = _inside(target, name, assignment)
    _inside(target, last, assignment, new=True)
    target[int(last) if isinstance(target, list) else last] = value


def _inside(target: Any, name: str, assignment: str, *, new: bool = False) -> Any:
    if isinstance(target, dict):
        return target.get(name) if new else target[name]
    if not isinstance(target, list):
        raise ConfigurationError(
            f"--set {assignment}: {name!r} lies inside {brief(target)}; wanted a section or a list"
        )
    if not (name.isdecimal() and int(name) < len(target)):
        raise ConfigurationError(f"--set {assignment}: got {name!r}; wanted a place in a list of {len(target)}, from 0")
    return target[int(name)]
