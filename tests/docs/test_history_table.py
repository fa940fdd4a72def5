"""The tables of docs/read-a-history.md name what a history has: every variable with its dimensions, every attribute."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatch
from itertools import cycle
from pathlib import Path

import pytest
import xarray as xr
from pages import PAGES
from reader import Reader

from zbo_orchestrator.history import open_history

PAGE = PAGES["read-a-history.md"].read_text()


@pytest.fixture
def history(campaign_file: Callable[..., Path], reader: Reader) -> xr.Dataset:
    code, printed = reader.run(f"zbo run {campaign_file()} --without-prefect --no-report")
    assert code == 0, printed
    return open_history("histories/small")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of its own."""
    _, _, table = PAGE.partition(f"| {heading} |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def told() -> dict[str, set[str]]:
    """Each variable's dimensions; where a row names several that differ, a semicolon parts these."""
    found = {}
    for names, dimensions, *_ in rows("variable"):
        for name, those in zip(re.findall(r"`([^`]+)`", names), cycle(dimensions.split(";"))):
            found[name] = {word.strip() for word in those.split(",")}
    return found


def test_every_variable_and_nothing_else(history: xr.Dataset) -> None:
    table, met = told(), set()
    for name, variable in history.data_vars.items():
        (row,) = (row for row in table if fnmatch(str(name), row))
        met.add(row)
        axes = {"trial", "and axes of its own"} if row == "measured_*" else set(map(str, variable.dims))
        assert table[row] == axes, name
    assert met == set(table)


def test_what_is_told_in_seconds_says_so_itself(history: xr.Dataset) -> None:
    told_in_seconds = [
        name for names, _, words in rows("variable") if "seconds" in words for name in re.findall(r"`([^`]+)`", names)
    ]
    assert len(told_in_seconds) == 5
    assert {history[name].attrs["units"] for name in told_in_seconds} == {"s"}


def test_every_dimension_but_those_of_measurements(history: xr.Dataset) -> None:
    table = {name for names, _ in rows("dimension") for name in re.findall(r"`([^`]+)`", names)}
    measured = {name for name in history if str(name).startswith("measured_")}
    assert set(history.drop_vars(measured).dims) == table


def test_every_attribute(history: xr.Dataset) -> None:
    paragraph = PAGE.partition("The attributes: ")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", paragraph)) == set(history.attrs)
