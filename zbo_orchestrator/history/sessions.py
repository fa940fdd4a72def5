"""What a session ran on: host, Python, packages, threads; and how it differs from the session before."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
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
