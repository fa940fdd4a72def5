"""Campaign files: what is read, what is refused and how, what is founded on them."""

from __future__ import annotations

import contextlib
import json
import struct
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import CURVES, DIRECT, CountedRecipe, Fussy, written

from zbo_orchestrator.campaign import Campaign, load, rebuild
from zbo_orchestrator.campaign.document import override, parse, shipped
from zbo_orchestrator.campaign.parts import find, installed
from zbo_orchestrator.campaign.schema import schema
from zbo_orchestrator.history import History, Record
from zbo_orchestrator.model import Budget, ConfigurationError, Goal, HistoryError, Plan, Status


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def loaded(folder: Path, *overrides: str, document: dict[str, Any] = DIRECT, **sections: Any) -> Campaign:
    return load(written(folder, document, **sections), overrides, allow_code=True)


def refusal(folder: Path, *overrides: str, **how: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        loaded(folder, *overrides, **how)
    return str(refused.value)


# --- what a file says is what the campaign is ---


def test_a_file_becomes_a_campaign(tmp_path: Path) -> None:
    campaign = loaded(tmp_path, goal={"direction": "minimize", "target": -1}, notes={"sample": "PTO 7"}, width=2)
    assert (campaign.name, campaign.seed, campaign.width, campaign.retries) == ("hill", 3, 2, 0)
    assert campaign.goal == Goal(maximize=False, target=-1.0)
    assert campaign.budget == Budget(4, 7, None)
    assert campaign.notes == {"sample": "PTO 7"}
    assert campaign.envelope.channels["x"].upper == 0.8
    assert campaign.grid == (9, 9)


def test_the_campaigns_seed_goes_to_parts_that_take_one_and_set_none(tmp_path: Path) -> None:
    given_none = loaded(tmp_path)
    assert given_none.document["executor"]["seed"] == given_none.document["planner"]["seed"] == 3
    own = loaded(tmp_path, "executor.seed=99", "seed=5")
    assert (own.document["executor"]["seed"], own.document["planner"]["seed"]) == (99, 5)
    assert "seed" not in own.document["evaluator"]


def test_identity_holds_what_determines_results_and_nothing_else(tmp_path: Path) -> None:
    campaign = loaded(tmp_path)
    free = [
        "name=other",
        "budget={initial: 2, total: 50}",
        "width=4",
        "batches=true",
        "notes={who: me}",
        "retries=2",
        "durability=power",
    ]
    assert loaded(tmp_path, *free).identity == campaign.identity
    bound = {
        "seed=4": "seed",
        "trial_seed=per-trial": "trial_seed",
        "goal.target=2": "goal",
        "atlas.grid=[9, 8]": "atlas",
        "hopeless={value: loss}": "hopeless",
        "envelope.duration=9": "envelope",
        "planner={use: sobol}": "planner",
        "executor.cliff=3": "executor",
        "evaluator.scale=2": "evaluator",
        "decoder.lower=[-1, -2]": "decoder",
    }
    for change, section in bound.items():
        identity = loaded(tmp_path, change).identity
        assert section in {name for name in identity if identity[name] != campaign.identity.get(name)}, change


@settings(max_examples=40, deadline=None)
@given(
    options=st.fixed_dictionaries(
        {},
        optional={
            "acquisition": st.sampled_from(["ei", "log-ei"]),
            "share": st.floats(0, 1, exclude_min=True, exclude_max=True),
            "ends": st.tuples(st.floats(), st.floats()).map(list),
            "count": st.none() | st.integers(-(2**40), 2**40),
            "names": st.lists(st.text()),
            "schema": st.text(),
        },
    ),
    notes=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), max_size=4),
)
def test_a_document_rebuilds_the_same_campaign(options: dict[str, Any], notes: dict[str, Any]) -> None:
    document = {**DIRECT, "planner": {"use": "lab:Fussy", **options}, "notes": notes}
    campaign = rebuild(document, allow_code=True)
    again = rebuild(json.loads(json.dumps(campaign.document)), allow_code=True)
    assert json.dumps(again.document) == json.dumps(campaign.document)
    assert json.dumps(again.identity) == json.dumps(campaign.identity)
    assert isinstance(again.planner, Fussy)
    for name, value in options.items():
        kept = getattr(again.planner, name)
        assert repr(kept) == repr(tuple(value) if isinstance(value, list) else value)


def test_trial_seeds_are_the_campaigns_or_derived_one_by_one(tmp_path: Path) -> None:
    fixed, varied = loaded(tmp_path), loaded(tmp_path, "trial_seed=per-trial")
    assert {fixed.seed_of(number) for number in range(50)} == {3}
    seeds = [varied.seed_of(number) for number in range(50)]
    assert len(set(seeds)) == 50
    assert seeds == [loaded(tmp_path, "trial_seed=per-trial").seed_of(number) for number in range(50)]
    assert seeds[0] != loaded(tmp_path, "trial_seed=per-trial", "seed=4").seed_of(0)


def test_paths_start_from_the_files_folder_and_are_known_by_their_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    campaigns = []
    for folder in ("a", "b"):
        (tmp_path / folder / "mine.csv").write_text("1,2,3")
        campaigns.append(loaded(tmp_path / folder, planner={"use": "lab:Fussy", "curves": "mine.csv"}))
    assert campaigns[0].planner.curves == tmp_path / "a" / "mine.csv"  # type: ignore[attr-defined]
    assert campaigns[0].identity == campaigns[1].identity
    (tmp_path / "b" / "mine.csv").write_text("1,2,4")
    changed = loaded(tmp_path / "b", planner={"use": "lab:Fussy", "curves": "mine.csv"})
    assert changed.identity != campaigns[0].identity


# --- what is refused, and in which words ---


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("nmae=x", ["nmae: unknown key", "did you mean name?"]),
        ("seed=no", ['seed: got "no"', "wanted a valid integer"]),
        ("seed=-1", ["seed: got -1", "greater than or equal to 0"]),
        ("seed=1.0", ["seed: got 1.0", "valid integer"]),
        ("seed=true", ["seed: got true"]),
        ("name=../up", ["name: got", "pattern"]),
        ("goal.direction=maximise", ["goal.direction", "'maximize' or 'minimize'", "did you mean maximize?"]),
        ("goal.target=.nan", ["goal.target: got NaN", "finite"]),
        ("budget.total=0", ["budget.total: got 0", "greater than or equal to 1"]),
        ("budget.initial=8", ["budget.initial: got 8", "no more than total, 7"]),
        ("budget.seconds=-1", ["budget.seconds: got -1", "greater than 0"]),
        ("budget.secnods=1", ["budget.secnods: unknown key", "did you mean seconds?"]),
        ("width=0", ["width: got 0"]),
        ("hopeless={}", ["hopeless.value: missing"]),
        ("hopeless={value: a-b}", ['hopeless.value: got "a-b"', "pattern"]),
        ("hopeless={value: loss, quantile: 1}", ["hopeless.quantile: got 1", "less than 1"]),
        ("hopeless={value: loss, after: 1}", ["hopeless.after: got 1", "less than 1"]),
        ("hopeless={value: loss, trials: 0}", ["hopeless.trials: got 0", "greater than or equal to 1"]),
        ("hopeless={value: loss, quantil: 0.1}", ["hopeless.quantil: unknown key", "did you mean quantile?"]),
        ("trial_seed=random", ["trial_seed", "'fixed' or 'per-trial'"]),
        ("atlas.grid=[9]", []),
        ("atlas.grid=[9, 1]", ["atlas.grid.1: got 1", "greater than or equal to 2"]),
        ("envelope.channels.x.lower=2", ["envelope.channels.x", "lower < upper"]),
        ("envelope.channels.x.slew=0", ["envelope.channels.x.slew: got 0", "greater than 0"]),
        ("envelope.channels.x.uper=1", ["envelope.channels.x.uper: unknown key", "did you mean upper?"]),
        ("planner=3", ["planner", "got 3"]),
        ("planner={}", ["planner: got {}", "wanted `use: NAME`", "bayesian"]),
        ("planner.use=bayesain", ['planner.use: got "bayesain"', "did you mean bayesian?"]),
        ("planner.use=no_such:Thing", ["planner.use", "cannot be imported", "no_such"]),
        ("planner.use=lab:Nothing", ["planner.use", "cannot be imported", "Nothing"]),
        ("planner={use: bayesian, acquisition: eii}", ['planner.acquisition: got "eii"', "did you mean ei?"]),
        ("planner={use: bayesian, acqisition: ei}", ["planner.acqisition: unknown key", "did you mean acquisition?"]),
        ("planner={use: bayesian, factor: -1}", ["planner.factor: got -1", "greater than or equal to 0"]),
        ("planner={use: bayesian, factor: big}", ['planner.factor: got "big"', "valid number"]),
        ("planner={use: 'lab:Fussy', fit: 3}", ["planner.fit: unknown key"]),
        ("planner={use: 'lab:Fussy', ends: [1]}", ["planner.ends.1: missing"]),
        ("executor.peak=[1, x]", ['executor.peak.1: got "x"', "valid number"]),
        ("decoder.lower=[2, 2]", ["decoder", "lower < upper"]),
        ("decoder.channels=null", ["decoder.channels: got nothing"]),
    ],
)
def test_a_mistake_is_named_by_path_value_and_wish(tmp_path: Path, override: str, words: list[str]) -> None:
    if override == "atlas.grid=[9]":  # fits the file; that it does not fit the decoder shows when it is charted
        with pytest.raises(ConfigurationError, match=r"grid is \[9\]; wanted 2 numbers"):
            loaded(tmp_path, override).charter()
        return
    text = refusal(tmp_path, override)
    assert "\n" not in text
    for word in words:
        assert word in text


def test_all_mistakes_are_listed_at_once_a_line_each(tmp_path: Path) -> None:
    changes = ["seed=x", "budget.totl=3", "planner.use=bayesain", "executor.peek=[1, 2]", "decoder.lower=[2, 2]"]
    text = refusal(tmp_path, *changes, evaluator=None)
    first, *others = text.splitlines()
    assert first.endswith("hill.yaml: 6 problems")
    places = [line.split(":")[0].strip() for line in others]
    assert sorted(places) == ["budget.totl", "decoder", "evaluator", "executor.peek", "planner.use", "seed"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("library.bounds=[1, 0]", ["library.bounds: got [1.0, 0.0]", "lower < upper"]),
        ("library.bounds=[[0, 1], [0, 1]]", ["library.bounds: got 2 pairs for 1 channels"]),
        ("library.dt=0", ["library.dt: got 0", "greater than 0"]),
        ("library.steps=1", ["library.steps: got 1"]),
        ("library.channels=[{name: x}, {name: x}]", ["library.channels", "every name once"]),
        ("library.channels.0.nam=x", ["library.channels.0.nam: unknown key", "did you mean name?"]),
        ("library.families=[]", ["library.families: got []", "at least 1 item"]),
        ("library.families.0.use=segmentd", ["library.families.0.use", "did you mean segmented?"]),
        ("library.families.0.count=0", ["library.families.0.count: got 0", "greater than 0"]),
        ("library.families.0.knot=1", ["library.families.0.knot: unknown key", "did you mean knots?"]),
        ("envelope.channels.y.upper=1", ["envelope.channels.y: no such channel", "wanted one of x"]),
    ],
)
def test_a_mistake_in_the_library_is_named(tmp_path: Path, change: str, words: list[str]) -> None:
    text = refusal(tmp_path, change, document=CURVES)
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "line 1: key 'b' stands twice"),
        ("a: [1", "line 1"),
        ("a: &x 3\nb: *x", "line 2: an alias"),
        ("3: a", "line 1: key '3'; wanted a word"),
        ("[a]: b", "wanted a word"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: could not determine a constructor"),
        ("[" * 1200, "nested too deeply"),
        ("a: \x00", "not YAML"),
    ],
)
def test_malformed_yaml_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^mine\.yaml") as refused:
        parse(text, "mine.yaml")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_scalars_are_what_they_look_like() -> None:
    text = "{a: 1e-3, b: no, c: on, d: 2024-01-01, e: 1:30, f: 010, g: ~, h: -.5, i: .inf, j: true, k: 1_0, l: ''}"
    assert parse(text, "") == {
        "a": 1e-3,
        "b": "no",
        "c": "on",
        "d": "2024-01-01",
        "e": "1:30",
        "f": 10,
        "g": None,
        "h": -0.5,
        "i": float("inf"),
        "j": True,
        "k": "1_0",
        "l": "",
    }


@given(st.text())
def test_any_text_is_a_value_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        parse(text, "any")


def test_a_missing_file_names_the_shipped_campaigns(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no such file.*ferrosim-curl.*did you mean ferrosim-curl\?"):
        load("ferosim-curl")
    with pytest.raises(ConfigurationError, match="a folder; wanted a YAML file"):
        load(tmp_path)
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(ConfigurationError, match=r"holds \[1\]; wanted keys such as name"):
        load(tmp_path / "list.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "latin.yaml")


# --- --set ---


def test_overrides_reach_any_depth_and_leave_the_original() -> None:
    document = {"planner": {"use": "x"}, "list": [{"k": 1}], "empty": None}
    changed = override(document, ["planner.xi=1e-2", "list.0.k=[2, 3]", "empty.made.here=yes", "new='1'"])
    assert changed == {
        "planner": {"use": "x", "xi": 0.01},
        "list": [{"k": [2, 3]}],
        "empty": {"made": {"here": "yes"}},
        "new": "1",
    }
    assert document == {"planner": {"use": "x"}, "list": [{"k": 1}], "empty": None}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("seed", "wanted key=value"),
        ("=3", "wanted key=value"),
        ("a..b=3", "wanted key=value"),
        ("list.7.k=1", "got '7'; wanted a place in a list of 1"),
        ("list.first=1", "got 'first'"),
        ("word.k=1", "'k' lies inside \"w\"; wanted a section"),
        ("a=[1", "line 1"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(assignment: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        override({"list": [{"k": 1}], "word": "w"}, [assignment])
    assert f"--set {assignment}" in str(refused.value)
    assert words in str(refused.value)


# --- parts ---


def test_code_runs_only_when_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = written(tmp_path, DIRECT, executor={"use": "trap_module:Trap"})
    with pytest.raises(
        ConfigurationError, match=r"executor\.use: got \"trap_module:Trap\", which is code; wanted --allow"
    ):
        load(path)
    assert "trap_module" not in sys.modules


def test_a_part_of_ones_own_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "beside_module.py").write_text(
        "class Own:\n    repeatable = True\n    def execute(self, trajectory, run): ..."
    )
    assert loaded(tmp_path, executor={"use": "beside_module:Own"}).document["executor"] == {"use": "beside_module:Own"}


def _distribution(folder: Path, name: str, points: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)


def test_parts_come_in_through_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _distribution(tmp_path, "lab", "[zbo.executors]\nhill = lab:Hill\nlost = lab_that_is_not:Hill\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"hill", "lost", "ferrosim"} <= set(installed("executors"))
    campaign = load(written(tmp_path, DIRECT, executor={"use": "hill"}, evaluator={"use": "total-curl"}))
    assert campaign.document["executor"]["use"] == "hill"
    with pytest.raises(ConfigurationError, match=r"'lost' \(lab_that_is_not:Hill\) cannot be imported"):
        find("executors", "lost")
    assert "executors.hill" in schema()["$defs"]
    assert "executors.lost" not in schema()["$defs"]
    _distribution(tmp_path, "rival", "[zbo.executors]\nhill = lab:Hills\n")
    with pytest.raises(ConfigurationError, match=r"'hill' is claimed by lab:Hills? and lab:Hills?"):
        installed("executors")


# --- schema and shipped campaigns ---


def test_the_schema_accepts_what_loads_and_rejects_what_does_not(tmp_path: Path) -> None:
    described = json.loads(json.dumps(schema(), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(described)
    judge = jsonschema.Draft202012Validator(described)
    assert judge.is_valid(DIRECT)
    assert judge.is_valid(CURVES)
    for wrong in (
        {**DIRECT, "nmae": 1},
        {**DIRECT, "planner": {"use": "bayesian", "acquisition": "eii"}},
        {**DIRECT, "planner": {"use": "bayesain"}},
        {**DIRECT, "budget": {"total": 0}},
    ):
        assert not judge.is_valid(wrong)


def mnist_in_small(folder: Path) -> Path:
    """A folder as MNIST comes: 40 black images of 28 x 28 pixels, 4 of each digit, and their labels."""
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, 40, 28, 28) + bytes(40 * 28 * 28))
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, 40) + bytes(range(10)) * 4)
    return folder


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_campaigns_are_right(name: str, tmp_path: Path) -> None:
    if name == "hysteresis-area":
        pytest.importorskip("mexpsimu", reason="its specimen comes with the extra zbo-orchestrator[microscope]")
    mnist = [f"executor.images.folder={mnist_in_small(tmp_path / 'mnist')}", "executor.subset=40"]
    campaign = load(name, mnist if name == "jrvae-mnist" else [])
    assert campaign.name == name
    assert rebuild(campaign.document).identity == campaign.identity
    jsonschema.Draft202012Validator(schema()).validate(parse(shipped()[name].read_text(), name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("executor.epochs=30", "executor: the schedule has 40 steps; wanted one for each of 30 epochs"),
        ("executor.beta_discrete=null", r"executor: the trajectory has 1 channels \(beta_c\); wanted 2"),
        ("hopeless={value: separation}", 'hopeless.value: got "separation"; wanted one of loss'),
    ],
)
def test_what_the_executor_cannot_do_with_the_librarys_form_is_said_at_once(change: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load("jrvae-digits", [change])


def test_what_is_needed_beside_a_shipped_campaign_is_said() -> None:
    with pytest.raises(ConfigurationError, match=r"executor: .*mnist.* is not a folder"):
        load("jrvae-mnist")


def test_every_studys_campaigns_are_shipped() -> None:
    assert {"ferrosim-curl", "ferrosim-parameters"} <= set(shipped())
    assert {"jrvae-digits", "jrvae-digits-joint", "jrvae-mnist"} <= set(shipped())
    assert {"jrvae-particles-3", "jrvae-particles-7"} <= set(shipped())
    assert "hysteresis-area" in shipped()
    curl = load("ferrosim-curl")
    assert (curl.budget.initial, curl.budget.total) == (20, 80)
    assert sum(family["count"] for family in curl.document["library"]["families"]) == 7500


# --- what is founded ---


def test_a_decoder_is_learnt_once_for_everything_that_determines_it(tmp_path: Path, cache: Path) -> None:
    CountedRecipe.lessons = 0
    heard: list[int] = []
    first = loaded(tmp_path, document=CURVES).charter(lambda step, of, **values: heard.append(step))
    again = loaded(tmp_path, "name=other", "planner={use: sobol}", document=CURVES).charter()
    assert (CountedRecipe.lessons, heard) == (1, [1])
    np.testing.assert_array_equal(first.decoder["mean"], again.decoder["mean"])
    assert first.identity["weights"] == again.identity["weights"]
    for change in ("seed=4", "decoder.gain=2", "library.families.0.count=6", "library.dt=0.2"):
        before = CountedRecipe.lessons
        loaded(tmp_path, change, document=CURVES).charter()
        assert CountedRecipe.lessons == before + 1, change
    assert len(list((cache / "decoders").glob("*.npz"))) == 5


def test_a_decoder_is_learnt_anew_for_another_seed_of_the_same_curves(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("0,0.5,1\n1,0.5,0\n")
    document = {
        **CURVES,
        "library": {**CURVES["library"], "steps": 3, "families": [{"use": "file", "path": "own.csv"}]},
    }
    CountedRecipe.lessons = 0
    first, other = (loaded(tmp_path, f"seed={seed}", document=document).charter() for seed in (3, 4))
    assert first.library is not None
    assert other.library is not None
    np.testing.assert_array_equal(first.library.values, other.library.values)
    assert CountedRecipe.lessons == 2


def test_a_charter_holds_the_library_its_labels_and_the_atlas(tmp_path: Path) -> None:
    charter = loaded(tmp_path, document=CURVES).charter()
    assert charter.library is not None
    assert charter.library.values.shape == (5, 12, 1)
    assert charter.families == ("segmented",) * 5
    assert charter.space.shape == (9, 9)
    assert charter.repeatable
    assert not loaded(tmp_path, executor={"use": "lab:Instrument"}).charter().repeatable


def test_resuming_uses_the_historys_decoder_and_never_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, path = loaded(tmp_path, document=CURVES), tmp_path / "history"
    campaign.open(path).close()
    monkeypatch.setattr(CountedRecipe, "learn", None)
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "elsewhere"))
    with campaign.open(path) as history:
        trajectory = campaign.decoder(history).decode(np.zeros((1, 2)))
        np.testing.assert_array_equal(trajectory.values[0], history.charter.decoder["mean"])
        assert history.space.certify is not None
        np.testing.assert_array_equal(history.space.certify(history.space.candidates), history.space.margins)


def test_a_new_history_certifies_too(tmp_path: Path) -> None:
    with loaded(tmp_path).open(tmp_path / "history") as history:
        assert history.space.certify is not None


def test_a_trial_cut_short_on_an_instrument_is_asked_about_where_wanted(tmp_path: Path) -> None:
    path, one = tmp_path / "history", Plan([[0.0, 0.0]], ("by hand",))
    careful = loaded(tmp_path, "interrupted=ask", executor={"use": "lab:Instrument"})
    with careful.open(path) as history:
        history.start(history.propose(one)[0].number)
    for _ in range(2):
        with pytest.raises(HistoryError, match=r"trial 0 was under way.*--set interrupted=go-on"):
            careful.open(path)
    with loaded(tmp_path, executor={"use": "lab:Instrument"}).open(path) as history:
        assert history.status.tolist() == [Status.INTERRUPTED]
    careful.open(path).close()


def test_another_campaign_is_refused_with_what_differs(tmp_path: Path) -> None:
    loaded(tmp_path).open(tmp_path / "history").close()
    with pytest.raises(HistoryError, match=r"executor\.cliff: history has 10\.0, this campaign wants 3\.0"):
        loaded(tmp_path, "executor.cliff=3").open(tmp_path / "history")
    History.open(tmp_path / "history", wait=0.1).close()  # the refused one let go of the lock


def test_budget_name_and_notes_may_change(tmp_path: Path) -> None:
    loaded(tmp_path).open(tmp_path / "history").close()
    changed = loaded(tmp_path, "name=renamed", "notes={a: 1}").with_budget(30)
    assert changed.document["budget"]["total"] == 30
    changed.open(tmp_path / "history").close()
    record = Record.read(tmp_path / "history")
    assert (record.name, record.notes, record.budget.total) == ("renamed", {"a": 1}, 30)
    assert changed.founded(record)
    assert not loaded(tmp_path, "seed=9").founded(record)


def test_an_empty_feasible_region_names_its_limit(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"x\.upper"):
        loaded(tmp_path, "envelope.channels.x.upper=-3").charter()
