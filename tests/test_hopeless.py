"""The stop on hopeless intermediate values: what it ends, that it is off unless asked for, and what it would cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from equality import assert_equal_histories
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lab import DIRECT, written
from rich.console import Console

from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.cli import terminal
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.hopeless import FalseStops, Rule, false_stops, replay
from zbo_orchestrator.model import (
    Array,
    ConfigurationError,
    Goal,
    HistoryError,
    Measurement,
    Run,
    Score,
    Status,
    Trajectory,
)

STEPS = 8
TRIALS = 16
RULE = {"value": "promise", "quantile": 0.4, "after": 0.5, "trials": 5}


def promises(trajectory: Trajectory) -> Array:
    """A trial's curve [step], known beforehand: drifts from one coordinate to the other."""
    x, y = trajectory.values[0]
    return np.asarray(x + (y - x) * np.arange(1, STEPS + 1) / STEPS)


@dataclass(frozen=True)
class Curved:
    """Reports a known curve and keeps a checkpoint after each step; may report every `every`-th value only."""

    every: int = 1
    named: str = "promise"
    repeatable = True
    passing: ClassVar[Callable[[int, int], None]] = staticmethod(lambda number, step: None)
    """Called between report and checkpoint, and after the checkpoint: where a test kills."""

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        checkpoint = run.scratch / "step"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        curve = promises(trajectory)
        for step in range(done + 1, STEPS + 1):
            judged = {"promise": float(curve[step - 1])} if step % self.every == 0 else {}
            run.report(step, STEPS, loss=1.0 / step, **judged)
            self.passing(run.number, 2 * step)
            checkpoint.write_text(str(step))
            self.passing(run.number, 2 * step + 1)
        taken = np.arange(self.every, STEPS + 1, self.every)
        arrays = {self.named: curve[taken - 1], "end": curve[-1:]}
        return Measurement(arrays if self.every == 1 else {**arrays, f"{self.named}_step": taken})


class End:
    def evaluate(self, trajectory: Trajectory, measurement: Measurement) -> Score:
        return Score(float(measurement.arrays["end"][0]))


def campaign(folder: Path, *overrides: str, hopeless: Mapping[str, Any] | None = RULE, **sections: Any) -> Campaign:
    parts = {"executor": {"use": "test_hopeless:Curved"}, "evaluator": {"use": "test_hopeless:End"}, "envelope": {}}
    whole = {**DIRECT, **parts, "budget": {"initial": 4, "total": TRIALS}, **sections, "hopeless": hopeless}
    return load(written(folder, {name: each for name, each in whole.items() if each}), overrides, allow_code=True)


def ran(folder: Path, *overrides: str, workers: Any = "inline", watcher: Watcher | None = None, **how: Any) -> Record:
    path = folder / "history"
    conduct(campaign(folder, *overrides, **how), path, watcher or Watcher(), workers=workers)
    return Record.read(path)


def expected(record: Record, rule: Rule, taken: Array = np.arange(1, STEPS + 1)) -> Array:  # noqa: B008
    """Where `rule` stops each trial of a history of known curves, reported at the steps `taken`."""
    curves = np.array([promises(record.trial(number).trajectory) for number in range(len(record))])
    return replay(curves[:, taken - 1], taken, curves[:, -1], rule, record.goal, of=STEPS)


# --- through a campaign ---------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_trials_are_stopped_where_their_known_curves_say(tmp_path: Path, direction: str) -> None:
    record = ran(tmp_path, goal={"direction": direction})
    stopped = expected(record, Rule(**RULE))
    assert 3 <= (stopped > 0).sum() <= TRIALS - 5
    assert (record.status == np.where(stopped > 0, Status.STOPPED, Status.SCORED)).all()
    assert np.isnan(record.values[stopped > 0]).all()
    assert (stopped[stopped > 0] >= STEPS / 2).all()
    for number in np.flatnonzero(stopped):
        value = promises(record.trial(int(number)).trajectory)[stopped[number] - 1]
        assert f"promise {value:.4g} at step {stopped[number]} of {STEPS}" in record.errors[number]
        assert "scored trials" in record.errors[number]


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    plain = campaign(tmp_path, hopeless=None)
    assert plain.hopeless is None
    assert "hopeless" not in plain.identity  # such a history opens, founded before or after there was a rule
    assert "hopeless" not in plain.document
    assert set(ran(tmp_path, hopeless=None).status) == {Status.SCORED}


def test_a_rule_is_part_of_what_a_history_is(tmp_path: Path) -> None:
    ruled = campaign(tmp_path)
    assert json.loads(json.dumps(ruled.document))["hopeless"] == {**RULE, "direction": None}
    campaign(tmp_path, hopeless=None).open(tmp_path / "history").close()
    with pytest.raises(HistoryError, match="hopeless"):
        ruled.open(tmp_path / "history")


def test_children_are_stopped_at_the_same_step_as_trials_at_home(tmp_path: Path) -> None:
    for folder in ("home", "away"):
        (tmp_path / folder).mkdir()
    home, away = ran(tmp_path / "home"), ran(tmp_path / "away", workers="processes")
    assert_equal_histories(home.path, away.path)
    assert home.errors == away.errors


def test_several_at_once_are_judged_too(tmp_path: Path) -> None:
    record = ran(tmp_path, "width=2", workers="threads")
    assert set(record.status) == {Status.SCORED, Status.STOPPED}
    assert (record.status == Status.SCORED).sum() >= RULE["trials"]


class Killed(BaseException):
    """Stands for a kill: nothing that catches errors catches it."""


def test_killed_at_any_moment_and_gone_on_with_it_decides_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "straight").mkdir()
    straight = ran(tmp_path / "straight", "budget.total=9")
    seen: set[tuple[int, int]] = set()

    def kill_once(number: int, moment: int) -> None:
        if number >= 7 and (number, moment) not in seen:
            seen.add((number, moment))
            raise Killed

    class Killing(Watcher):
        def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:
            kill_once(number, 2 * step - 100)  # before the verdict, a moment of its own

    monkeypatch.setattr(Curved, "passing", staticmethod(kill_once))
    finished = False
    while not finished:
        try:
            record = ran(tmp_path, "budget.total=9", watcher=Killing())
            finished = True
        except Killed:
            continue
    assert len(seen) > 30
    assert Status.STOPPED in record.status[7:]
    assert_equal_histories(straight.path, record.path)
    assert straight.errors == record.errors


def test_reports_now_and_then_are_matched_by_their_steps(tmp_path: Path) -> None:
    record = ran(tmp_path, "executor.every=3")
    stopped = expected(record, Rule(**RULE), taken=np.array([3, 6]))
    assert set(stopped) == {0, 6}
    assert ((record.status == Status.STOPPED) == (stopped > 0)).all()


def test_a_value_without_a_curve_is_told_at_the_first_trial(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"hopeless\.value: no curve 'promise'.*wanted one of hope, end"):
        ran(tmp_path, "executor.named=hope")
    assert len(Record.read(tmp_path / "history")) <= 2


class DrawnAtOnce(terminal.Screen):
    """Draws at every report, not ten times a second."""

    def running(self, *report: Any) -> None:
        super().running(*report)
        assert self._bars is not None
        self._bars.refresh()


def test_the_screen_says_why_a_trial_was_stopped_and_puts_its_bar_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "LONG", -1.0)
    console = Console(file=StringIO(), force_terminal=True, width=200)
    with DrawnAtOnce(console, terminal.Best(Goal())) as screen:
        record = ran(tmp_path, watcher=screen)
        assert screen._bars is not None
        assert [task.description for task in screen._bars.tasks] == ["trials"]
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for number in np.flatnonzero(record.status == Status.STOPPED):
        assert f"trial {number} stopped: {record.errors[number]}" in shown
    assert "loss 0.25" in shown


def test_a_long_trial_is_heard_of_in_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "SILENT", -1.0)
    console = Console(file=StringIO(), width=200)
    with terminal.Screen(console, terminal.Best(Goal())) as screen:
        ran(tmp_path, "budget={initial: 1, total: 1}", watcher=screen)
    assert "trial 0 at 4/8  loss 0.25  promise " in console.file.getvalue()  # type: ignore[attr-defined]


# --- what a rule would have done ------------------------------------------------------------------

CURVES = arrays(float, st.tuples(st.integers(0, 25), st.just(6)), elements=st.floats(-9, 9))
RULES = st.builds(Rule, st.just("v"), st.floats(0.05, 0.95), st.floats(0, 0.95), st.integers(1, 6))


@settings(deadline=None)
@given(CURVES, RULES, st.booleans())
def test_a_rule_spares_the_first_the_early_the_last_step_and_the_leader(curves: Array, rule: Rule, up: bool) -> None:
    steps, goal = np.arange(1, 7), Goal(up)
    stopped = replay(curves, steps, curves[:, -1], rule, goal)
    assert not stopped[: rule.trials].any()
    assert all(step / 6 >= rule.after and step < 6 for step in stopped[stopped > 0])
    leading = goal.gain(curves) >= np.maximum.accumulate(goal.gain(curves), axis=0)
    assert not stopped[leading.all(axis=1)].any()
    assert (replay(-curves, steps, -curves[:, -1], rule, Goal(not up)) == stopped).all()


@settings(deadline=None)
@given(CURVES, RULES)
def test_nobody_is_judged_by_what_came_later_or_has_no_score(curves: Array, rule: Rule) -> None:
    steps, half = np.arange(1, 7), len(curves) // 2
    stopped = replay(curves, steps, curves[:, -1], rule, Goal())
    assert (replay(curves[:half], steps, curves[:half, -1], rule, Goal()) == stopped[:half]).all()
    assert not replay(curves, steps, np.full(len(curves), np.nan), rule, Goal()).any()


def test_false_stops_are_counted() -> None:
    scores = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan])
    stopped = np.array([5, 0, 0, 0, 0, 0, 8, 8])
    assert false_stops(stopped, scores, 10, Goal()) == FalseStops(8, 3, (5 + 2 + 2) / 80, 1, best=True)
    assert false_stops(stopped, scores, 10, Goal(False)) == FalseStops(8, 3, 9 / 80, 1, best=True)
    harmless = false_stops(np.array([0, 5, 0, 0, 0, 0, 0, 5]), scores, 10, Goal())
    assert (harmless.good, harmless.best, harmless.rate) == (0, False, 0.0)
    assert np.isnan(false_stops(np.zeros(8, int), scores, 10, Goal()).rate)


@settings(deadline=None)
@given(CURVES, RULES)
def test_a_loss_is_judged_downwards_whatever_the_goal(curves: Array, rule: Rule) -> None:
    steps, scores = np.arange(1, 7), -curves[:, -1]
    down = replace(rule, direction="minimize")
    assert (replay(curves, steps, scores, down, Goal(True)) == replay(-curves, steps, scores, rule, Goal(True))).all()
