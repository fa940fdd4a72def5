"""README's Python runs as it stands, in the order it stands, in one folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_python_blocks_run_one_after_another(tmp_path: Path) -> None:
    script = tmp_path / "readme.py"
    script.write_text("\n".join(code for language, code in BLOCKS if language == "python"))
    ended = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "trials when trial 2 was recorded" in ended.stdout


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_make_targets_exist(target: str) -> None:
    assert any(f"make {target}" in code for language, code in BLOCKS if language == "sh")
    if shutil.which("make"):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_the_files_it_points_to_exist() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_it_lists_exist() -> None:
    from zbo_orchestrator.cli import app  # noqa: PLC0415

    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known = {name.replace("_", "-") for name in commands}
    named = set(re.findall(r"`zbo ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= known
