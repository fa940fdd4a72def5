"""The page of a comparison, and the section that a campaign's report makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from zbo_orchestrator.campaign import parts
from zbo_orchestrator.comparison import Comparison, folder_of, read
from zbo_orchestrator.comparison.ensemble import Ensemble, ensemble_of, majority
from zbo_orchestrator.comparison.outcome import write as keep_comparison
from zbo_orchestrator.history import Record
from zbo_orchestrator.report import compared as gathering
from zbo_orchestrator.report import write as write_report
from zbo_orchestrator.report.compared import Compared, gathered, traversal
from zbo_orchestrator.report.compared_figures import difference_figure, schedules_figure, seeds_figure
from zbo_orchestrator.report.compared_page import page, write
from zbo_orchestrator.report.compared_pictures import disputed, manifolds_figure, mosaic
from zbo_orchestrator.report.compared_words import notes, table
from zbo_orchestrator.report.rendering import drawing

Compare = Callable[..., Comparison]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


def figures(text: str) -> list[str]:
    return [part.partition('"')[0] for part in text.split('<figure id="')[1:]]


def drawn(compared: Compared) -> str:
    with drawing():
        return page(compared, "duel.final")


def test_the_page_says_what_came_out_and_shows_it(compared: Compare, found: Path) -> None:
    text = write(found, compared(), found.with_name("duel.compare.html")).read_text()
    assert "Over 4 seeds at full size, the found schedule beats vanilla, constant 1 and constant 3." in text
    assert figures(text) == ["seeds", "differences", "schedules", "manifolds", "agreement"]
    assert text.index("about-spread") < text.index("about-outcome")
    assert "4 final models of the best found schedule agree" in text
    assert not re.search(r'(src|href)="(?!#|data:)', text), "nothing is fetched from elsewhere"


def test_nothing_is_shown_of_what_is_not_there(compared: Compare, found: Path) -> None:
    bare = Compared(compared(seeds=2, small=True))
    text = drawn(bare)
    assert figures(text) == ["seeds", "differences", "schedules"]
    assert "ensemble" not in text
    assert "Trainings without a score" not in text


def test_failures_are_shown_and_an_arm_without_scores_is_still_pictured(compared: Compare, found: Path) -> None:
    seen = compared(seeds=2, cliff=2.7)
    shown = gathered(seen, folder_of(found))
    assert list(shown.manifolds) == [0, 1, 2]
    text = drawn(shown)
    assert "constant 3, seed" in text
    assert "diverged at level 3" in text


def test_names_that_look_like_markup_stay_text(compared: Compare) -> None:
    seen = compared(seeds=2)
    hostile = replace(seen, arms=("best found", "<script>alert(1)</script>", *seen.arms[2:]), campaign="<b>duel</b>")
    text = drawn(Compared(hostile))
    assert "<script>alert" not in text
    assert "<b>duel" not in text


def test_the_training_shown_is_the_one_with_the_median_score(compared: Compare, found: Path) -> None:
    seen = compared(seeds=3)
    shown = gathered(seen, folder_of(found))
    for arm, seed in shown.seeds.items():
        assert seen.last.values[arm, seed] == np.median(seen.last.values[arm])


def test_a_figure_shows_every_arm_where_it_is(compared: Compare, found: Path) -> None:
    seen = compared(seeds=3)
    with drawing():
        apart, each, curves = difference_figure(seen), seeds_figure(seen), schedules_figure(seen)
    assert isinstance(apart, Figure)
    dots = [line for line in apart.axes[0].lines if line.get_marker() == "o"]
    assert [float(dot.get_xdata()[0]) for dot in dots] == [difference.mean for difference in seen.differences]
    assert each is not None
    assert [axes.get_title(loc="left") for axes in each.axes] == ["at the campaign's size", "at full size"]
    assert curves is not None
    assert [line.get_ydata()[0] for line in curves.axes[0].lines] == [2.5, 1.0, 1.0, 3.0]


def test_what_has_to_be_known_of_an_arm_is_said_and_kept(compared: Compare, found: Path) -> None:
    seen = compared(seeds=2)
    assert notes(seen) == ["vanilla: its score is another quantity."]
    kept = read(found)
    assert kept is not None
    assert "vanilla: its score is another quantity." in drawn(Compared(kept))


def test_terms_have_paired_differences_and_panels_of_their_own(compared: Compare) -> None:
    seen = compared(seeds=3)
    right = np.array([[0.9, 0.8, 0.7], [0.5, 0.4, 0.3], [0.9, 0.7, 0.8], [np.nan, 0.8, np.nan]])
    seen = replace(seen, rounds=tuple(replace(each, terms={"accuracy": right}) for each in seen.rounds))
    assert [row[2] for row in table(seen).rows] == [
        "0.80 ± 0.10",
        "0.40 ± 0.10 Δ −0.4 (−0.4 to −0.4)",
        "0.80 ± 0.10 Δ 0 (−0.248 to 0.248)",
        "0.8 Δ 0",
    ]
    with drawing():
        figure = seeds_figure(seen)
    assert figure is not None
    assert [axes.get_ylabel() for axes in figure.axes] == ["score", "score", "accuracy", "accuracy"]
    shown = [np.asarray(line.get_ydata()) for line in figure.axes[3].lines[:3]]
    assert np.array_equal(np.stack(shown, axis=1), right, equal_nan=True)


def test_schedules_of_one_step_are_not_drawn(compared: Compare) -> None:
    seen = compared(seeds=2)
    single = replace(seen.schedules, values=seen.schedules.values[:, :1])
    assert schedules_figure(replace(seen, schedules=single)) is None


def test_a_manifold_is_traversed_through_its_middle() -> None:
    stack = np.arange(2 * 9).reshape(2, 9, 1, 1) * np.ones((1, 1, 2, 2))
    assert traversal(stack)[..., 0, 0].tolist() == [[3.0, 4.0, 5.0], [12.0, 13.0, 14.0]]
    tiled = mosaic(traversal(stack))
    assert tiled.shape == (5, 8)
    assert np.isnan(tiled[2]).all()
    assert tiled[3, 3] == 13.0


def test_manifolds_are_found_by_their_form_where_they_have_another_name(compared: Compare, found: Path) -> None:
    shown = gathered(compared(seeds=2), folder_of(found))
    with drawing():
        assert manifolds_figure(shown) is not None
    assert manifolds_figure(replace(shown, manifolds={})) is None
    assert not gathering._is_stack(np.zeros((3, 8, 4, 4)))
    assert gathering._is_stack(np.zeros((3, 16, 4, 4)))


# --- the ensemble


def test_an_ensemble_votes_whatever_each_model_calls_its_classes(compared: Compare, found: Path) -> None:
    seen = compared()
    ensemble = ensemble_of(seen, folder_of(found))
    assert ensemble is not None
    assert ensemble.models == 4
    assert ensemble.accuracy > 0.9, "models are right for about 87 % alone, each with numbers of its own"
    assert 0.7 < ensemble.agreement.mean() < 1


def test_there_is_no_ensemble_of_models_that_saw_other_images(compared: Compare, found: Path) -> None:
    assert ensemble_of(compared(seeds=2, small=True), folder_of(found)) is None


def test_the_majority_decides() -> None:
    votes = np.array([[0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 0, 0], [0, 0, 1, 2, 2, 2]])
    assert majority(votes).tolist() == [0, 0, 1, 1, 2, 2]


def test_the_least_agreed_images_come_first_with_their_shares(compared: Compare) -> None:
    ensemble = Ensemble(4, np.array([1.0, 0.5, 0.75, 1.0, 0.25]))
    assert disputed(ensemble).tolist() == [4, 1, 2]
    text = drawn(Compared(compared(seeds=2), ensemble=ensemble))
    assert "the least first: image 4 (25 %), image 1 (50 %), image 2 (75 %)." in text
    assert not len(disputed(replace(ensemble, agreement=np.ones(5))))


# --- the campaign's own report


def test_the_report_shows_the_comparison_that_lies_beside(compared: Compare, found: Path) -> None:
    compared(seeds=2)
    text = write_report(found, found.with_name("duel.html")).read_text()
    assert "Against what is used" in text
    assert "the found schedule beats" in text
    assert {"schedules", "manifolds"} <= set(figures(text))


def test_the_report_shows_a_part_only_while_there_is_no_whole(compared: Compare, found: Path) -> None:
    compared(seeds=2, small=True)
    shown, _ = gathering.beside(Record.read(found))
    assert shown is not None
    assert shown.comparison.last.size == "campaign"
    compared(seeds=2)
    compared(seeds=2, small=True)
    shown, _ = gathering.beside(Record.read(found))
    assert shown is not None
    assert shown.comparison.last.size == "final"


def test_another_campaigns_comparison_is_left_out_and_said_so(compared: Compare, found: Path) -> None:
    seen = compared(seeds=2)
    keep_comparison(replace(seen, identity="another"), folder_of(found))
    text = write_report(found, found.with_name("duel.html")).read_text()
    assert "duel.final is another campaign" in text
    assert "Against what is used" not in text


def test_a_comparison_of_an_earlier_best_says_so(compared: Compare, found: Path) -> None:
    seen = compared(seeds=2)
    keep_comparison(replace(seen, trial=seen.trial + 1), folder_of(found))
    shown, remark = gathering.beside(Record.read(found))
    assert shown is not None
    assert f"trial {seen.trial} is the best by now: zbo compare" in remark


@pytest.mark.parametrize(("executor", "advised"), [("trainer", True), ("hill", False), ("absent", False)])
def test_the_command_is_named_where_it_would_work(
    monkeypatch: pytest.MonkeyPatch, found: Path, executor: str, advised: bool
) -> None:
    installed = {"trainer": "arena:Trainer", "hill": "lab:Hill"}
    points = {name: EntryPoint(name, value, "zbo.executors") for name, value in installed.items()}
    monkeypatch.setattr(parts, "installed", lambda kind: points)
    record = Record.read(found)
    record.charter = replace(record.charter, campaign={**record.charter.campaign, "executor": {"use": executor}})
    shown, remark = gathering.beside(record)
    assert shown is None
    assert (f"zbo compare {found}" in remark) is advised


# --- in a browser


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium to run the page's script")
def test_the_table_sorts_and_the_theme_changes_in_a_browser(compared: Compare, found: Path) -> None:
    act = """<script>
    const column = () => [...document.querySelectorAll("#table tbody tr")].map((row) => row.cells[1].textContent);
    document.querySelectorAll("#table thead button")[1].click();
    document.getElementById("theme").click();
    document.title = JSON.stringify([column(), document.documentElement.dataset.theme]);
    </script>"""
    place = write(found, compared(seeds=2), found.with_name("duel.compare.html"))
    place.write_text(place.read_text().replace("</body>", act + "</body>"))
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --dump-dom --disable-background-networking"
    command = [str(BROWSER), *flags.split(), f"--user-data-dir={found.parent / 'profile'}", place.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    title = dumped.partition("<title>")[2].partition("</title>")[0]
    assert "dark" in title or "light" in title
    assert title.index("−3.") < title.index("−2.") < title.index("−0.3")
