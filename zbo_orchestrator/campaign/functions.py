"""Plain functions as parts: what a role hands them comes first, the parameters after that are their options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any

from zbo_orchestrator.evaluators import function as evaluating
from zbo_orchestrator.executors import function as executing
from zbo_orchestrator.model import ConfigurationError

HANDED: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "executors": (executing.Function, ("trajectory",)),
    "evaluators": (evaluating.Function, ("trajectory", "measurement")),
}
"""By kind of part: what makes one of a function, and what the function is handed, in that order."""


@cache
def maker(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """What makes a part of a function from the function's options, whose names, types and defaults it shows."""
    adapter, handed = HANDED[kind]
    name, parameters = function.__name__, list(inspect.signature(function).parameters.values())
    first, options = parameters[: len(handed)], parameters[len(handed) :]
    if [each.kind in _BY_PLACE for each in first] != [True] * len(handed):
        met = ", ".join(map(str, parameters)) or "nothing"
        raise ConfigurationError(f"{name} takes {met}; wanted {' and '.join(handed)} first")
    for option in options:
        if option.kind is option.POSITIONAL_ONLY:
            raise ConfigurationError(f"{name} takes {option.name} by place; wanted options by name")

    @wraps(function)
    def make(**given: Any) -> Any:
        return adapter(function, **given)

    make.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return make


_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
