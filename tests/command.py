"""The `zbo` command, run in the tests' own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from zbo_orchestrator.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Zbo = Callable[..., Ended]


def runner(capsys: pytest.CaptureFixture[str]) -> Zbo:
    """Runs a command line and tells how it ended."""

    def run(*words: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return Ended(int(end.value.code or 0), said.out, said.err)

    return run
