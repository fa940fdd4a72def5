"""The `zbo` command with a history on object storage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab import DIRECT, written
from object_storage import Bucket

from zbo_orchestrator.cli import main
from zbo_orchestrator.history import History, Record, log, verify
from zbo_orchestrator.model import HistoryError

BARE = ["--without-prefect", "--allow-code"]


class Zbo:
    """Runs a command line in this process; `err` is what the last one said of what went wrong."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: object, code: int = 0) -> str:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = self._capsys.readouterr()
        assert int(end.value.code or 0) == code, said.err
        self.err = said.err
        return said.out


@pytest.fixture
def zbo(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zbo:
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))
    return Zbo(capsys)


@pytest.mark.long
def test_a_campaign_runs_there_and_every_command_reads_it(zbo: Zbo, bucket: Bucket, tmp_path: Path) -> None:
    there = f"s3://{bucket.name}/hill"
    beside = Path("histories", bucket.name)
    hill = written(tmp_path, DIRECT)
    assert f"history      {there}" in zbo("run", hill, "--history", there, "--trials", 5, "--no-report", *BARE)
    zbo("run", hill, "--history", there, "--add", 1, "--no-report", *BARE)
    facts: dict[str, Any] = json.loads(zbo("show", there, "--json"))
    assert (facts["history"], facts["trials"], facts["state"]) == (there, 6, "finished")
    assert f"{there}: sound; 6 trials" in zbo("verify", there, "--replay", "--allow-code")
    rows = zbo("rescore", there, "--evaluator", "lab:Height", "--allow-code", "--csv").splitlines()[1:]
    assert [row.split(",")[1] == row.split(",")[2] for row in rows] == [True] * 6
    assert "epoch 2 ends" in zbo("log", there, "-n", 1)
    assert zbo("report", there).strip() == str(beside / "hill.html")
    assert "</html>" in (beside / "hill.html").read_text()
    zbo("export", there, "hill.csv")
    assert len(Path("hill.csv").read_text().splitlines()) == 7
    zbo("pause", there, code=3)
    assert "nobody here writes" in zbo.err
    zbo("export", there, "s3://elsewhere/hill.csv", code=2)
    assert not Path("s3:").exists()


@pytest.mark.long
def test_a_run_elsewhere_is_left_alone_until_somebody_says_take_over(
    zbo: Zbo, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"s3://{bucket.name}/hill"
    run = ("run", written(tmp_path, DIRECT), "--history", there, "--no-report", *BARE)
    zbo(*run, "--trials", 3)
    with History.open(there) as running:
        (tmp_path / "office").mkdir()
        monkeypatch.chdir(tmp_path / "office")
        zbo(*run, "--trials", 5, code=3)
        assert "another process is writing" in zbo.err
        assert "zbo run --take-over" in zbo.err
        zbo(*run, "--trials", 5, "--take-over")
        with pytest.raises(HistoryError, match="taken over by"):
            running.event("too late")
    assert len(Record.read(there)) == 5
    assert verify(there) == []


@pytest.mark.long
def test_a_campaign_that_waits_shows_that_it_lives_and_can_be_replayed(
    zbo: Zbo, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"s3://{bucket.name}/hill"
    run = ("run", written(tmp_path, DIRECT), "--history", there, "--no-report", *BARE)
    zbo(*run, "--trials", 2)
    monkeypatch.setattr("zbo_orchestrator.history.commits.RENEWAL", 0.1)
    zbo(*run, "--trials", 3, "--set", "approval=true", "--patience", 0.5, code=5)
    assert "epoch 2 goes on" in [commit.message for commit in log(there)]
    zbo(*run, "--trials", 3, "--set", "approval=false")
    assert f"{there}: sound; 3 trials" in zbo("verify", there, "--replay", "--allow-code")
