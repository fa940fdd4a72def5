"""A package for an instrument of one's own, as `zbo new-plugin` writes it: it works before anybody has touched it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zbo_orchestrator.cli import main


def made(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["new-plugin", *map(str, words)])
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins") / "attic-lamp"
    assert made("attic-lamp", "--folder", folder) == 0
    return folder


@pytest.mark.long
def test_its_own_tests_pass_uninstalled(package: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "skipped" not in ended.stdout


def test_its_campaign_runs_under_the_names_that_it_installs(package: Path, tmp_path: Path) -> None:
    points = tomllib.loads((package / "pyproject.toml").read_text())["project"]["entry-points"]
    info = tmp_path / "attic_lamp-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: attic-lamp\nVersion: 0.1.0\n")
    groups = [[f"[{group}]", *(f"{name} = {value}" for name, value in each.items())] for group, each in points.items()]
    (info / "entry_points.txt").write_text("\n".join(line for lines in groups for line in lines))
    campaign = ["zbo_orchestrator.cli", "run", str(package / "attic-lamp.yaml"), "--trials", "3", "--without-prefect"]
    ended = subprocess.run(
        [sys.executable, "-m", *campaign, "--no-report", "--set", "executor.dwell=0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package / "src"), str(tmp_path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "3 scored" in ended.stdout


def test_no_placeholder_is_left(package: Path) -> None:
    files = [path for path in package.rglob("*") if path.suffix in {".py", ".toml", ".yaml", ".md"}]
    assert len(files) == 7
    assert [path for path in files if "{{" in path.read_text()] == []


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("My_Lab", "plugin 'My_Lab'; wanted small letters, digits and hyphens, such as my-lab"),
        ("../lab", "wanted small letters"),
        ("class", "wanted small letters"),
        ("numpy", "a module numpy is installed already; wanted a new name"),
        ("json", "a module json is installed already"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(
    name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert made(name) == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_stands_already_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert made("attic-lamp", "--folder", tmp_path) == 2
    assert "exists already; wanted a folder to make" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert made("attic-lamp", "--folder", tmp_path / "notes.txt" / "lamp") == 2
    assert "Not a directory; wanted a folder that can be made" in capsys.readouterr().err
