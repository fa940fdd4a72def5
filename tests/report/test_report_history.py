"""Reports of real histories: read from a store, with its decoder, its scan, and what may be wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reading import read, unpacked

from zbo_orchestrator import campaign
from zbo_orchestrator.history import Charter, History, Record, Scan
from zbo_orchestrator.model import (
    Array,
    Budget,
    Channel,
    ExecutionError,
    Goal,
    HistoryError,
    Measurement,
    Plan,
    Proposal,
    Score,
    Space,
    Trajectory,
    Trial,
)
from zbo_orchestrator.report import write
from zbo_orchestrator.report.gather import gather
from zbo_orchestrator.report.writing import beside

CHANNELS = [{"name": "coupling", "unit": "k0"}, {"name": "depolarization"}]
IDENTITY = {"use": "identity", "channels": CHANNELS, "lower": [-1.0, -1.0], "upper": [1.0, 1.0]}


def charter() -> Charter:
    """A direct search over two parameters, charted on a 9 × 9 grid of which the left third is infeasible."""
    recipe = campaign.part("decoders", IDENTITY)
    axis = np.linspace(-1, 1, 9)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    space = Space([-1, -1], [1, 1], points, points[:, :1] + 0.4, ("coupling.lower",), (9, 9))
    return Charter(
        name="by hand <&>",
        goal=Goal(),
        budget=Budget(initial=2, total=6),
        identity={"seed": 3, "decoder": IDENTITY},
        campaign={"name": "by hand", "seed": 3, "decoder": IDENTITY},
        decoder=recipe.learn(None, 3, print),
        space=space,
        notes={"operator": "<nobody>"},
    )


def trial(proposal: Proposal, outcome: Score | ExecutionError) -> Trial:
    channels = (Channel("coupling", "k0"), Channel("depolarization"))
    trajectory = Trajectory(proposal.z[None], 1.0, channels)
    if isinstance(outcome, ExecutionError):
        return Trial(proposal, trajectory, outcome)
    picture = np.outer(np.arange(6.0), np.arange(7.0)) * proposal.z[0]
    measured = Measurement({"domains": picture}, {"domains": ("x", "y")}, {"domains": "nm"}, executed=trajectory)
    return Trial(proposal, trajectory, outcome, measured)


def layers(space: Space, level: float) -> dict[str, Array]:
    mean = np.where(space.feasible, space.candidates.sum(axis=1) * level, np.nan)
    return {"mean": mean, "deviation": np.abs(mean) * 0.1, "acquisition": mean - 3}


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials of an initial design, three that a model asked for (one fails), one more that waits."""
    place = tmp_path_factory.mktemp("histories") / "by-hand"
    founded = charter()
    with History.create(place, founded) as history:
        for number, z in enumerate([(0.0, 0.5), (0.5, 0.25), (0.75, 0.75), (1.0, 1.0), (0.25, 0.5), (0.5, 1.0)]):
            maps = layers(founded.space, number) if number >= 2 else {}
            (proposal,) = history.propose(Plan([z], (f"reason <{number}>",), maps))
            outcome = ExecutionError("arced <badly>") if number == 3 else Score(sum(z), {"part": z[0]}, 0.05)
            if number < 5:
                history.record(trial(proposal, outcome))
    return place


@pytest.fixture(scope="module")
def report(by_hand: Path) -> Path:
    return write(by_hand, by_hand.with_name("by-hand.html"))


def test_a_history_by_hand_is_told_from_its_store(report: Path) -> None:
    page = read(report)
    text = " ".join(page.text.split())
    assert "The highest score is 1.5, from trial 2; the initial design had reached 0.75." in text
    assert "by hand <&>" in page.text
    assert "<nobody>" in page.text
    assert "arced <badly>" in page.text
    assert {"parameters", "measured-0", "posterior"} <= set(page.figures)
    assert {"decoded", "library", "truth"}.isdisjoint(page.figures)
    assert "4 scored" in text
    assert "1 failed" in text
    assert "1 proposed" in text


def test_its_slider_shows_the_maps_that_the_store_holds(by_hand: Path, report: Path) -> None:
    data = read(report).explorer
    assert data is not None
    record = Record.read(by_hand)
    assert [plan["number"] for plan in data["plans"]] == [2, 3, 4, 5]
    assert [plan["reasons"] for plan in data["plans"]] == [[f"reason <{number}>"] for number in range(2, 6)]
    assert [sum(trial["knownFrom"] <= plan for trial in data["trials"]) for plan in range(4)] == [2, 3, 4, 5]
    for index, number in enumerate(range(2, 6)):
        stored = record.maps(number)["mean"]
        shown = unpacked(data, data["layers"][0], index)
        np.testing.assert_allclose(shown, stored, atol=np.nanmax(stored) / 200)


def test_parameters_are_the_decoders(by_hand: Path) -> None:
    record = Record.read(by_hand)
    found = gather(record, beside(record))
    assert found.parameters is not None
    np.testing.assert_array_equal(found.parameters, record.z)
    assert found.best is not None
    assert found.best.executed is not None
    assert [channel.name for channel in found.channels] == ["coupling", "depolarization"]


@pytest.fixture
def copied(by_hand: Path, tmp_path: Path) -> Path:
    place = tmp_path / "copied"
    shutil.copytree(by_hand, place)
    return place


def test_a_scan_beside_the_history_gives_truth_and_regret(copied: Path) -> None:
    record = Record.read(copied)
    space = record.charter.space
    scan = Scan.open(copied.with_name("copied.scan"), dict(record.charter.identity), space)
    scan.record(np.flatnonzero(space.feasible), space.candidates[space.feasible].sum(axis=1))
    page = read(write(copied, copied.with_name("report.html")))
    assert {"truth", "rarity"} <= set(page.figures)
    assert "A scan of the space found 2" in page.text


def test_another_campaigns_scan_is_left_out_and_said_so(copied: Path) -> None:
    space = Record.read(copied).charter.space
    Scan.open(copied.with_name("copied.scan"), {"seed": 4}, space)
    page = read(write(copied, copied.with_name("report.html")))
    assert "truth" not in page.figures
    assert "The scan at copied.scan is another campaign's, and is left out." in page.text


def test_a_decoder_that_is_not_installed_leaves_words_in_its_place(tmp_path: Path) -> None:
    unknown = {"name": "stranger", "decoder": {"use": "not-installed-here"}}
    with History.create(tmp_path / "history", replace(charter(), campaign=unknown)) as history:
        history.propose(Plan([(0.0, 0.5)], ("first",)))
    page = read(write(tmp_path / "history", tmp_path / "report.html"))
    assert "The decoder cannot be built here, so nothing is decoded" in page.text
    assert "not-installed-here" in page.text


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="nowhere"):
        write(tmp_path / "nowhere", tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_founded_campaign_decodes_its_latent_space(
    campaign_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))
    campaign.load(campaign_file()).open(tmp_path / "history").close()
    page = read(write(tmp_path / "history", tmp_path / "report.html"))
    assert {"decoded", "library", "latent-space"} <= set(page.figures)
    assert "No trial has a score yet: 0 trials of 9 recorded" in page.text
