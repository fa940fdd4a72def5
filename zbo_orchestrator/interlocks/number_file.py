"""A number that another program keeps writing to a file: a thermometer's logger, a pressure gauge's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Gt

from zbo_orchestrator.model import TransientError


@dataclass(frozen=True)
class NumberFile:
    """The number that a file holds, first on its last line; not to be read once it is older than `stale` seconds."""

    file: Path
    stale: Annotated[float, Gt(0)] = 10.0
    unit: str = ""

    def reading(self) -> float:
        age = time.time() - self.file.stat().st_mtime
        if age > self.stale:
            raise TransientError(f"{self.file} was last written {age:.0f} s ago; wanted {self.stale:g} s at most")
        words = self.file.read_text(encoding="utf-8").split("\n")
        said = [line for line in words if line.strip()][-1:]
        try:
            return float(said[0].split()[0])
        except (IndexError, ValueError) as error:
            raise TransientError(f"{self.file} ends in {''.join(said)[:80]!r}; wanted a number") from error
