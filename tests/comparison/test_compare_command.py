"""`zbo compare`: what it prints, in which order, what it leaves behind, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import arena
import pytest
from command import Zbo, runner
from lab import DIRECT, written

from zbo_orchestrator.campaign import load
from zbo_orchestrator.cli import CONFIGURATION, DONE
from zbo_orchestrator.comparison import folder_of
from zbo_orchestrator.conduct import Watcher, conduct

BARE = ["--without-prefect", "--allow-code"]


@pytest.fixture
def zbo(capsys: pytest.CaptureFixture[str]) -> Zbo:
    """Runs a command line in this process."""

    return runner(capsys)


def test_it_teaches_by_example(zbo: Zbo) -> None:
    ended = zbo("compare", "--help")
    assert ended.code == DONE
    assert "  zbo compare" in ended.out


def test_the_spread_comes_first_then_the_table_then_the_verdict(zbo: Zbo, found: Path) -> None:
    ended = zbo("compare", found, "--seeds", 3, *BARE)
    assert ended.code == DONE
    assert ended.err == ""
    order = [
        "At the campaign's size the score's standard deviation over 3 training seeds is",
        "trainings at full size 12/12",
        "\nbest found ",
        "\nconstant 3 ",
        "Over 3 seeds at full size, the found schedule beats",
        "The found schedule beats vanilla by",
        "3 final models of the best found schedule agree",
        "page         ",
    ]
    places = [ended.out.index(text) for text in order]
    assert places == sorted(places)
    assert found.with_name("duel.compare.html").exists()


def test_the_page_goes_where_it_is_wanted(zbo: Zbo, found: Path) -> None:
    assert zbo("compare", found, "--seeds", 2, "--small", "--out", "there/page.html", *BARE).code == DONE
    assert Path("there/page.html").exists()
    assert not found.with_name("duel.compare.html").exists()


@pytest.mark.parametrize("part", [["--small"], ["--schedules", "best,constant 1"]])
def test_the_page_of_a_part_has_a_name_of_its_own(zbo: Zbo, found: Path, part: list[str]) -> None:
    assert zbo("compare", found, "--seeds", 2, *part, *BARE).code == DONE
    assert found.with_name("duel.compare-part.html").exists()
    assert not found.with_name("duel.compare.html").exists()


def test_as_json_it_says_the_same_and_nothing_else(zbo: Zbo, found: Path) -> None:
    ended = zbo("compare", found, "--seeds", 2, "--json", "--schedules", "best,constant 3", *BARE)
    said = json.loads(ended.out)
    assert said["arms"] == ["best found", "constant 3"]
    assert [each["arm"] for each in said["differences"]] == ["constant 3"]
    assert said["differences"][0]["mean"] == pytest.approx(-0.25, abs=0.05)
    (level,) = said["term_differences"]["level"]
    assert (level["arm"], level["mean"], level["low"], level["high"]) == ("constant 3", 0.5, 0.5, 0.5)
    assert len(said["rounds"]["at full size"]["score"][0]) == 2
    assert said["rounds"]["at the campaign's size"]["spread"]["seeds"] == 2


def test_what_failed_is_null_in_json(zbo: Zbo, found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rivals = arena.Trainer.rivals
    monkeypatch.setattr(arena.Trainer, "cliff", 10.0)
    monkeypatch.setattr(
        arena.Trainer, "rivals", lambda self, found: rivals(self, found) | {"steep": (self, arena.level(99.0))}
    )
    said = json.loads(zbo("compare", found, "--seeds", 2, "--json", *BARE).out)
    assert said["rounds"]["at full size"]["score"][4] == [None, None]
    assert said["differences"][3]["low"] is None
    assert len(said["failures"]) == 4


def test_interrupted_it_says_how_to_go_on_and_goes_on(zbo: Zbo, found: Path) -> None:
    arena.PATIENCE.append(9)
    words = ["compare", found, "--seeds", 3, "--schedules", "best,constant 1"]
    ended = zbo(*words, *BARE)
    assert ended.code == 130
    again = f"zbo compare {found} --seeds 3 --schedules 'best,constant 1' --without-prefect --allow-code"
    assert again in ended.err
    arena.PATIENCE.clear()
    assert zbo(*words, *BARE).code == DONE
    assert len(arena.RAN) == 12


def test_a_campaign_without_rivals_is_told_so_in_one_line(zbo: Zbo, found: Path, tmp_path: Path) -> None:
    conduct(load(written(tmp_path, DIRECT), allow_code=True), tmp_path / "hill", Watcher())
    ended = zbo("compare", tmp_path / "hill", *BARE)
    assert ended.code == CONFIGURATION
    assert ended.err.count("\n") == 1
    assert "lab:Hill does not say what its best trajectory has to beat" in ended.err
    assert not folder_of(tmp_path / "hill").exists()
