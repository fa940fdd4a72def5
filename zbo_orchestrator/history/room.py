"""Room on the disk for the record of a trial that cannot be had again: held from its start until it is recorded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from zbo_orchestrator.model import HistoryError

LEAST = 16 * 2**20
"""Bytes held for a trial whose measurement may be of any size: none is recorded yet."""


class Room:
    """A file for each trial under way, in `<history>.room`; gone with the trial, or as the history is next opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hold(self, number: int, size: int) -> None:
        """Raises `HistoryError` where the disk has not so many bytes left: the trial is not to start."""
        try:
            self._folder.mkdir(exist_ok=True)
            with (self._folder / str(number)).open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as full:
            self.release(number)
            raise HistoryError(
                f"trial {number} is not started: no room for its record beside {self._folder.with_suffix('')}: "
                f"{full.strerror}; wanted {size / 2**20:.0f} MiB"
            ) from full

    def release(self, number: int) -> None:
        """From now on there is room for what is written."""
        (self._folder / str(number)).unlink(missing_ok=True)

    def clear(self) -> None:
        """Let go of all."""
        shutil.rmtree(self._folder, ignore_errors=True)
