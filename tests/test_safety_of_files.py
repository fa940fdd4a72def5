"""Files that come from elsewhere: a campaign file is data, its paths stay at home, secrets stay out of the record."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import lab
import pytest

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ConfigurationError

FUSSY = "lab:Fussy"
SECRET = "hunter2-that-nobody-may-read"
SECRETS = ("AWS_SECRET_ACCESS_KEY", "PREFECT_API_KEY", "GITHUB_TOKEN", "LAB_PASSWORD", "DATABASE_URL")


@pytest.fixture
def campaign(tmp_path: Path) -> Callable[..., Path]:
    """Writes a campaign into a folder of its own, with a file beside it that is none of its business."""
    folder = tmp_path / "campaign"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "mine.csv").write_text("1,2,3")
    (tmp_path / "private.csv").write_text("4,5,6")
    return lambda **sections: lab.written(folder, lab.DIRECT, **sections)


# --- a campaign file is data


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [touch trap]",
        "!!python/object/new:os.system [touch trap]",
        "!!python/name:os.system",
        "!!python/module:antigravity",
        "!include /etc/passwd",
    ],
)
def test_a_tag_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "trap.yaml"
    file.write_text(f"name: trap\nnotes: {tag}\n")
    with pytest.raises(ConfigurationError, match=r"trap\.yaml, line 2: could not determine a constructor"):
        load(file)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "sections",
    [
        {"executor": {"use": "trap:Hill"}},
        {"executor": {"use": "trap:run"}},
        {"planner": {"use": "trap:Hill"}},
        {"decoder": {"use": "trap:Hill"}},
        {"evaluator": {"use": "trap:Hill"}},
        {"executor": {"use": "json-lines", "command": ["touch", "trap"]}},
        {"executor": {"use": "json-lines-instrument", "command": ["touch", "trap"]}},
        {"executor": {"use": "ophyd", "device": "trap:Hill"}},
        {"interlocks": [{"reading": {"use": "trap:Hill"}, "upper": 1}]},
        {"library": {**lab.CURVES["library"], "families": [{"use": "trap:Hill"}]}},
    ],
)
def test_code_is_refused_where_nobody_allowed_it(
    campaign: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, sections: dict[str, object]
) -> None:
    usual = {"executor": {"use": "by-hand"}, "evaluator": {"use": "told"}}
    file = campaign(**{**usual, **sections})
    (file.parent / "trap.py").write_text("import pathlib; pathlib.Path(__file__).with_name('trap').touch()")
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigurationError, match="wanted --allow-code") as refused:
        load(file)
    assert not (file.parent / "trap").exists()
    assert str(file.parent) not in sys.path
    assert "2 problems" not in str(refused.value), "refused for another reason too"


# --- its paths stay at home


def fussy(file: Path, *overrides: str) -> Campaign:
    return load(file, overrides, allow_code=True)


@pytest.mark.parametrize("path", ["/etc/passwd", "../private.csv", "data/../../private.csv", "~/.ssh/id_rsa"])
def test_a_path_out_of_the_campaigns_folder_is_refused(campaign: Callable[..., Path], path: str) -> None:
    file = campaign(planner={"use": FUSSY, "curves": path})
    with pytest.raises(ConfigurationError) as refused:
        fussy(file)
    assert f"planner.curves: got {path}, outside {file.parent}; wanted a path inside" in str(refused.value)
    assert "--set" in str(refused.value)


def test_nor_does_a_link_or_an_option_within_an_option_lead_out(campaign: Callable[..., Path]) -> None:
    file = campaign(planner={"use": FUSSY, "curves": "data/link.csv"})
    (file.parent / "data" / "link.csv").symlink_to(file.parent.parent / "private.csv")
    with pytest.raises(ConfigurationError, match=r"planner\.curves: got data/link\.csv, outside"):
        fussy(file)
    nested = {"use": "lab:Choosy", "images": {"use": "stored", "folder": ".."}}
    with pytest.raises(ConfigurationError, match=r"executor\.images: got \.\., outside"):
        fussy(campaign(executor=nested))


def test_a_path_inside_is_taken_and_one_typed_by_hand_leads_anywhere(campaign: Callable[..., Path]) -> None:
    file = campaign(planner={"use": FUSSY, "curves": "data/mine.csv"})
    private = file.parent.parent / "private.csv"
    assert fussy(file).document["planner"]["curves"] == str(file.parent / "data" / "mine.csv")
    assert fussy(file, f"planner.curves={private}").document["planner"]["curves"] == str(private)
    whole = f"planner={{use: '{FUSSY}', curves: ../private.csv}}"
    assert Path(fussy(file, whole).document["planner"]["curves"]).resolve() == private.resolve()
    with pytest.raises(ConfigurationError, match="outside"):  # what else is typed does not loosen the file's own
        fussy(campaign(planner={"use": FUSSY, "curves": "/etc/passwd"}), "planner.share=0.4")


# --- secrets


@pytest.mark.long
def test_no_credential_of_the_environment_is_kept_or_said(campaign_file: Callable[..., Path], tmp_path: Path) -> None:
    """Neither in the history, its report, its netCDF file and its log, nor in what the command prints."""
    environment = {**os.environ, **dict.fromkeys(SECRETS, f"https://user:{SECRET}@db"), "OMP_NUM_THREADS": "1"}
    history = tmp_path / "histories" / "small"

    def zbo(*words: object) -> bytes:
        command = [sys.executable, "-m", "zbo_orchestrator.cli", *map(str, words)]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    said = zbo("run", campaign_file(budget={"initial": 2, "total": 3}), "--history", history, "--without-prefect")
    said += zbo("export", history, tmp_path / "small.nc")
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(kept) > 20
    assert (tmp_path / "histories" / "small.html").exists()
    assert all(SECRET.encode() not in text for text in [*kept, said])


def test_nor_is_any_in_what_the_history_packs(
    campaign_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are compressed: what they hold has to be looked at unpacked."""
    for name in SECRETS:
        monkeypatch.setenv(name, SECRET)
    conduct(load(campaign_file(budget={"initial": 2, "total": 2})), tmp_path / "history", Watcher())
    record = Record.read(tmp_path / "history")
    held = [record.sessions, record.events, record.charter.campaign, record.charter.identity, record.charter.notes]
    assert record.sessions
    assert SECRET not in repr([*held, record.log()])


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"notes": {"elab": "https://ada:PASSWORD@elab.example/7"}}, "notes.elab"),
        ({"executor": {"use": "json-lines", "command": ["drive", "tcp://ada:PASSWORD@stage"]}}, "executor.command.1"),
        ({"executor": {"use": "lab:Hill", "api_token": "PASSWORD"}}, "executor.api_token"),
        ({"notes": {"lab": [{"password": "PASSWORD"}]}}, "notes.lab.0.password"),
    ],
)
def test_a_password_in_a_campaign_file_is_refused_and_not_repeated(
    campaign: Callable[..., Path], sections: dict[str, object], place: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"{re.escape(place)}: got a password") as refused:
        load(campaign(**sections), allow_code=True)
    assert "PASSWORD" not in str(refused.value)


def test_an_address_without_a_password_is_none(campaign: Callable[..., Path]) -> None:
    notes = {"elab": "https://elab.example:8080/7?user=ada@example", "secret": 12, "password": ""}
    assert load(campaign(notes=notes), allow_code=True).notes == notes


# --- the server


@pytest.mark.prefect
@pytest.mark.parametrize("served", ["PREFECT_API_URL", "ZBO_PAGES"])
def test_what_is_served_is_on_loopback_alone_unless_told_otherwise(api: str, served: str) -> None:
    httpx.get(os.environ[served], timeout=30, follow_redirects=True)
    port = f"{urlsplit(os.environ[served]).port:04X}"
    listening = [
        address
        for table in ("tcp", "tcp6")
        for address, state in map(_socket, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if state == "0A" and address.endswith(f":{port}")
    ]
    assert listening == [f"0100007F:{port}"]


@pytest.mark.prefect
@pytest.mark.parametrize("served", ["PREFECT_API_URL", "ZBO_PAGES"])
def test_a_web_page_whose_name_leads_here_is_not_answered(api: str, served: str) -> None:
    assert httpx.get(os.environ[served], headers={"host": "evil.example"}).status_code == 400


@pytest.mark.prefect
def test_a_web_page_from_elsewhere_can_start_nothing(api: str) -> None:
    """The browser of somebody at this machine would ask for it, as it would for the server's own pages."""
    own = {"origin": api.removesuffix("/api")}
    assert httpx.post(f"{api}/flow_runs/count", json={}, headers=own).is_success
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        evil = {"origin": origin}
        assert httpx.post(f"{api}/flow_runs/count", json={}, headers=evil).status_code == 403
        assert httpx.options(f"{api}/flow_runs/count", headers={**evil, **asked}).status_code == 403


def _socket(line: str) -> tuple[str, str]:
    """(local address, state) of a row of the kernel's table; addresses are hexadecimal, 0A is listening."""
    _, local, _, state, *_ = line.split()
    return local, state
