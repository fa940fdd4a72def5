"""Cards: what is kept is found again, and what live mode asks of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.certification import cards
from zbo_orchestrator.certification.cards import Card, Check, digest, find, keep, read, require, signed
from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.executors.guarded import Guarded
from zbo_orchestrator.model import ConfigurationError
from zbo_orchestrator.testing.tame import Tame
from zbo_orchestrator.testing.zoo import Hangs

PASSED = Check("contract", "measures", "passed", "measured level", (0.25, 0.5))
FAILED = Check("transport", "drop", "failed", "it went on")
UNTESTED = Check("transport", "hang", "untested", "no socket")
SUPPLY = "ACME,Supply,17"


def card(*checks: Check, identity: str = SUPPLY) -> Card:
    return signed(Tame(), {"dwell": 0.1}, identity, checks, simulated=False)


def test_a_card_is_found_by_executor_and_instrument_and_the_last_one_counts() -> None:
    assert find(Tame(), SUPPLY) is None
    keep(card(FAILED))
    kept = card(PASSED, UNTESTED)
    path = keep(kept)
    assert find(Tame(), SUPPLY) == kept == read(path)
    assert find(Guarded(Tame(), Envelope()), SUPPLY) == kept
    assert find(Tame(), "ACME,Supply,18") is None
    assert find(Hangs(), SUPPLY) is None
    assert list(path.parent.iterdir()) == [path]


@settings(max_examples=25)
@given(st.text(), st.sampled_from(["passed", "failed", "untested"]), st.lists(st.floats(0, 1e6)))
def test_any_check_survives_the_file(said: str, verdict: cards.Verdict, seconds: list[float]) -> None:
    kept = card(Check("contract", "measures", verdict, said.encode(errors="replace").decode(), tuple(seconds)))
    assert read(keep(kept)) == kept


def test_live_wants_a_card_that_passed_with_this_code() -> None:
    command = "zbo certify my.yaml --live"
    with pytest.raises(ConfigurationError, match=rf"tame:Tame has no card for '{SUPPLY}'; wanted one: {command}"):
        require(Tame(), SUPPLY, "my.yaml")
    keep(card(PASSED, FAILED))
    with pytest.raises(ConfigurationError, match=rf"has failed: transport: drop; mend it, then {command}"):
        require(Tame(), SUPPLY, "my.yaml")
    keep(replace(card(PASSED), digest="of other code"))
    with pytest.raises(ConfigurationError, match=rf"the code of .*:Tame has changed since its card of .*: {command}"):
        require(Tame(), SUPPLY, "my.yaml")
    keep(card(PASSED, UNTESTED))
    assert require(Tame(), SUPPLY, "my.yaml").untested == (UNTESTED,)


def test_the_digest_is_of_the_executors_modules_and_of_the_supervision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bench_of_cards.py").write_text("class Bench: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    bench = __import__("bench_of_cards").Bench()
    before = digest(bench)
    assert before == digest(bench) != digest(Tame())
    (tmp_path / "bench_of_cards.py").write_text("class Bench: pass\n")
    assert digest(bench) != before
    monkeypatch.delitem(sys.modules, "bench_of_cards")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"part": "a:B", "checks": [{"section": "contract"}]}'])
def test_a_file_that_is_no_card_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"card\.json holds .*; wanted a card of zbo certify"):
        read(path)


def test_the_worst_of_all_tries_is_told_beside_their_median() -> None:
    assert Check("latency", "abort", "passed", "", (0.001, 0.002, 0.5)).timed == "median 2 ms, worst 500 ms of 3"
    assert UNTESTED.timed == ""
