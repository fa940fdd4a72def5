"""The room that is left where measurements go."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FreeDisk:
    """Gigabytes (1e9 bytes) that a user may still write under `folder`."""

    folder: Path = Path()

    @property
    def unit(self) -> str:
        return "GB"

    def reading(self) -> float:
        return shutil.disk_usage(self.folder).free / 1e9
