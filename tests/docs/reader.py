"""Somebody who does what a page says, in a folder, and compares what it shows with what appears."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pages import Block

from zbo_orchestrator.cli import main

_NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
_SHELL = re.compile(r"[&|;<>$]")
_OWN_SERVER = {"run", "compare", "serve"}
"""Commands that start a Prefect server unless they are told not to: they get a process of their own."""


@dataclass(frozen=True)
class Command:
    words: str
    shown: tuple[str, ...]

    @property
    def fails(self) -> bool:
        return any(line.startswith("zbo: ") for line in self.shown)


def commands(block: str) -> Iterator[Command]:
    """The `$ ` lines of a console block, each with the lines shown after it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        words, *shown = part.splitlines()
        yield Command(words, tuple(shown))


def pattern(shown: tuple[str, ...], any_numbers: bool = False) -> re.Pattern[str]:
    """The shown lines in their order; `...` stands for anything, alone for any lines; spaces do not count."""
    parts = []
    for line in shown:
        words = [_word(word, any_numbers) for word in line.split()]
        parts.append(r"(?:.*\n)*?" if line == "..." else r"[ \t]*" + r"[ \t]+".join(words) + r"[ \t]*\n")
    return re.compile(r"\s*" + r"\n*".join(parts) + r"\s*")


def _word(word: str, any_numbers: bool) -> str:
    if word == "...":
        return ".*?"
    pieces = re.split(rf"(\.\.\.|{_NUMBER})", word)
    return "".join(_piece(piece, any_numbers) for piece in pieces)


def _piece(piece: str, any_numbers: bool) -> str:
    if piece == "...":
        return ".*?"
    return _NUMBER if any_numbers and re.fullmatch(_NUMBER, piece) else re.escape(piece)


@contextmanager
def one_stream() -> Iterator[StringIO]:
    """Output and errors in the order in which a terminal shows them."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        yield said


@dataclass
class Reader:
    """Types in a folder, with zbo and python at hand. Bare zbo commands and Python run in this process: sooner."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str = ""

    def follow(self, blocks: list[Block]) -> None:
        """Do all that is not excused, in order; titled consoles are typed elsewhere (tests/e2e).

        A text right behind Python is what that prints.
        """
        before = ""
        for block in (block for block in blocks if not block.excuse):
            if block.language == "console":
                self._type([] if block.title else list(commands(block.text)), block.any_numbers)
            elif block.title:
                self._write(block.title, block.text)
            elif block.language == "python":
                self._interpret(block.text)
            elif block.language in {"sh", "bash"}:
                self._compare(Command(block.text, ("...",)), *self._shell(f"set -e\n{block.text}"))
            elif block.language == "text" and before == "python":
                self._compare(Command("python", tuple(block.text.splitlines())), 0, self.printed, block.any_numbers)
            before = block.language

    def run(self, words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        program, *rest = shlex.split(words)
        server = bool(rest) and rest[0] in _OWN_SERVER and "--without-prefect" not in rest
        if program != "zbo" or server or _SHELL.search(words):
            return self._shell(words)
        with one_stream() as said, pytest.raises(SystemExit) as end:
            main(rest)
        return int(end.value.code or 0), said.getvalue()

    def _type(self, typed: list[Command], any_numbers: bool) -> None:
        for command in typed:
            self._compare(command, *self.run(command.words), any_numbers)

    def _compare(self, command: Command, code: int, printed: str, any_numbers: bool = False) -> None:
        told = f"$ {command.words}\n{printed}\nwanted, in this order,\n" + "\n".join(command.shown)
        assert (code != 0) == command.fails, f"exit code {code}: {told}"
        assert pattern(command.shown, any_numbers).fullmatch(printed), told

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        sys.modules.pop(Path(name).stem, None)
        importlib.invalidate_caches()

    def _interpret(self, text: str) -> None:
        with one_stream() as said:
            exec(text, self.names)
        self.printed = said.getvalue()

    def _shell(self, words: str) -> tuple[int, str]:
        """What it leaves in the background ends with it."""
        log = self.folder / "temporary" / "shell.log"
        with log.open("w") as sink:
            shell = subprocess.Popen(["bash", "-c", words], stdout=sink, stderr=sink, start_new_session=True)
            code = shell.wait()
            with suppress(ProcessLookupError):  # nothing was left
                os.killpg(shell.pid, signal.SIGTERM)
        return code, log.read_text()
