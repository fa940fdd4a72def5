"""The page: what stands in it for every kind of campaign, that it needs nothing else, that nothing breaks out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reading import Page, read, unpacked
from subjects import Direct, findings

from zbo_orchestrator.model import Channel, Trajectory
from zbo_orchestrator.report import palette
from zbo_orchestrator.report.explorer import explorer
from zbo_orchestrator.report.findings import Best, Findings, Measured
from zbo_orchestrator.report.page import page
from zbo_orchestrator.report.posterior import bounds_of
from zbo_orchestrator.report.writing import present

CASES: dict[str, Callable[[], Findings]] = {
    "grid": lambda: findings(statuses={15: "refused", 18: "failed", 20: "transient"}, with_truth=True),
    "one dimension": lambda: findings(
        few=True, d=1, shape=(60,), count=15, initial=5, statuses={7: "failed"}, with_truth=True
    ),
    "four dimensions, two channels": lambda: findings(few=True, d=4, shape=None, channels=2, count=18, with_truth=True),
    "two dimensions, scattered": lambda: findings(few=True, shape=None, count=16),
    "initial design only": lambda: findings(few=True, count=6, modelled=False),
    "founded only": lambda: findings(count=0),
    "nothing scored": lambda: findings(count=5, statuses=dict.fromkeys(range(5), "failed"), modelled=False),
    "waiting": lambda: findings(count=14, few=True, statuses={12: "started", 13: "proposed"}),
    "direct search, minimized": lambda: findings(few=True, decoder=Direct(2), count=16, maximize=False),
}
MAPPED = {"grid", "one dimension", "four dimensions, two channels", "two dimensions, scattered", "waiting"}
SCORED = set(CASES) - {"founded only", "nothing scored"}
LIMIT = 15_000_000


def told(subject: Findings) -> Page:
    """The page without its figures, which take all the time."""
    return Page(page(subject, []))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every case's report, drawn once."""
    folder = tmp_path_factory.mktemp("reports")
    return {name: present(made(), folder / f"{index}.html") for index, (name, made) in enumerate(CASES.items())}


@pytest.mark.parametrize("case", CASES)
def test_every_case_shows_the_space_the_convergence_and_every_trial(case: str, pages: dict[str, Path]) -> None:
    seen, subject = read(pages[case]), CASES[case]()
    assert {"latent-space", "convergence"} <= set(seen.figures)
    assert len(seen.all("tr")) == 1 + len(subject.trials)
    assert subject.name in seen.text
    assert ("about-best" in {attributes.get("id") for attributes in seen.all("h2")}) == (case in SCORED)


@pytest.mark.parametrize("case", CASES)
def test_every_case_needs_nothing_but_itself(case: str, pages: dict[str, Path]) -> None:
    seen, text = read(pages[case]), pages[case].read_text(encoding="utf-8")
    links = [attributes[name] for _, attributes in seen.elements for name in attributes if name in {"src", "href"}]
    links += [attributes[name] for _, attributes in seen.elements for name in attributes if name == "xlink:href"]
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert not seen.all("link")
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)
    addresses = set(re.findall(r"https?://[\w./#-]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert len(text.encode()) < LIMIT


@pytest.mark.parametrize("case", CASES)
def test_every_figure_can_be_read_out_and_every_id_is_its_own(case: str, pages: dict[str, Path]) -> None:
    seen = read(pages[case])
    drawings = [attributes for attributes in seen.all("svg") if attributes.get("role") == "img"]
    assert len(drawings) == len(seen.figures)
    assert all(len(attributes["aria-label"]) > 20 for attributes in drawings)
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    ids = [each for each in ids if not re.search(r"-(C\w+_\w+_\w+|image\w+)$", each)]  # equal markers share one
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("case", CASES)
def test_decoded_curves_maps_and_slider_are_there_where_they_can_be(case: str, pages: dict[str, Path]) -> None:
    seen = read(pages[case])
    direct = case.startswith("direct")
    assert ("decoded" in seen.figures) != direct
    assert ("library" in seen.figures) != direct
    assert ("parameters" in seen.figures) == direct
    assert ("best-trajectory" in seen.figures) == (case in SCORED and not direct)
    assert (seen.explorer is not None) == (case in MAPPED or direct)
    assert ("No plan has a map yet" in seen.text) == (seen.explorer is None)


def test_the_headline_says_what_a_hurried_reader_wants() -> None:
    subject = findings(with_truth=True, statuses={20: "failed"})
    text = " ".join(told(subject).text.split())
    assert subject.best is not None
    best = subject.trials.value[subject.best.row]
    assert f"The highest score is {best:.4g}, from trial {subject.best.row}" in text
    assert f"A scan of the space found {subject.optimum:.4g}" in text
    assert "The campaign is finished (the budget of trials is spent)." in text
    assert "39 scored" in text
    assert "1 failed" in text


def test_a_campaign_that_minimizes_names_its_lowest_score() -> None:
    subject = findings(maximize=False)
    assert subject.best is not None
    assert subject.trials.value[subject.best.row] == np.nanmin(subject.trials.value)
    assert "The lowest score is" in told(subject).text


EVIL = '</script></style><img src=x onerror="alert(1)"> & $\\frac{'


def hostile() -> Findings:
    """Every word that a user, a planner or an executor chooses tries to break out."""
    plain = findings(count=16, statuses={3: "failed"})
    assert plain.best is not None
    channels = (Channel(EVIL, EVIL),)
    trials = replace(plain.trials, reason=(EVIL,) * 16, error=(EVIL,) * 16, terms={EVIL: plain.trials.terms["curl"]})
    proposed = Trajectory(plain.best.proposed.values, plain.best.proposed.dt, channels)
    measured = (
        Measured(EVIL, np.eye(6), (EVIL, EVIL), EVIL),
        Measured(EVIL, np.array(EVIL), ()),
        Measured(EVIL, np.sin(np.arange(40.0)), (EVIL,), EVIL),
    )
    return replace(
        plain,
        name=EVIL,
        stop_reason=EVIL,
        trials=trials,
        channels=channels,
        best=Best(plain.best.row, proposed, None, measured),
        families=(EVIL,) * 120,
        document={EVIL: EVIL},
        provenance={EVIL: EVIL},
        remarks=(EVIL,),
    )


def test_nothing_from_a_history_breaks_out_of_its_place(tmp_path: Path) -> None:
    seen, tame = read(present(hostile(), tmp_path / "report.html")), told(findings(count=16, statuses={3: "failed"}))
    assert not seen.all("img")
    assert len(seen.all("script")) == len(tame.all("script"))
    assert not any("onerror" in attributes for _, attributes in seen.elements)
    assert seen.text.count(EVIL) > 16 * 2
    assert seen.explorer is not None
    assert seen.explorer["plans"][0]["reasons"] == [EVIL]


def test_slider_data_equal_the_stored_maps_within_one_step_of_256() -> None:
    subject = findings(count=20, initial=8)
    data = told(subject).explorer
    assert data is not None
    assert [plan["number"] for plan in data["plans"]] == subject.maps.plan.tolist()
    for layer in data["layers"]:
        stored = subject.maps.layers[layer["name"]]
        for plan, values in enumerate(stored):
            low, high = bounds_of(layer["name"], values)
            shown = unpacked(data, layer, plan)
            np.testing.assert_array_equal(np.isfinite(shown), np.isfinite(values))
            np.testing.assert_allclose(shown, np.clip(values, low, high), atol=(high - low) / 254 / 2 * 1.01)
            assert np.nanargmax(shown) in np.flatnonzero(values >= high - (high - low) / 254)


def test_each_plan_shows_the_trials_recorded_by_then_and_what_it_asked_for() -> None:
    subject = findings(count=20, initial=8, statuses={19: "proposed"})
    data = told(subject).explorer
    assert data is not None
    for index, plan in enumerate(data["plans"]):
        (asked,) = plan["asked"]
        known = [trial["number"] for trial in data["trials"] if trial["knownFrom"] <= index]
        assert known == list(range(asked))
        assert plan["reasons"] == [subject.trials.reason[asked]]


def test_a_long_campaign_keeps_every_kth_plan_and_the_last() -> None:
    subject = findings(count=50, initial=8)
    whole = explorer(subject)
    assert whole is not None
    size = sum(len(code) for layer in whole["layers"] for code in layer["codes"])
    thinned = explorer(subject, limit=size // 7)
    assert thinned is not None
    numbers = [plan["number"] for plan in thinned["plans"]]
    assert numbers[-1] == subject.maps.plan[-1]
    assert len(set(np.diff(numbers))) == 1
    assert sum(len(code) for layer in thinned["layers"] for code in layer["codes"]) * 0.75 <= size // 7


def test_figures_are_written_as_png_on_request(tmp_path: Path) -> None:
    seen = read(present(findings(count=14, few=True), tmp_path / "report.html", pngs=tmp_path / "deep" / "figures"))
    written = sorted((tmp_path / "deep" / "figures").iterdir())
    assert {path.stem for path in written} == set(seen.figures) >= {"latent-space", "posterior", "decoded"}
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 4000 for path in written)


def test_both_themes_define_every_colour_that_a_figure_wears() -> None:
    style = (Path(palette.__file__).parent / "page.css").read_text(encoding="utf-8")
    light, system, chosen = (style.split("{", 1)[1] for style in re.split(r":root", style)[1:4])
    for variable in palette.VARIABLES.values():
        for theme in (light, system, chosen):
            assert f"--{variable}:" in theme or variable in theme


def test_the_drawings_follow_the_theme(pages: dict[str, Path]) -> None:
    text = pages["grid"].read_text(encoding="utf-8")
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert f"var(--ink, {palette.INK})" in drawn
    assert not re.search(rf"(?<!, ){palette.INK}", drawn)


def test_the_best_trial_is_marked_in_the_table(pages: dict[str, Path]) -> None:
    seen = read(pages["grid"])
    assert [attributes.get("class") for attributes in seen.all("tr")].count("best") == 1
