"""zbo certify: whole certifications, what is refused, what is printed and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from menagerie import QUICK, bump, echoes
from supplies import Lies, Real, Welded

from zbo_orchestrator.certification.cards import Card, find
from zbo_orchestrator.certification.certifying import Subject, certify
from zbo_orchestrator.certification.processes import found_safe
from zbo_orchestrator.certification.routine import ROUTINE
from zbo_orchestrator.cli import main
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.model import ConfigurationError
from zbo_orchestrator.testing.promises import Broken
from zbo_orchestrator.testing.tame import Tame
from zbo_orchestrator.testing.zoo import ANIMALS, Raises
from zbo_scpi import Output, ScpiWaveform
from zbo_scpi.simulator import Generator, Ratings, Simulator

NAMES = {getattr(task.keep, "__name__", ""): task.name for task in ROUTINE}
"""What a promise is called on a card."""


def certified(animal: type[Tame], tmp_path: Path, timeouts: Timeouts = QUICK, **how: Any) -> Card:
    executor = animal(str(tmp_path / "panel"), dwell=0.002)
    return certify(Subject(executor, trajectory=bump(), timeouts=timeouts, **how), lambda name: None)


def failed(card: Card) -> set[str]:
    return {check.name for check in card.failed}


def zbo(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["certify", *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_what_fails_is_told_and_its_process_faults_are_still_tested(tmp_path: Path) -> None:
    card = certified(Raises, tmp_path)
    assert failed(card) == {"a trial ends in a measurement"}
    verdicts = {(check.section, check.name): check for check in card.checks}
    assert "the sample is loose" in verdicts["contract", "a trial ends in a measurement"].said
    assert verdicts["contract", "one trial at a time"].said == "it needs: a trial ends in a measurement"
    for struck in ("killed in mid-trial", "stopped in mid-trial"):
        assert verdicts["process", struck].verdict == "passed"
        assert verdicts["process", struck].said.endswith("its health reads output 0")
    assert (tmp_path / "panel").read_text() == "0"


@pytest.mark.long
@pytest.mark.parametrize("name", ["", *ANIMALS])
def test_an_animal_fails_its_check_and_no_other(name: str, tmp_path: Path) -> None:
    animal = ANIMALS.get(name, Tame)
    card = certified(animal, tmp_path)
    assert failed(card) == ({NAMES[animal.breaks]} if name else set())
    assert (tmp_path / "panel").read_text() == "0"
    if not name:
        assert {check.section for check in card.untested} == {"transport"}
        latency = next(check for check in card.checks if check.section == "latency")
        assert len(latency.seconds) == 20


def test_an_output_that_is_still_on_is_found_before_anything_is_made_safe(tmp_path: Path) -> None:
    (tmp_path / "panel").write_text("1")
    with pytest.raises(Broken, match=r"^it reads output 1; wanted output 0$"):
        found_safe(Tame(str(tmp_path / "panel")), bump())
    assert found_safe(Tame(str(tmp_path / "panel")), bump()).said == "its health reads output 0"


@pytest.mark.long
def test_a_safe_state_that_lies_is_found_out_where_a_process_dies(tmp_path: Path) -> None:
    card = certified(Lies, tmp_path)
    assert failed(card) == {"a trial ends in a measurement", "killed in mid-trial", "stopped in mid-trial"}
    assert card.failed[-1].said.endswith("then it reads output 1; wanted output 0")


@pytest.mark.long
def test_the_simulated_generator_passes_every_check(tmp_path: Path) -> None:
    outputs = (Output("bias", "V"),)
    with Simulator(Generator(echoes, Ratings(pace=1.0)), port=0) as simulator:
        executor = ScpiWaveform(resource=simulator.resource, outputs=outputs, repeatable=True, timeout=1.0, poll=0.005)
        card = certify(Subject(executor, timeouts=replace(QUICK, trial=20.0)), lambda name: None)
        assert not simulator.instrument.generator.outputs[0].on
    assert {check.name: check.said for check in (*card.failed, *card.untested)} == {}
    assert card.identity == simulator.instrument.identity
    assert card.simulated


def test_after_a_fatal_error_nothing_more_is_tried(tmp_path: Path) -> None:
    card = certified(Welded, tmp_path)
    first = next(number for number, check in enumerate(card.checks) if check.verdict == "failed")
    assert card.checks[first].name == "a trial ends in a measurement"
    assert "the relay is welded" in card.checks[first].said
    assert {check.verdict for check in card.checks[first + 1 : -1]} == {"untested"}
    assert card.checks[-1].verdict == "failed"


def test_what_is_not_simulated_is_not_moved_unasked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'ACME,Supply,17' answered, .*wanted a simulator, or --live"):
        certified(Real, tmp_path, still=True)
    with pytest.raises(ConfigurationError, match=r"wanted 'ACME,Supply,18'.*wanted the campaign's instrument"):
        certified(Real, tmp_path, still=True, live=True, instrument="ACME,Supply,18")
    assert not (tmp_path / "panel").exists()
    assert not certified(Real, tmp_path, still=True, live=True).simulated


def test_the_command_prints_a_table_keeps_a_card_and_writes_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = ["zbo_orchestrator.testing.tame:Tame", "--allow-code", "--set", f"panel={tmp_path / 'panel'}"]
    code, out, _ = zbo(capsys, *part, "--trajectory-free", "--output", str(tmp_path / "card.json"))
    assert code == 0
    assert "4 passed" in out or "5 passed" in out
    assert "it moves the instrument, and nothing was to" in " ".join(out.split())
    kept = json.loads((tmp_path / "card.json").read_text())
    assert kept["options"]["panel"] == str(tmp_path / "panel")
    found = find(Tame(), f"ZOO,Tame,{tmp_path / 'panel'},1")
    assert found is not None
    assert json.loads(found.json()) == kept


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = zbo(capsys, "zbo_orchestrator.testing.tame:Tame")
    assert code == 2
    assert "--allow-code" in err
    code, _, err = zbo(capsys, "ferrosim")
    assert code == 2
    assert "does not describe itself; wanted a campaign" in err
