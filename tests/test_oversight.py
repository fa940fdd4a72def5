"""People and the rules that ask for them: what was asked is done, recorded, and outlives the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import DIRECT, written
from oversight_lab import Person

from zbo_orchestrator import oversight
from zbo_orchestrator.audit import replay, replayable
from zbo_orchestrator.breaker import FAILURES, Breaker
from zbo_orchestrator.campaign import Campaign, load
from zbo_orchestrator.cli import main
from zbo_orchestrator.conduct import Watcher, budgeted, conduct
from zbo_orchestrator.history import History, Inbox, Record, Request, verify
from zbo_orchestrator.model import ConfigurationError, HistoryError, Status, Trial, Unattended, Vetoed
from zbo_orchestrator.planners.baselines import Random
from zbo_orchestrator.planners.sentinels import Sentinels, drift
from zbo_orchestrator.standing import Standing
from zbo_orchestrator.testing import bowl

HERE = Path(__file__).parent


def campaign(folder: Path, **sections: Any) -> Campaign:
    return load(written(folder, DIRECT, **sections), allow_code=True)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history"


def events(path: Path, kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in Record.read(path).events if event["kind"] == kind]


# --- asking -----------------------------------------------------------------------------------------


def test_a_pause_waits_for_the_resumption_and_both_are_recorded(tmp_path: Path, history: Path) -> None:
    person = Person({1: [Request("pause", "lunch", "anna")]}, iter([[Request("resume", "back", "anna")]]))
    conduct(campaign(tmp_path), history, person)
    assert [event["reason"] for event in events(history, "pause")] == ["anna: lunch"]
    assert [event["reason"] for event in events(history, "resume")] == ["anna: back"]
    assert len(Record.read(history)) == 7
    assert not Inbox(history).files()


def test_a_paused_campaign_stays_paused_in_the_next_process(tmp_path: Path, history: Path) -> None:
    with pytest.raises(Unattended, match=r"nobody came for 0\.3 s: paused: anna: lunch"):
        conduct(campaign(tmp_path), history, Person({1: [Request("pause", "lunch", "anna")]}, iter([[]])), patience=0.3)
    assert np.isfinite(Record.read(history).values).sum() == 2
    with pytest.raises(Unattended):
        conduct(campaign(tmp_path), history, Watcher(), patience=0.0)
    Inbox(history).put(Request("resume"))
    conduct(campaign(tmp_path), history, Watcher(), patience=0.0)
    assert Record.read(history).state == "finished"


def test_a_vetoed_point_is_never_run_and_the_planner_knows(tmp_path: Path, history: Path) -> None:
    person = Person({2: [Request("veto", "it would crack", "anna")]})
    conduct(campaign(tmp_path, planner={"use": "bayesian"}, budget={"initial": 3, "total": 7}), history, person)
    record = Record.read(history)
    assert record.status.tolist() == [2, 2, 2, Status.VETOED, 2, 2, 2]
    assert record.errors[3] == "vetoed by anna: it would crack"
    assert isinstance(record.trial(3).outcome, Vetoed)
    assert not (record.z[4:] == record.z[3]).all(axis=1).any()
    assert Status.VETOED in record.evidence(plan=4).status
    assert verify(history) == []


def test_with_approval_nothing_runs_unasked(tmp_path: Path, history: Path) -> None:
    answers = [[Request("approve")], [Request("veto", "no")], [Request("approve")], [Request("stop", "enough", "bo")]]
    conduct(campaign(tmp_path, approval=True), history, Person({}, iter(answers)))
    record = Record.read(history)
    assert record.status.tolist() == [Status.SCORED, Status.VETOED, Status.SCORED, Status.PROPOSED]
    assert record.stop_reason == "stopped by bo: enough"


def test_an_injected_point_runs_next_counts_and_leaves_the_plans_replayable(tmp_path: Path, history: Path) -> None:
    person = Person({3: [Request("inject", "a hunch", "anna", {"z": [0.25, -0.3]})]})
    conduct(campaign(tmp_path, planner={"use": "bayesian"}), history, person)
    record = Record.read(history)
    (number,) = np.flatnonzero((record.z == [0.25, -0.3]).all(axis=1))
    assert record.reasons[number] == "asked for by anna: a hunch"
    assert len(record) == 7
    order = np.argsort(record.recorded_tick)
    assert order.tolist().index(number) == 4  # before what was planned already
    assert [0.25, -0.3] in record.evidence(plan=len(record.plans) - 1).z.tolist()
    planner, certify = replayable(record, allow_code=True)
    replayed = list(replay(record, planner, certify))
    assert len(replayed) == len(record.plans) - 1
    assert not any(each.difference for each in replayed)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("inject", data={"z": [3.0, 0.0]}), "wanted a point between [-1.0, -1.0] and [1.0, 1.0]"),
        (Request("inject", data={"z": [0.9, 0.0]}), "z [0.9, 0.0] breaks x.upper"),
        (Request("inject", data={"z": "here"}), "z is 'here'"),
        (Request("inject"), "z is nan; wanted a point"),
        (Request("approve", data={"number": 99}), "trial 99 does not wait to be run"),
        (Request("resume"), "not paused"),
        (Request("budget", data={"total": 0}), "total 0"),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_record_and_the_campaign_goes_on(
    tmp_path: Path, history: Path, request_: Request, said: str
) -> None:
    conduct(campaign(tmp_path), history, Person({1: [request_]}))
    (answer,) = events(history, "request")
    assert said in answer["refused"]
    assert len(Record.read(history)) == 7


def test_rubbish_in_the_inbox_is_told_and_removed(tmp_path: Path, history: Path) -> None:
    inbox = Inbox(history)
    inbox.put(Request("pause"))
    inbox.files()[0].write_text("{ not json")
    conduct(campaign(tmp_path), history, Watcher())
    (answer,) = events(history, "request")
    assert "is not a request" in answer["refused"]
    assert not inbox.files()


def test_a_request_of_an_unknown_kind_cannot_be_made() -> None:
    with pytest.raises(HistoryError, match="wanted one of pause, resume"):
        Request("dance")  # type: ignore[arg-type]


def test_a_request_whose_file_outlived_its_answer_is_not_answered_twice(tmp_path: Path, history: Path) -> None:
    request = Request("inject", data={"z": [0.0, 0.0]})
    conduct(campaign(tmp_path), history, Person({1: [request], 3: [request]}))
    assert (Record.read(history).z == 0).all(axis=1).sum() == 1


def test_a_budget_raised_by_a_person_outlives_the_process(tmp_path: Path, history: Path) -> None:
    raised = Person({1: [Request("budget", data={"total": 9}), Request("pause")]}, iter([[]]))
    with pytest.raises(Unattended):
        conduct(campaign(tmp_path), history, raised, patience=0.0)
    Inbox(history).put(Request("resume"))
    conduct(campaign(tmp_path), history, Watcher())
    assert len(Record.read(history)) == 9
    conduct(campaign(tmp_path, budget={"initial": 4, "total": 11}), history, Watcher())  # the file has the last word
    assert len(Record.read(history)) == 11


def test_more_budget_reopens_a_finished_campaign(tmp_path: Path, history: Path) -> None:
    conduct(campaign(tmp_path), history, Watcher())
    Inbox(history).put(Request("budget", data={"total": 9}))
    conduct(campaign(tmp_path), history, Watcher())
    assert len(Record.read(history)) == 9


def test_a_stop_outlives_a_process_that_dies_before_its_trials_have_ended(tmp_path: Path, history: Path) -> None:
    class Dies(Person):
        def recorded(self, history: History, trial: Trial) -> None:
            if Record.read(history.path).stopped:
                raise KeyboardInterrupt
            super().recorded(history, trial)

    asks = [Request("stop", "fire", "bo")]
    with pytest.raises(KeyboardInterrupt):
        conduct(campaign(tmp_path, width=2), history, Dies({0: asks, 1: asks}), workers="threads")
    assert Record.read(history).state == "running"
    held = Record.read(history).ended
    conduct(campaign(tmp_path), history, Watcher())
    record = Record.read(history)
    assert (record.stop_reason, record.ended) == ("stopped by bo: fire", held)


def test_who_asks_for_more_trials_reopens_what_was_stopped(tmp_path: Path, history: Path) -> None:
    file = campaign(tmp_path)
    conduct(file, history, Person({2: [Request("stop", "fire", "bo")]}))
    held = Record.read(history).ended
    assert held < 7
    conduct(budgeted(file, history, add=7 - held, reopen=False), history, Watcher())
    assert Record.read(history).ended == held, "nobody said that it may go on"
    conduct(budgeted(file, history, add=7 - held), history, Watcher())
    record = Record.read(history)
    assert (record.ended, record.budget.total, record.stopped) == (7, 7, "")


def test_more_trials_are_asked_for_whatever_budget_a_person_gave_before(tmp_path: Path, history: Path) -> None:
    file = campaign(tmp_path)
    conduct(budgeted(file, history, trials=3), history, Watcher())
    conduct(budgeted(file, history, add=3), history, Person({3: [Request("budget", data={"total": 5})]}))
    assert Record.read(history).ended == 5
    conduct(budgeted(file, history, add=1), history, Watcher())
    assert Record.read(history).ended == 6


@pytest.mark.parametrize("asked", [[Request("stop", "fire", "bo"), Request("budget", data={"total": 9})], None])
def test_who_wants_more_as_the_last_trial_ends_is_heard(
    tmp_path: Path, history: Path, asked: list[Request] | None
) -> None:
    person = Person({2: asked} if asked else {6: [Request("budget", data={"total": 9})]})
    conduct(campaign(tmp_path), history, person)
    record = Record.read(history)
    assert (record.ended, record.stop_reason) == (9, "budget: 9 of 9 trials are proposed")


def test_a_person_s_budget_outlives_the_runs_that_leave_a_stop_alone(tmp_path: Path, history: Path) -> None:
    file = campaign(tmp_path)
    conduct(file, history, Person({1: [Request("budget", data={"total": 9}), Request("stop")]}))
    conduct(budgeted(file, history, add=2, reopen=False), history, Watcher())
    conduct(budgeted(file, history, reopen=True), history, Watcher())
    conduct(file, history, Watcher())
    record = Record.read(history)
    assert (record.ended, record.budget.total) == (9, 9)


def test_a_pause_after_the_last_trial_holds_whatever_is_added(tmp_path: Path, history: Path) -> None:
    failing = {"use": "lab:Hill", "cliff": -2}
    file = campaign(tmp_path, executor=failing, breaker={"failures": 2}, budget={"initial": 2, "total": 2})
    conduct(file, history, Watcher())
    assert Record.read(history).state == "finished"
    with pytest.raises(Unattended, match="paused: 2 trials in a row failed"):
        conduct(budgeted(file, history, add=2), history, Watcher(), patience=0.0)
    assert Record.read(history).ended == 2


def test_a_stop_now_ends_the_running_trial(tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oversight, "GLANCE", 0.0)

    class Impatient(Watcher):
        def running(self, number: int, *_: object) -> None:
            if number == 2:
                Inbox(history).put(Request("stop", "fire", "bo", {"now": True}))

    conduct(campaign(tmp_path), history, Impatient())
    record = Record.read(history)
    assert record.status.tolist()[:3] == [Status.SCORED, Status.SCORED, Status.STOPPED]
    assert record.stop_reason == "stopped by bo: fire"


def test_others_run_on_while_one_waits(tmp_path: Path, history: Path) -> None:
    answers = iter([[Request("approve"), Request("approve", data={"number": 1})], [Request("stop")]])
    conduct(campaign(tmp_path, approval=True, width=2), history, Person({}, answers), workers="threads")
    assert Record.read(history).status.tolist()[:2] == [Status.SCORED, Status.SCORED]


# --- the command line -----------------------------------------------------------------------------


def test_the_commands_reach_a_campaign_in_another_process(
    tmp_path: Path, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, DIRECT, approval=True)
    command = [sys.executable, "-m", "zbo_orchestrator.cli", "run", str(file), "--history", str(history)]
    command += ["--without-prefect", "--allow-code", "--no-report"]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = iter(process.stdout.readline, "")
        assert any("trial 0 waits for approval" in line for line in said)
        for words in (
            ["approve", str(history)],
            ["inject", str(history), "0.1", "-0.2", "-m", "a hunch"],
            ["budget", str(history), "--total", "3"],
        ):
            with pytest.raises(SystemExit, match="0"):
                main(words)
        with pytest.raises(SystemExit, match="2"):
            main(["inject", str(history), "7", "0"])
        assert "wanted a point between" in capsys.readouterr().err
        with pytest.raises(SystemExit, match="0"):
            main(["stop", str(history), "-m", "enough", "--by", "bo"])
        assert process.wait(60) == 0
    record = Record.read(history)
    assert [0.1, -0.2] in record.z[np.isfinite(record.values)].tolist()
    assert record.stop_reason == "stopped by bo: enough"


def test_a_request_waits_where_nobody_runs_the_campaign(
    tmp_path: Path, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conduct(campaign(tmp_path), history, Watcher())
    with pytest.raises(SystemExit, match="0"):
        main(["pause", str(history)])
    assert "nobody runs this campaign now" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["show", str(history)])
    assert "requests     1" in capsys.readouterr().out


# --- the breaker ----------------------------------------------------------------------------------

STATUSES = st.lists(st.sampled_from([Status.SCORED, Status.FAILED, Status.TRANSIENT, Status.STOPPED, Status.VETOED]))


@given(STATUSES, st.integers(1, 6))
def test_the_breaker_trips_on_so_many_failures_in_a_row(statuses: list[Status], failures: int) -> None:
    trailing = 0
    for status in reversed(statuses):
        if status not in FAILURES:
            break
        trailing += 1
    assert bool(Breaker(failures).verdict(statuses)) == (trailing >= failures)


@given(STATUSES)
def test_the_breaker_trips_on_a_share_of_the_last(statuses: list[Status]) -> None:
    share = sum(status in FAILURES for status in statuses[-8:]) / 8
    assert bool(Breaker(None, 0.5, 8).verdict(statuses)) == (len(statuses) >= 8 and share > 0.5)


def test_a_campaign_pauses_after_failures_and_counts_anew_once_resumed(tmp_path: Path, history: Path) -> None:
    failing = {"use": "lab:Hill", "cliff": -2}
    resumed = Person({}, iter([[Request("resume")], [Request("stop")]]))
    conduct(campaign(tmp_path, executor=failing, breaker={"failures": 2}), history, resumed)
    record = Record.read(history)
    assert record.status.tolist()[:4] == [Status.FAILED] * 4
    assert [event["reason"] for event in events(history, "pause")] == ["2 trials in a row failed"] * 2


def test_without_an_instrument_nothing_pauses_unasked(tmp_path: Path, history: Path) -> None:
    conduct(campaign(tmp_path, executor={"use": "lab:Hill", "cliff": -2}), history, Watcher())
    assert len(Record.read(history)) == 7


# --- sentinels ------------------------------------------------------------------------------------


def test_the_planner_asks_the_same_with_and_without_sentinels(tmp_path: Path) -> None:
    planner, budget = {"use": "bayesian"}, {"initial": 5, "total": 12}
    conduct(campaign(tmp_path, planner=planner, budget=budget), tmp_path / "plain", Watcher())
    watched = {"every": 4, "z": [0.5, 0.5]}
    longer = {"initial": 5, "total": 15}
    conduct(campaign(tmp_path, planner=planner, budget=longer, sentinels=watched), tmp_path / "watched", Watcher())
    plain, with_them = Record.read(tmp_path / "plain"), Record.read(tmp_path / "watched")
    sentinel = (with_them.z == 0.5).all(axis=1)
    assert np.flatnonzero(sentinel).tolist() == [0, 5, 10]
    assert np.array_equal(with_them.z[~sentinel], plain.z)
    assert with_them.reasons[5].startswith("sentinel 1, every 4 trials")
    planner_again, certify = replayable(with_them, allow_code=True)
    assert not any(each.difference for each in replay(with_them, planner_again, certify))


def test_a_drift_pauses_and_a_resumption_accepts_it(tmp_path: Path, history: Path) -> None:
    drifting = {"use": "oversight_lab:Drifting", "folder": str(tmp_path)}
    sentinels = {"every": 2, "limit": 0.5}
    person = Person({}, ([Request("resume")] for _ in range(5)))
    conduct(
        campaign(tmp_path, executor=drifting, sentinels=sentinels, budget={"initial": 4, "total": 13}), history, person
    )
    reasons = [event["reason"] for event in events(history, "pause")]
    assert reasons[:2] == [
        "the sentinel reads 3 where it read 0: a drift of +3, beyond 0.5",
        "the sentinel reads 6 where it read 3: a drift of +3, beyond 0.5",
    ]
    assert len(reasons) == 4


@pytest.mark.parametrize("z", [[0.0], [0.0, 2.0]])
def test_a_sentinel_outside_the_box_is_refused(z: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="wanted a point between"):
        Sentinels(Random(), z=tuple(z)).point(bowl())


@given(st.lists(st.floats(-5, 5), min_size=1), st.floats(0.1, 3))
def test_drift_is_told_beyond_the_limit_only(values: list[float], limit: float) -> None:
    assert bool(drift(values, limit)) == (len(values) > 1 and abs(values[-1] - values[0]) > limit)


def test_standing_follows_from_events_alone(tmp_path: Path, history: Path) -> None:
    person = Person({1: [Request("pause", "a")], 2: [Request("pause", "b")]}, ([Request("resume")] for _ in range(2)))
    conduct(campaign(tmp_path), history, person)
    standing = Standing.of(Record.read(history).events)
    assert standing.paused == ""
    assert len(standing.answered) == 4
