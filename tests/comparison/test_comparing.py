"""Final trainings against known effect sizes: who wins, who loses, what is trained, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import arena
import numpy as np
import pytest
from arena import duel, level
from lab import DIRECT, written

from zbo_orchestrator.campaign import load, rebuild
from zbo_orchestrator.comparison import Audience, Comparison, Round, Training, Wish, folder_of, prepare, read
from zbo_orchestrator.comparison.arms import arms_of, comparable, resampled
from zbo_orchestrator.comparison.keeping import packed, unpacked
from zbo_orchestrator.comparison.trainings import seeds_of
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.model import (
    Channel,
    ConfigurationError,
    ExecutionError,
    Executor,
    HistoryError,
    Measurement,
    Score,
    Trajectory,
)
from zbo_orchestrator.report.compared_words import details, failures, spread_words, verdict

Compare = Callable[..., Comparison]


# --- what comes out


def test_a_winner_wins_by_what_it_is_better(compared: Compare) -> None:
    seen = compared()
    assert seen.arms == ("best found", "vanilla", "constant 1", "constant 3")
    assert [each.mean for each in seen.differences] == pytest.approx([-3.25, -2.25, -0.25], abs=0.03)
    assert verdict(seen) == ("Over 4 seeds at full size, the found schedule beats vanilla, constant 1 and constant 3.")
    assert "beats constant 1 by 2.2" in details(seen)[1]
    assert [each.size for each in seen.rounds] == ["campaign", "final"]
    assert seen.last.terms["level"][:, 0].tolist() == [2.5, 1.0, 1.0, 3.0]


def test_a_loss_is_told_as_one(compared: Compare) -> None:
    seen = compared(final_peak=1.0)
    assert "the found schedule beats constant 3 and is worse than vanilla and constant 1" in verdict(seen)
    assert details(seen)[1].startswith("The found schedule is worse than constant 1 by 2.2")
    assert "95 % interval 2.2" in details(seen)[1]
    assert details(seen)[0].startswith("The found schedule is worse than vanilla by 1.2")


def test_what_cannot_be_told_apart_is_not_told_apart(compared: Compare) -> None:
    seen = compared(final_peak=2.75, shift=0.2, noise=0.1, schedules=("best", "constant 1", "constant 3"))
    assert "beats constant 1 and cannot be told apart from constant 3" in verdict(seen)
    assert "cannot be told apart (constant 3 minus found" in details(seen)[1]


def test_noise_that_drowns_the_schedules_is_said_first_and_nothing_else_is_claimed(compared: Compare) -> None:
    seen = compared(shift=0.0, noise=50.0, seeds=8)
    assert verdict(seen).startswith("The comparison means nothing: at full size the training seed alone")
    assert details(seen) == [], "nobody is better or worse, nor is another model"
    assert all(spread_words(each).endswith("a comparison means nothing.") for each in seen.rounds)


def test_another_model_does_not_pass_for_a_range_over_schedules(compared: Compare) -> None:
    seen = compared(shift=5.0, noise=0.0, handicap=1000.0)
    assert seen.last.alike.tolist() == [True, False, True, True]
    assert seen.last.spread.range < 3
    assert verdict(seen).startswith("The comparison means nothing")
    assert details(seen) == []


def test_the_range_is_over_the_same_schedules_whichever_are_chosen(compared: Compare) -> None:
    seen = compared(shift=5.0, noise=0.0, handicap=1000.0, schedules=("best", "vanilla"))
    assert seen.last.alike.tolist() == [True, False]
    assert verdict(seen).startswith("The comparison means nothing: no other schedule was trained under")
    assert details(seen) == []
    assert all(spread_words(each).endswith("a comparison means nothing.") for each in seen.rounds)


def test_where_every_rival_has_settings_of_its_own_all_count() -> None:
    class Apart(arena.Trainer):
        def rivals(self, found: Trajectory) -> Mapping[str, tuple[Executor, Trajectory]]:
            return {"vanilla": (replace(self, vanilla=True), found)}

    assert [arm.alike for arm in arms_of(Apart(), level(1.0), {})] == [True, True]
    assert [arm.alike for arm in arms_of(Apart(), level(1.0), {"other": level(2.0)})] == [True, False, True]


def test_the_spread_comes_before_the_full_data(compared: Compare) -> None:
    order: list[str] = []

    class Noted(Audience):
        def trained(self, training: Training, outcome: Score | ExecutionError, done: int, of: int) -> None:
            order.append(training.size)

        def compared(self, done: Round) -> None:
            order.append(f"spread {done.size}")

    compared(seeds=2, audience=Noted())
    assert list(dict.fromkeys(order)) == ["campaign", "spread campaign", "final", "spread final"]
    assert order.index("spread campaign") == 8


def test_small_stays_at_the_campaigns_size(compared: Compare) -> None:
    seen = compared(small=True, seeds=2)
    assert {size for size, *_ in arena.RAN} == {"campaign"}
    assert "at the campaign's size" in verdict(seen)


@pytest.mark.parametrize("part", [{"small": True}, {"schedules": ("best", "constant 1")}])
def test_a_part_leaves_the_whole_as_it_was(compared: Compare, found: Path, part: dict[str, object]) -> None:
    whole = compared(seeds=3)
    compared(seeds=2, **part)
    kept, kept_part = read(found), read(found, partial=True)
    assert kept is not None
    assert (kept.seeds, kept.arms) == (whole.seeds, whole.arms)
    assert kept_part is not None
    assert len(kept_part.seeds) == 2


def test_an_executor_that_takes_batches_gets_them_and_comes_to_the_same(compared: Compare) -> None:
    one, many = compared(seeds=3), compared(seeds=3, trainer="Trainers")
    assert np.array_equal(one.last.values, many.last.values)


def test_a_failing_arm_is_shown_and_the_others_go_on(compared: Compare) -> None:
    seen = compared(cliff=2.7, seeds=3)
    assert np.isnan(seen.last.values[3]).all()
    assert np.isfinite(seen.last.values[:3]).all()
    assert list(failures(seen))[-1] == (f"constant 3, seed {seen.seeds[2]}, at full size: diverged at level 3")
    assert len(list(failures(seen))) == 6
    assert verdict(seen).endswith(
        "beats vanilla and constant 1; too few trainings under constant 3 have a score to tell."
    )
    assert details(seen)[2] == "The found schedule and constant 3 share too few scored seeds to be told apart."


def test_a_measurement_that_cannot_be_scored_is_a_failure_too(
    compared: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = arena.Goodness.evaluate

    def fussy(self: arena.Goodness, trajectory: Trajectory, measurement: Measurement) -> Score:
        if trajectory.values[0, 0] == 3:
            raise ExecutionError("nothing to see")
        return evaluate(self, trajectory, measurement)

    monkeypatch.setattr(arena.Goodness, "evaluate", fussy)
    assert {line.rpartition(": ")[2] for line in failures(compared(seeds=2))} == {"nothing to see"}


# --- seeds, and what is kept


def test_every_arm_has_the_same_seeds_which_are_no_trials(compared: Compare, found: Path) -> None:
    seen = compared()
    by_arm = Counter((size, value, seed) for size, value, seed in arena.RAN if value != 1.0)
    assert by_arm == Counter(
        (size, value, s) for size in ("campaign", "final") for value in (2.5, 3.0) for s in seen.seeds
    )
    assert len(set(seen.seeds)) == 4
    assert not set(seen.seeds) & {attempt["seed"] for attempt in Record.read(found).attempts}


def test_more_seeds_begin_with_the_same_ones(found: Path) -> None:
    campaign = load(duel(found.parent), allow_code=True)
    assert seeds_of(campaign, 9)[:4] == seeds_of(campaign, 4)
    assert seeds_of(replace(campaign, seed=6), 4) != seeds_of(campaign, 4)


def test_more_seeds_train_only_the_new_ones(compared: Compare) -> None:
    compared(seeds=3)
    arena.RAN.clear()
    seen = compared(seeds=5)
    assert {seed for *_, seed in arena.RAN} == set(seen.seeds[3:])
    assert len(arena.RAN) == 2 * 4 * 2


@pytest.mark.parametrize("trainer", ["Trainer", "Trainers"])
def test_a_killed_comparison_goes_on_where_it_was(compared: Compare, found: Path, trainer: str) -> None:
    arena.PATIENCE.append(13)
    with pytest.raises(KeyboardInterrupt):
        compared(seeds=3, trainer=trainer)
    assert read(found) is None
    arena.PATIENCE.clear()
    seen = compared(seeds=3, trainer=trainer)
    assert len(arena.RAN) == len(set(arena.RAN)) + 6  # vanilla and constant 1 share level and seeds
    assert len(arena.RAN) == seen.last.values.size * 2
    assert not (folder_of(found) / "scratch").exists()


def test_a_damaged_training_is_trained_again(compared: Compare, found: Path) -> None:
    seen = compared(seeds=2)
    path = folder_of(found) / f"{seen.last.digests[3, 1]}.npz"
    path.write_bytes(path.read_bytes()[:-40])
    arena.RAN.clear()
    again = compared(seeds=2)
    assert [("final", 3.0, seen.seeds[1])] == arena.RAN
    assert np.array_equal(again.last.values, seen.last.values)


def test_another_option_of_the_executor_is_another_training(compared: Compare) -> None:
    compared(seeds=2)
    trained = len(arena.RAN)
    compared(seeds=2, noise=0.02)
    assert len(arena.RAN) == 2 * trained


def test_what_is_kept_comes_back_as_it_was(compared: Compare, found: Path) -> None:
    seen, again = compared(seeds=2), read(found)
    assert again is not None
    assert (again.arms, again.seeds, again.trial, again.goal) == (seen.arms, seen.seeds, seen.trial, seen.goal)
    assert np.array_equal(again.schedules.values, seen.schedules.values)
    assert again.schedules.channels == seen.schedules.channels
    for one, other in zip(seen.rounds, again.rounds, strict=True):
        assert np.array_equal(one.values, other.values)
        assert one.terms.keys() == other.terms.keys()
        assert (one.digests == other.digests).all()


def test_a_measurement_survives_being_kept() -> None:
    values = {"image": np.arange(6, dtype=np.int8).reshape(2, 3), "name": np.array("µ")}
    whole = Measurement(values, {"image": ("y", "x")}, {"image": "nm"}, level(2.0))
    again = unpacked({name: np.array(array) for name, array in packed(whole).items()})
    assert again.dims == whole.dims
    assert again.units == whole.units
    assert again.arrays["image"].dtype == np.int8
    assert again.executed is not None
    assert again.executed.channels == level(2.0).channels
    assert unpacked(packed(replace(whole, executed=None))).executed is None


def test_two_at_once_are_one_too_many(compared: Compare, found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lock.__init__, "__defaults__", (0.0,))
    folder_of(found).mkdir()
    with Lock(folder_of(found) / "lock"), pytest.raises(HistoryError, match="another process is writing"):
        compared()
    assert not arena.RAN


# --- crosswise


def elsewhere(folder: Path, **decoder: object) -> Path:
    """A campaign whose peak is at level 1, with a decoder of its own."""
    sections = {"executor": {"use": "arena:Trainer", "peak": 1.0}, "decoder": {"use": "arena:Levels", **decoder}}
    conduct(load(duel(folder, name="elsewhere", **sections), allow_code=True), folder / "elsewhere", Watcher())
    return folder / "elsewhere"


def test_the_best_of_another_problem_is_tried_on_this_one(compared: Compare, found: Path, tmp_path: Path) -> None:
    seen = compared(seeds=2, others=(elsewhere(tmp_path, steps=9),))
    assert seen.arms[-1] == "best of elsewhere"
    assert seen.schedules.values[-1].tolist() == [[1.0]] * arena.STEPS
    assert seen.differences[-1].mean == pytest.approx(-2.25, abs=0.05)
    assert np.array_equal(seen.last.values[-1], seen.last.values[2]), "it is constant 1, and is trained once"


def test_another_problems_channels_must_be_the_same(compared: Compare, found: Path, tmp_path: Path) -> None:
    other = elsewhere(tmp_path, channel="field")
    with pytest.raises(ConfigurationError, match=r"elsewhere has the channels field; wanted beta"):
        compared(others=(other,))
    assert arena.RAN[-1][0] == "campaign", "nothing was trained at full size"


def test_resampling_keeps_the_ends_and_what_lies_between() -> None:
    ramp = Trajectory(np.linspace(0, 1, 5)[:, None], 0.2, arena.BETA)
    longer = resampled(ramp, level(0.0, steps=9), "ramp")
    assert longer.values[:, 0] == pytest.approx(np.linspace(0, 1, 9))
    assert longer.dt == 1.0
    assert np.array_equal(resampled(ramp, level(0.0, steps=5), "ramp").values, ramp.values)


# --- what is refused


def test_images_rewritten_since_are_not_trained_on_as_this_historys(compared: Compare, found: Path) -> None:
    images = found.parent / "images.npy"
    images.write_bytes(b"as they were")
    compared(seeds=2, images=str(images))
    arena.RAN.clear()
    images.write_bytes(b"as they are now")
    campaign = rebuild(Record.read(found).charter.campaign, allow_code=True)
    with pytest.raises(HistoryError, match=r"another campaign: executor\.images: history has .*, this campaign wants"):
        prepare(campaign, found, Wish())


def test_an_executor_that_knows_no_rivals_is_refused(tmp_path: Path) -> None:
    campaign = load(written(tmp_path, DIRECT), allow_code=True)
    with pytest.raises(ConfigurationError, match=r"lab:Hill does not say .* wanted one with final\(\)"):
        comparable(campaign)


def test_an_executor_that_may_not_repeat_is_refused(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena.Trainer, "repeatable", False)
    with pytest.raises(ConfigurationError, match="not repeatable"):
        comparable(load(duel(found.parent), allow_code=True))


def test_a_full_size_without_rivals_is_refused(compared: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena.Trainer, "final", lambda self: object())
    with pytest.raises(ConfigurationError, match=r"final\(\) gave object"):
        compared()


def test_rivals_that_change_with_the_size_are_refused(compared: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    rivals = arena.Trainer.rivals

    def fickle(self: arena.Trainer, found: Trajectory) -> Mapping[str, tuple[Executor, Trajectory]]:
        return rivals(self, found) | ({"late": (self, level(4.0))} if self.full else {})

    monkeypatch.setattr(arena.Trainer, "rivals", fickle)
    with pytest.raises(ConfigurationError, match=r"final\(\) has the rivals .*, late; wanted the same"):
        compared()


def test_a_rival_of_another_form_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"rival 'constant 1' has shape \(2, 1\)"):
        arms_of(_Short(), level(1.0), {})


class _Short(arena.Trainer):
    def rivals(self, found: Trajectory) -> dict[str, tuple[arena.Trainer, Trajectory]]:  # type: ignore[override]
        return {"constant 1": (self, level(1.0, steps=2))}


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"schedules": ("best", "constant 7")}, "schedules constant 7: wanted some of best found, vanilla, constant 1"),
        ({"schedules": ("best",)}, "the best found alone; wanted one of vanilla"),
        ({"seeds": 1}, "seeds 1: wanted at least 2"),
    ],
)
def test_a_wish_that_cannot_be_met_says_so(compared: Compare, wish: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        compared(**wish)


def test_a_history_without_a_score_has_nothing_to_compare(tmp_path: Path) -> None:
    file = duel(tmp_path, budget={"initial": 1, "total": 1}, executor={"use": "arena:Trainer", "cliff": -1.0})
    campaign = load(file, allow_code=True)
    conduct(campaign, tmp_path / "barren", Watcher())
    with pytest.raises(ConfigurationError, match="barren holds no scored trial"):
        prepare(campaign, tmp_path / "barren", Wish())


def test_channels_differ_by_unit_too() -> None:
    other = Trajectory(np.ones((3, 1)), 1.0, (Channel("beta", "V"),))
    with pytest.raises(ConfigurationError, match=r"has the channels beta \(V\); wanted beta"):
        resampled(other, level(1.0), "other")
