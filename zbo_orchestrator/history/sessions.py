"""What a session ran on: host, Python, packages, threads; and how it differs from the session before."""

from __future__ import annotations

import os
import platform
import socket
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from zbo_orchestrator.model import Json

_PACKAGES = (
    "zbo-orchestrator",
    "botorch",
    "gpytorch",
    "icechunk",
    "numba",
    "numpy",
    "prefect",
    "pyro-ppl",
    "pyroved",
    "scipy",
    "torch",
    "zarr",
)
_COMPARED = ("host", "platform", "python", "cpus", "threads", "versions")


class SessionWarning(UserWarning):
    """A campaign goes on in other surroundings than its last session's."""


def opening(before: Sequence[Json], width: int | None) -> dict[str, Any]:
    """The row of a new session; warns with `SessionWarning` where it differs from the last one."""
    now = {**surroundings(), "width": width}
    differing = list(changes(before[-1], now)) if before else []
    if differing:
        warnings.warn(f"since the last session {'; '.join(differing)}", SessionWarning, stacklevel=5)
    return now


def surroundings() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "versions": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
    }


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def changes(before: Json, now: Json) -> Iterator[str]:
    """What differs between two sessions, in words."""
    for key in _COMPARED:
        if key == "versions":
            yield from _version_changes(before.get(key, {}), now[key])
        elif before.get(key) != now[key]:
            yield f"{key} was {before.get(key)}, is {now[key]}"


def _version_changes(before: Json, now: Json) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{name} was {before.get(name, 'absent')}, is {now.get(name, 'absent')}"
