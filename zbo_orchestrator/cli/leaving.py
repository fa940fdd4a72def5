"""The end of the command's process, which nothing holds up."""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn

_AT_ONCE = threading.Event()


def at_once() -> None:
    """Say that what Prefect's client still holds can reach nobody: it would try for minutes at the process's end."""
    _AT_ONCE.set()


def leave(code: int) -> NoReturn:
    """End the process with an exit code; without the libraries' own ends where that was asked for."""
    if _AT_ONCE.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
