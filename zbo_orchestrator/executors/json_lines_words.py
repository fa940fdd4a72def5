"""What is said to a program that speaks JSON lines, and how its answers are read (the protocol: `json_lines`).

Every reader raises `GarbledError`, or `ValueError`, with the value met and the value wanted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import (
    Array,
    Channel,
    ExecutionError,
    FatalError,
    Measurement,
    RefusedError,
    Run,
    Stopped,
    Trajectory,
    TransientError,
    ZboError,
)

Said = Mapping[str, Any]
"""One line as an object."""


class GarbledError(ValueError):
    """What a program said cannot be understood."""


ERRORS: dict[str, type[ZboError]] = {
    kind.__name__: kind for kind in (ExecutionError, RefusedError, TransientError, FatalError, Stopped)
}
"""The errors a program may answer with."""

# --- requests --------------------------------------------------------------------------------------


def execute(trajectory: Trajectory, run: Run) -> Said:
    channels = [{"name": channel.name, "unit": channel.unit} for channel in trajectory.channels]
    trial = {"number": run.number, "attempt": run.attempt, "seed": run.seed}
    return {"do": "execute", **trial, "dt": trajectory.dt, "channels": channels, "values": trajectory.values.tolist()}


def abort(reason: str) -> Said:
    return {"do": "abort", "reason": reason}


DESCRIBE: Said = {"do": "describe"}
SAFE: Said = {"do": "safe"}
CLOSE: Said = {"do": "close"}

# --- answers ---------------------------------------------------------------------------------------


def heard(line: bytes) -> Said:
    """A line as an object that says something."""
    try:
        said = json.loads(line)
    except ValueError as error:
        raise GarbledError(f"said {brief(line.decode(errors='replace'))}; wanted one JSON object a line") from error
    if not isinstance(said, dict) or not isinstance(said.get("say"), str):
        raise GarbledError(f'said {brief(json.dumps(said))}; wanted an object with a key "say"')
    return said


def error(said: Said) -> ZboError:
    kind, text = _field(said, "kind", str, "the name of an error"), _field(said, "text", str, "text")
    if kind not in ERRORS:
        raise GarbledError(f"kind is {kind!r}; wanted one of {', '.join(ERRORS)}")
    return ERRORS[kind](text)


def report(said: Said) -> tuple[int, int, dict[str, float]]:
    """Step, of how many, and values by name."""
    values = _numbers(said, "values")
    if clash := values.keys() & {"step", "of"}:
        raise GarbledError(f"values holds {', '.join(clash)}; wanted other names")
    return _whole(said, "step"), _whole(said, "of"), values


def measurement(said: Said, trajectory: Trajectory) -> Measurement:
    """Arrays by name, in float64; `executed` has the trajectory's channels and dt."""
    arrays = {name: _array(name, values) for name, values in _object(said, "arrays").items()}
    dims = {name: tuple(map(str, _field(said["dims"], name, list, "a list"))) for name in _object(said, "dims")}
    units = {name: str(unit) for name, unit in _object(said, "units").items()}
    executed = said.get("executed")
    if executed is not None:
        executed = Trajectory(_array("executed", executed), trajectory.dt, trajectory.channels)
    return Measurement(arrays, dims, units, executed)


def description(said: Said) -> Description:
    channels = _field(said, "channels", list, "a list of objects")
    limits = {name: _limits(name, values) for name, values in _object(said, "limits").items()}
    duration = _number("duration", said["duration"]) if "duration" in said else np.inf
    return Description(
        _field(said, "identity", str, "text"),
        tuple(Channel(_field(each, "name", str, "text"), str(each.get("unit", ""))) for each in channels),
        Envelope(limits, duration),
        simulated=said.get("simulated") is True,
    )


def readings(said: Said) -> dict[str, float]:
    return _numbers(said, "readings")


def brief(text: str) -> str:
    """The beginning of a line."""
    return text.strip() if len(text.strip()) <= 60 else f"{text.strip()[:57]}..."


# --- fields ----------------------------------------------------------------------------------------


def _field(said: Any, name: str, kind: type, wanted: str) -> Any:
    value = said.get(name) if isinstance(said, dict) else None
    if not isinstance(value, kind):
        raise GarbledError(f"{name} is {brief(json.dumps(value))}; wanted {wanted}")
    return value


def _object(said: Said, name: str) -> dict[str, Any]:
    """A field that is an object; one that is left out is empty."""
    return dict(_field({name: {}, **said}, name, dict, "an object"))


def _numbers(said: Said, name: str) -> dict[str, float]:
    return {key: _number(key, value) for key, value in _object(said, name).items()}


def _number(name: str, value: Any) -> float:
    """A number; null is NaN, which JSON cannot say."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise GarbledError(f"{name} is {brief(json.dumps(value))}; wanted a number")
    return math.nan if value is None else float(value)


def _whole(said: Said, name: str) -> int:
    number = _number(name, said.get(name))
    if not number.is_integer():
        raise GarbledError(f"{name} is {brief(json.dumps(said.get(name)))}; wanted a whole number")
    return int(number)


def _array(name: str, values: Any) -> Array:
    """Nested lists of one length a level, holding numbers and nulls."""
    array = np.array(values, dtype=object)  # in which lists of unequal lengths stay lists
    if any(isinstance(value, str | bool | dict | list) for value in array.flat):
        raise GarbledError(f"{name} is {brief(json.dumps(values))}; wanted numbers in lists of equal lengths")
    return array.astype(np.float64)


def _limits(name: str, values: Any) -> Limits:
    known = ("lower", "upper", "slew", "step", "energy")
    if not isinstance(values, dict) or not values.keys() <= set(known):
        raise GarbledError(f"limits of {name} are {brief(json.dumps(values))}; wanted an object of {', '.join(known)}")
    return Limits(**{key: _number(key, value) for key, value in values.items()})
