"""The commands that README names exist; tests/docs runs its blocks and follows its links."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_make_targets_exist(target: str) -> None:
    assert any(f"make {target}" in code for language, code in BLOCKS if language == "sh")
    if shutil.which("make"):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_the_commands_it_lists_exist() -> None:
    from zbo_orchestrator.cli import app  # noqa: PLC0415

    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known = {name.replace("_", "-") for name in commands}
    named = set(re.findall(r"`zbo ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= known
