"""The tutorial is right: its files are written, its commands run, and what it shows them print is what they print."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from zbo_orchestrator.cli import main

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "plug-in-an-instrument.md").read_text()
BLOCKS = re.findall(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)


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


def pattern(shown: tuple[str, ...]) -> re.Pattern[str]:
    """The shown lines in their order; `...` stands for anything, alone for any lines; spaces do not count."""
    parts = []
    for line in shown:
        words = [re.escape(word).replace(re.escape("..."), ".*?") for word in line.split()]
        parts.append(r"(?:.*\n)*?" if line == "..." else r"[ \t]*" + r"[ \t]+".join(words) + r"[ \t]*\n")
    return re.compile(r"\s*" + r"\n*".join(parts) + r"\s*")


@dataclass(frozen=True)
class Terminal:
    """Where a reader types: a folder, with zbo and python at hand. Bare zbo commands run in this process: sooner."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        sys.modules.pop(Path(name).stem, None)
        importlib.invalidate_caches()

    def run(self, words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        program, *rest = shlex.split(words)
        if program != "zbo" or "&" in rest:
            ended = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
            return ended.returncode, ended.stdout + ended.stderr
        self.capture.readouterr()
        with pytest.raises(SystemExit) as end:
            main(rest)
        return int(end.value.code or 0), "".join(self.capture.readouterr())


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZBO_CARDS", str(tmp_path / "cards"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    before = dict(sys.modules)
    yield Terminal(tmp_path, capsys)
    for name in (Path(title).stem for _, title, _ in BLOCKS if title.endswith(".py")):
        sys.modules.pop(name, None)
        if name in before:
            sys.modules[name] = before[name]


def test_every_file_and_command_of_the_tutorial(terminal: Terminal) -> None:
    for language, title, text in BLOCKS:
        if title:
            terminal.write(title, text)
        elif language == "console":
            for command in commands(text):
                code, printed = terminal.run(command.words)
                told = f"$ {command.words}\n{printed}\nwanted, in this order,\n" + "\n".join(command.shown)
                assert (code != 0) == command.fails, told
                assert pattern(command.shown).fullmatch(printed), told


def test_what_it_points_to_exists() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", TUTORIAL)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    titles = re.findall(r"^#+ (.*)$", TUTORIAL, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", TUTORIAL)) <= headings


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (("a  b", "..."), "a b\nanything\n", True),
        (("a ... c",), "a bbb c\n", True),
        (("a", "c"), "a\nb\nc\n", False),
        (("8 scored",), "8 scored, 1 failed\n", False),
    ],
)
def test_how_shown_lines_are_compared(shown: tuple[str, ...], printed: str, fits: bool) -> None:
    assert bool(pattern(shown).fullmatch(printed)) == fits
