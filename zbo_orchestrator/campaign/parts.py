"""Parts by name: found through entry points, their options checked against their constructors' type hints."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from zbo_orchestrator.campaign.complaints import Problem, brief, complaints, meant
from zbo_orchestrator.campaign.functions import HANDED, maker
from zbo_orchestrator.model import ConfigurationError

Kind = Literal["families", "decoders", "planners", "executors", "evaluators", "interlocks"]
KINDS: tuple[Kind, ...] = get_args(Kind)

STRICT = ConfigDict(
    extra="forbid",
    strict=True,
    frozen=True,
    arbitrary_types_allowed=True,
    ser_json_inf_nan="constants",
    use_attribute_docstrings=True,
)
"""How files are read: nothing unknown, nothing converted in silence (80 may stand for 80.0, "80" may not)."""


# --- finding ---------------------------------------------------------------------------------------


def installed(kind: Kind) -> dict[str, EntryPoint]:
    """The installed parts of a kind by name; two packages that claim one name are refused."""
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"zbo.{kind}"), key=lambda point: point.name):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise ConfigurationError(f"{kind} {point.name!r} is claimed by {other.value} and {point.value}; remove one")
    return found


def find(kind: Kind, use: str, *, allow_code: bool = False) -> Callable[..., Any]:
    """The class that a name, or with `allow_code` a `module:Class`, stands for; what makes a part of a function."""
    if ":" in use:
        return _code(kind, use, allow_code=allow_code)
    known = installed(kind)
    if use not in known:
        raise ConfigurationError(
            f"got {brief(use)}; wanted one of {', '.join(known) or 'none installed'}{meant(use, known)}"
        )
    return _load(known[use], kind)


def _code(kind: Kind, use: str, *, allow_code: bool) -> Callable[..., Any]:
    if not allow_code:
        names = ", ".join(installed(kind))
        raise ConfigurationError(
            f"got {brief(use)}, which is code; wanted --allow-code (allow_code of a flow), or one of {names}"
        )
    return _load(EntryPoint(use, use, f"zbo.{kind}"), kind)


def _load(point: EntryPoint, kind: Kind) -> Callable[..., Any]:
    try:
        part = point.load()
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{kind} {point.name!r} ({point.value}) cannot be imported: {error}") from error
    if not callable(part):
        raise ConfigurationError(f"{point.value} is {brief(part)}; wanted a class")
    if inspect.isfunction(part) and kind in HANDED:
        return maker(kind, part)
    return part  # type: ignore[no-any-return]


def _permitted(kind: Kind, use: str, folder: Path, *, allow_code: bool) -> Callable[..., Any]:
    """What `find` finds; code of one's own, which a part may take from its options (`runs_code`), is to be allowed."""
    if allow_code and ":" in use:
        _beside(folder)
    part = find(kind, use, allow_code=allow_code)
    if getattr(part, "runs_code", False):
        if not allow_code:
            raise ConfigurationError(
                f"got {brief(use)}, which runs code that its options name; wanted --allow-code (allow_code of a flow)"
            )
        _beside(folder)
    return part


def _beside(folder: Path) -> None:
    """A module of one's own lies beside the campaign file."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


# --- options ---------------------------------------------------------------------------------------


@cache
def options(part: Callable[..., Any]) -> type[BaseModel]:
    """The model of a part's options, one field for each argument of its constructor that a file can give.

    Fields are `option_<name>`, with the argument's name as alias: no option clashes with pydantic's methods.
    """
    fields: dict[str, Any] = {}
    for name, hint, default in _arguments(part):
        if _writable(hint):
            fields[f"option_{name}"] = (_told_apart(hint), Field(default, alias=name))
        elif default is ...:
            raise ConfigurationError(f"{_name(part)} needs {name}: {hint}, which a campaign file cannot give")
    return create_model(_name(part), __config__=STRICT, __doc__=_summary(part), **fields)


def _arguments(part: Callable[..., Any]) -> Iterator[tuple[str, Any, Any]]:
    """(name, type hint, default or ...) of each named argument."""
    hints = _hints(part)
    factories = _factories(part)
    for name, argument in inspect.signature(part).parameters.items():
        if argument.kind in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            default = ... if argument.default is argument.empty else argument.default
            yield name, hints.get(name, Any), factories[name]() if name in factories else default


def _hints(part: Callable[..., Any]) -> dict[str, Any]:
    """Type hints by argument; a dataclass inherits fields, whose hints are to be read where they were written."""
    place = part if dataclasses.is_dataclass(part) or not inspect.isclass(part) else part.__init__
    try:
        return get_type_hints(place, include_extras=True)
    except NameError as error:
        raise ConfigurationError(f"the type hints of {_name(part)} cannot be read: {error}") from error


def _factories(part: Callable[..., Any]) -> dict[str, Callable[[], Any]]:
    if not dataclasses.is_dataclass(part):
        return {}
    fields = dataclasses.fields(part)
    return {field.name: field.default_factory for field in fields if field.default_factory is not dataclasses.MISSING}


def _writable(hint: Any) -> bool:
    """Whether values of this type can stand in a file."""
    try:
        TypeAdapter(hint, config=None if _own_config(hint) else STRICT).json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return False
    return True


def _told_apart(hint: Any) -> Any:
    """A choice between option classes that each have a `use: Literal[...]` is decided, and faulted, by that alone."""
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else ()
    if choices and all(dataclasses.is_dataclass(each) and "use" in each.__annotations__ for each in choices):
        return Annotated[hint, Field(discriminator="use")]
    return hint


def _own_config(hint: Any) -> bool:
    return inspect.isclass(hint) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint))


def _name(part: Callable[..., Any]) -> str:
    return str(getattr(part, "__name__", part))


def _summary(part: Callable[..., Any]) -> str:
    return (inspect.getdoc(part) or "").partition("\n\n")[0]


# --- one part of one campaign ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A part with checked options, ready to be built.

    document   what a campaign file would say: `use` and every option, defaults filled in
    """

    kind: Kind
    make: Callable[..., Any]
    arguments: Mapping[str, Any]
    document: dict[str, Any]

    def build(self) -> Any:
        return self.make(**self.arguments)

    @property
    def identity(self) -> dict[str, Any]:
        """The document with every file named in it replaced by the digest of its contents."""
        return {name: _sealed(said, self.arguments.get(name)) for name, said in self.document.items()}


def _sealed(said: Any, value: Any) -> Any:
    """What the document says of a value; contents in place of a path, in option classes too."""
    if isinstance(value, Path):
        return _contents(value)
    if dataclasses.is_dataclass(value):
        return {name: _sealed(inner, getattr(value, name)) for name, inner in said.items()}
    return said


def _contents(path: Path) -> str:
    """The digest of a file, or of the names and contents of the files in a folder; of nothing else."""
    if path.is_dir():
        inside = [f"{file.name} {_contents(file)}" for file in sorted(path.iterdir()) if file.is_file()]
        return f"sha256:{hashlib.sha256(chr(10).join(inside).encode()).hexdigest()}"
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else str(path)


def specify(
    kind: Kind, section: Any, *, seed: int, folder: Path, allow_code: bool, typed: Container[str] | None = None
) -> Part | list[Problem]:
    """Check a section `{use: name, option: value, ...}`; the campaign's seed goes to a part that takes one.

    folder   where its relative paths start from, and inside which they stay, but for those in `typed`; None: all
    """
    if not isinstance(section, dict) or not isinstance(section.get("use"), str):
        return [("", f"got {brief(section)}; wanted `use: NAME` and options, NAME one of {', '.join(installed(kind))}")]
    try:
        make = _permitted(kind, section["use"], folder, allow_code=allow_code)
        model = options(make)
    except ConfigurationError as error:
        return [("use", str(error))]
    given = {name: value for name, value in section.items() if name != "use"}
    if "option_seed" in model.model_fields:
        given.setdefault("seed", seed)
    checked = check(model, given)
    if isinstance(checked, list):
        return checked
    settled, problems = {}, []
    for name in type(checked).model_fields:
        option = name[len("option_") :]
        try:
            settled[name] = _settle(getattr(checked, name), folder, typed if option in given else None)
        except ConfigurationError as error:
            problems.append((option, str(error)))
    if problems:
        return problems
    document = checked.model_copy(update=settled).model_dump(mode="json", by_alias=True, warnings=False)
    arguments = {name[len("option_") :]: value for name, value in settled.items()}
    return Part(kind, make, arguments, {"use": section["use"]} | document)


def _settle(value: Any, folder: Path, typed: Container[str] | None) -> Any:
    """A relative path starts from the campaign file's folder, and leaves it where it was typed by hand."""
    if isinstance(value, Path):
        return _inside(value, folder, typed)
    if type(value) in (list, tuple):
        return type(value)(_settle(each, folder, typed) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        settled = {name: _settle(each, folder, typed) for name, each in inner.items()}
        return dataclasses.replace(value, **settled) if settled != inner else value
    return value


def _inside(path: Path, folder: Path, typed: Container[str] | None) -> Path:
    settled = folder / path.expanduser()
    if typed is not None and str(path) not in typed and not settled.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(f"got {path}, outside {folder}; wanted a path inside, or this one with --set")
    return settled


Model = TypeVar("Model", bound=BaseModel)


def check(model: type[Model], values: Any) -> Model | list[Problem]:
    """The values as a model, or everything that is wrong with them."""
    try:
        return model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        return complaints(error.errors(include_url=False), values, model.model_json_schema())
