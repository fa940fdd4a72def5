"""Only the instrument that is meant is driven, or a simulator that says so; on any other nothing moves at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_instrument import Panel

from zbo_orchestrator.campaign import load
from zbo_orchestrator.certification import cards
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ConfigurationError, HistoryError, Status
from zbo_orchestrator.survey import survey

IDENTITY = "ACME,Supply,17"
CAMPAIGN: dict[str, Any] = {
    "name": "armed",
    "budget": {"initial": 2, "total": 2},
    "decoder": {"use": "identity", "channels": [{"name": "bias", "unit": "V"}], "lower": [-9], "upper": [9]},
    "atlas": {"grid": [19]},
    "planner": {"use": "random"},
    "timeouts": {"heartbeat": 2, "ask": 0.3, "abort": 0.3, "terminate": 0.5, "lease": 8},
    "evaluator": {"use": "bench_instrument:Level"},
}
MOVES = {"ramp", "safe", "stage", "drive", "off", "unstage"}
Write = Callable[..., Path]


@pytest.fixture
def write(panel: Panel, tmp_path: Path) -> Write:
    def written(use: str = "Supply", *, options: dict[str, Any] | None = None, **sections: Any) -> Path:
        executor = {"use": f"armed_instruments:{use}", "panel": str(panel.file), **(options or {})}
        path = tmp_path / "armed.yaml"
        path.write_text(yaml.safe_dump({**CAMPAIGN, **sections, "executor": executor}))
        return path

    return written


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_CARDS", str(tmp_path / "cards"))


def ran(file: Path, *, live: bool = False, certified: bool = True) -> Record:
    history, campaign = file.with_name("history"), load(file, allow_code=True)
    if certified and campaign.instrument is not None:
        cards.keep(cards.signed(campaign.executor, {}, campaign.instrument, (), simulated=False))
    conduct(campaign, history, Watcher(), live=live)
    return Record.read(history)


def words(panel: Panel) -> list[str]:
    return [word for word, _, _ in panel.state["log"]]


@pytest.mark.parametrize(
    ("use", "sections", "live", "said"),
    [
        ("Supply", {"simulated": True}, False, f"'{IDENTITY}' answered, and is not simulated; .* `simulated: true`"),
        pytest.param(
            *("Supply", {"simulated": True}, True, f"'{IDENTITY}' answered, and is not simulated"),
            marks=pytest.mark.filterwarnings("ignore:live arms nothing"),
        ),
        ("Supply", {"instrument": "ACME,Supply,9"}, True, f"'{IDENTITY}' answered; wanted 'ACME,Supply,9'"),
        ("Supply", {}, True, f"'{IDENTITY}' answered, which the campaign file does not name"),
        ("Stage", {"instrument": "ACME,Supply,9"}, True, f"'{IDENTITY}' answered; wanted 'ACME,Supply,9'"),
    ],
)
def test_a_stranger_is_asked_who_it_is_and_left_alone(  # noqa: PLR0917 (given by name)
    panel: Panel, write: Write, use: str, sections: dict[str, Any], live: bool, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ran(write(use, **sections), live=live)
    assert "connect" in words(panel)
    assert not MOVES & set(words(panel))


@pytest.mark.parametrize("sections", [{}, {"instrument": IDENTITY}])
def test_unarmed_it_is_not_even_connected(panel: Panel, write: Write, sections: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"not armed; wanted --live .*, or `simulated: true`"):
        ran(write(**sections))
    assert words(panel) == []


def test_the_line_that_it_asks_for_arms_it(panel: Panel, write: Write) -> None:
    quoted = 'ACME: "Supply", #17'
    with pytest.raises(ConfigurationError) as refused:
        ran(write(options={"identity": quoted}), live=True)
    line = yaml.safe_load(str(refused.value).partition("add the line ")[2])
    assert line == {"instrument": quoted}
    record = ran(write(options={"identity": quoted}, **line), live=True)
    assert list(record.status) == [Status.SCORED] * 2
    assert panel.output == 0


def test_live_wants_a_card_of_the_code_as_it_is(panel: Panel, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(instrument=IDENTITY)
    with pytest.raises(ConfigurationError, match=r"Supply has no card for 'ACME,Supply,17'; wanted one: zbo certify"):
        ran(file, live=True, certified=False)
    with monkeypatch.context() as older:
        older.setattr(cards, "digest", lambda _: "other code")
        cards.keep(cards.signed(load(file, allow_code=True).executor, {}, IDENTITY, (), simulated=False))
    with pytest.raises(ConfigurationError, match="has changed since its card"):
        ran(file, live=True, certified=False)
    assert words(panel) == []


def test_a_simulator_needs_no_arming(write: Write) -> None:
    assert ran(write(options={"simulated": True}, simulated=True)).state == "finished"


def test_whoever_arms_a_simulator_is_told_that_it_is_one(write: Write) -> None:
    with pytest.warns(UserWarning, match="live arms nothing here: the campaign file says `simulated: true`"):
        assert ran(write(options={"simulated": True}, simulated=True), live=True).state == "finished"


@pytest.mark.filterwarnings("ignore:live arms nothing")
@pytest.mark.parametrize("sections", [{"simulated": True}, {"instrument": IDENTITY}])
def test_what_does_not_say_what_it_is_is_not_driven(panel: Panel, write: Write, sections: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Mute does not say what it is; wanted a describe\(\)"):
        ran(write("Mute", **sections), live=True)
    assert words(panel) == []


def test_one_that_is_exchanged_after_the_guardian_looked_is_not_made_safe_either(panel: Panel, write: Write) -> None:
    panel.faulty("swap")
    with pytest.raises(ConfigurationError, match=f"'ACME,Supply,18' answered; wanted '{IDENTITY}'"):
        ran(write(instrument=IDENTITY), live=True)
    assert words(panel) == ["connect", "close", "ramp", "safe", "close", "connect"]


def test_which_instrument_is_meant_is_part_of_a_campaigns_identity(write: Write) -> None:
    assert not {"simulated", "instrument"} & set(load(write(simulated=False), allow_code=True).identity)
    ran(write(instrument=IDENTITY), live=True)
    with pytest.raises(HistoryError, match="instrument"):
        ran(write(options={"identity": "ACME,Supply,2"}, instrument="ACME,Supply,2"), live=True)


def test_a_scan_drives_no_instrument(panel: Panel, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = load(write(simulated=True), allow_code=True)
    monkeypatch.setattr(campaign.executor, "repeatable", True)
    with pytest.raises(ConfigurationError, match="wanted one that drives no instrument"):
        survey(campaign, panel.file.with_name("history"))
    assert words(panel) == []
