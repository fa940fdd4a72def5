"""The systemd unit and the compose file are right: they parse, and what they run exists, with those options."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from zbo_orchestrator.cli import app

FOLDER = Path(__file__).parents[2] / "deployments"
UNIT = FOLDER / "systemd" / "zbo.service"
PAGE = FOLDER.parent / "docs" / "run-it-every-night.md"
SERVICES: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]


def understood(words: list[str]) -> None:
    """Raises where zbo or prefect does not know a command or an option; nothing is run."""
    program, *rest = words
    if program == "zbo":
        typer.main.get_command(app).commands[rest[0]].make_context(rest[0], rest[1:])
    else:
        from prefect.cli._app import _app as prefect  # noqa: PLC0415 (it has no public way to only parse)

        assert program == "prefect"
        prefect.parse_args(rest, exit_on_error=False, print_error=False)


def composed() -> list[list[str]]:
    """Every zbo and prefect command of the compose file."""
    found: list[list[str]] = []
    for service in SERVICES.values():
        command = service.get("command", [])
        typed = command[2].splitlines() if command[:1] == ["sh"] else [shlex.join(command)] if command else []
        found += [shlex.split(line.replace("$$", "$")) for line in typed]
    return found


def unit() -> ConfigParser:
    parsed = ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(UNIT)
    return parsed


def test_what_the_unit_starts_exists() -> None:
    assert unit().sections() == ["Unit", "Service", "Install"]
    words = shlex.split(unit()["Service"]["ExecStart"])
    assert Path(words[0]).name == "zbo"
    understood(["zbo", *words[1:]])
    assert unit()["Service"]["KillMode"] == "process", "an instrument's guardian outlives the service"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    start = unit()["Service"]["ExecStart"].split()[0]
    (tmp_path / UNIT.name).write_text(UNIT.read_text().replace(start, sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_what_is_composed_fits_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_NOTIFY", "https://chat.example/hooks/1234")
    assert len(composed()) == 8
    for words in composed():
        understood(words)
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            wanted = "healthcheck" if condition["condition"] == "service_healthy" else "command"
            assert wanted in SERVICES[other], f"{name} waits for {other}"
    environment = SERVICES["worker"]["environment"]
    assert environment["ZBO_FOLDER"] == SERVICES["worker"]["working_dir"], "runs work where the volume is"
    server = SERVICES["server"]
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    page = f"http://{server['ports'][0].removesuffix(':4200')}"
    assert server["environment"]["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == page, "no page but its own may ask"
    assert server["environment"]["PREFECT_SERVER_UI_API_URL"] == "/api", "a browser knows no name of the containers"


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    pieces = re.split(r"^```console", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert len(pieces) >= 8
    end_to_end = "".join(file.read_text() for file in (PAGE.parents[1] / "tests" / "e2e").glob("*.py"))
    for piece in pieces:
        title = re.match(r" title=\"([^\"]+)\"", piece)
        after = piece.partition("```")[2].lstrip()
        assert f'told("{title[1]}")' in end_to_end if title else after.startswith("<!-- not run: "), piece


def test_what_the_page_points_to_exists() -> None:
    named = re.findall(r"`((?:deployments|tests)/[\w./-]+)`", PAGE.read_text())
    assert len(named) >= 4
    assert [path for path in named if not (PAGE.parents[1] / path).exists()] == []
