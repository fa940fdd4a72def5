"""Reading what a person measured from .npz, .npy and .csv, with every malformation named."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from zbo_orchestrator.model import Array, ConfigurationError, Measurement

_HEADING = re.compile(r"\s*(?P<name>[^\[\]]*?)\s*(\[(?P<unit>[^\[\]]*)\])?\s*")


def read_result(path: Path) -> Measurement:
    """Arrays by name: those of an .npz, the columns of a .csv (headed `name [unit]`), one .npy named as its file."""
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file; wanted what was measured, in .npz, .npy or .csv")
    match path.suffix.lower():
        case ".npz" | ".npy":
            return Measurement(_read_numpy(path))
        case ".csv":
            return _read_csv(path)
        case other:
            raise ConfigurationError(f"{path} ends in {other!r}; wanted .npz, .npy or .csv")


def _read_numpy(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {path.stem: loaded}
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}); wanted arrays of numbers, by name") from error


def _read_csv(path: Path) -> Measurement:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = [(number, row) for number, row in enumerate(csv.reader(lines), start=1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}); wanted columns of numbers below names") from error
    if len(rows) < 2:
        raise ConfigurationError(f"{path} holds {len(rows)} rows; wanted a row of names and rows of numbers")
    headings = [_heading(path, text) for text in rows[0][1]]
    names = [name for name, _ in headings]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{path} names the columns {', '.join(names)}; wanted every name once")
    values = np.array([_numbers(path, number, row, len(names)) for number, row in rows[1:]])
    return Measurement(
        {name: values[:, column] for column, name in enumerate(names)},
        dict.fromkeys(names, ("row",)),
        {name: unit for name, unit in headings if unit},
    )


def _heading(path: Path, text: str) -> tuple[str, str]:
    match = _HEADING.fullmatch(text)
    if match is None or not match["name"].isidentifier():
        raise ConfigurationError(f"{path} heads a column {text!r}; wanted a name, or a name and its unit: field [V]")
    return match["name"], match["unit"] or ""


def _numbers(path: Path, line: int, row: list[str], wanted: int) -> list[float]:
    if len(row) != wanted:
        raise ConfigurationError(f"{path} line {line} has {len(row)} values; wanted {wanted}, one for each name")
    try:
        return [float(text) for text in row]
    except ValueError as error:
        raise ConfigurationError(f"{path} line {line}: {error}; wanted numbers") from error
