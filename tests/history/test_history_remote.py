"""A history on object storage: what holds on disk holds there, and what a lock does on disk an epoch does there."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import annals
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from object_storage import KEY, Bucket

# The contract itself, with the fixtures below.
from test_history import (  # noqa: F401
    test_a_closed_writer_writes_no_more,
    test_a_history_is_not_founded_twice,
    test_a_holder_that_is_just_leaving_is_waited_for,
    test_a_second_writer_is_told_who_holds_the_lock,
    test_a_started_trial_is_interrupted_where_it_may_not_be_repeated,
    test_a_transaction_is_one_commit_seen_within_and_not_without,
    test_the_charter_comes_back,
    test_trials_come_back_bit_for_bit,
    test_what_may_change_becomes_an_event,
    test_what_was_done_in_a_transaction_that_fails_is_kept,
)
from test_history_crash import survives
from test_history_dataset import TRIALS, test_the_dataset_holds_every_trial  # noqa: F401
from test_history_machine import Annals

from zbo_orchestrator.history import History, Inbox, Record, Request, export, held_by, log, repair, verify
from zbo_orchestrator.history.epoch import ABANDONED, Epoch, begin
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.store import Store, TakenOverError
from zbo_orchestrator.model import ConfigurationError, HistoryError, InUse, Trial
from zbo_orchestrator.place import Place


@pytest.fixture
def path(bucket: Bucket) -> Place:
    return Place.of(f"s3://{bucket.name}/curl/history")


@pytest.fixture
def filled(path: Place) -> tuple[Place, list[Trial]]:
    return path, annals.filled(path, TRIALS)


def step(history: History, number: int) -> None:
    history.event("step", number=number)


def steps(path: Place) -> list[int]:
    return [event["data"]["number"] for event in Record.read(path).events if event["kind"] == "step"]


def elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on this process is on another machine, as far as a lock file tells."""
    folder.mkdir()
    monkeypatch.chdir(folder)


class RemoteAnnals(Annals):
    """Any order of steps, deaths and openings, in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self.path = Place.of(f"s3://{bucket.name}/machines/{self.folder.name}")


def test_any_order_of_steps_deaths_and_openings(bucket: Bucket) -> None:
    few = settings(
        max_examples=2,
        stateful_step_count=8,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: RemoteAnnals(bucket), settings=few)


def test_real_kills_lose_and_repeat_nothing_there_either(path: Place) -> None:
    assert survives(path, kills=1, heard_first=2) > 0


# --- founding ---


def test_a_founder_that_died_halfway_leaves_no_history_and_is_no_obstacle(path: Place, bucket: Bucket) -> None:
    store = Store.found(path, "process")
    store.root().update_attributes({"schema": 1})
    assert bucket.keys
    assert not History.exists(path)
    with pytest.raises(HistoryError, match=f"no history at {path}"):
        Record.read(path)
    annals.found(path).close()
    assert verify(path) == []
    with pytest.raises(HistoryError, match="somebody else has written"):
        store.commit("the founder was not dead at all", {})
    assert len(Record.read(path)) == 0


def test_other_objects_under_the_prefix_are_left_alone(path: Place, bucket: Bucket) -> None:
    bucket.put(f"{path.prefix}/thesis.txt", b"years of work")
    with pytest.raises(HistoryError, match=r"cannot create a history at s3://.*clean prefix"):
        annals.found(path)
    assert bucket.keys == [f"{path.prefix}/thesis.txt"]


# --- epochs ---


def test_a_writer_that_was_taken_over_loses_and_says_to_whom(
    path: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = annals.found(path)
    step(stale, 1)
    elsewhere(monkeypatch, tmp_path / "b")
    with History.open(path, take_over=True) as taker:
        step(taker, 2)
        with pytest.raises(HistoryError, match=rf"taken over by pid {os.getpid()} on \S+ .*epoch 2.*is 1\)"):
            step(stale, 3)
        with pytest.raises(HistoryError, match=r"this writer .* is done: a commit failed .*taken over by"):
            step(stale, 4)
        stale.close()
        step(taker, 5)
    assert steps(path) == [1, 2, 5]
    assert verify(path) == []


def test_a_writer_that_may_be_alive_elsewhere_is_not_taken_over_unasked(
    path: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with annals.found(path) as writer:
        elsewhere(monkeypatch, tmp_path / "b")
        commits = len(log(path))
        with pytest.raises(InUse, match=rf"writing {path}: pid {os.getpid()} on .* s old.*zbo run --take-over"):
            History.open(path)
        assert f"pid {os.getpid()}" in str(held_by(path))
        assert len(log(path)) == commits
        step(writer, 1)
    assert held_by(path) is None
    with History.open(path) as next_one:
        step(next_one, 2)
    assert steps(path) == [1, 2]


def test_two_that_open_at_once_do_not_both_get_it(path: Place, tmp_path: Path) -> None:
    annals.found(path).close()
    one, other = Store.write(path, "process"), Store.write(path, "process")
    with Lock(tmp_path / "a") as here, Lock(tmp_path / "b") as there:
        begin(one, here, take_over=False)
        with pytest.raises(TakenOverError, match="epoch 2"):
            begin(other, there, take_over=True)
    assert Epoch.of(Store.read(path)) == Epoch.of(one)


def test_a_dead_writers_last_commit_may_land_while_the_next_one_opens(
    path: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    annals.found(path).close()
    under_way = [Store.write(path, "process")]
    under_way[0].root().update_attributes({"late": True})
    read = Store.members

    def members(store: Store) -> set[str]:
        for late in under_way:
            under_way.remove(late)
            late.commit("sent before its writer died", {})
        return read(store)

    monkeypatch.setattr(Store, "members", members)
    with History.open(path) as history:
        step(history, 1)
    assert steps(path) == [1]
    assert "sent before its writer died" in [commit.message for commit in log(path)]


def test_a_writer_silent_for_hours_counts_as_dead() -> None:
    writer = Epoch(3, {"lock": "lab:1:2"}, closed=False)
    assert writer.alive(ABANDONED - 1, "office:1:2")
    assert not writer.alive(ABANDONED + 1, "office:1:2")
    assert not writer.alive(0, "lab:1:2")
    assert not Epoch(3, {"lock": "lab:1:2"}, closed=True).alive(0, "office:1:2")
    assert timedelta(seconds=ABANDONED) >= timedelta(hours=1)


def test_a_commit_whose_answer_is_lost_is_not_blamed_on_anybody(path: Place, bucket: Bucket) -> None:
    with annals.found(path) as history:
        step(history, 1)
        bucket.server.loses_answer = True
        with pytest.raises(HistoryError, match="did not say whether a commit was made: open it again"):
            step(history, 2)
    assert not bucket.server.loses_answer
    with History.open(path) as history:
        step(history, 3)
    assert steps(path) == [1, 2, 3]


# --- damage ---


def test_a_damaged_chunk_is_found_and_the_rest_is_saved_to_disk(path: Place, bucket: Bucket, tmp_path: Path) -> None:
    written = annals.filled(path, 2)
    chunk = max(bucket.objects(f"{path.prefix}/chunks/"), key=lambda each: len(each[1]))
    bucket.put(chunk[0], bytes([*chunk[1][:-20], chunk[1][-20] ^ 1, *chunk[1][-19:]]))
    (problem,) = verify(path)
    assert "measured/image of trial" in problem
    saved = repair(path, tmp_path / "saved")
    assert saved.trials == len(written) + 1
    assert len(saved.lost) == 1
    assert verify(tmp_path / "saved") == []


def test_an_unreadable_bucket_is_told_in_a_line(path: Place, bucket: Bucket) -> None:
    nowhere = f"s3://{bucket.name}-of-nobody/history"
    for doing in (Record.read, History.open, History.exists, verify, log, annals.found):
        with pytest.raises(HistoryError, match=rf"cannot reach {nowhere} .*environment.*NoSuchBucket") as told:
            doing(nowhere)
        assert "\n" not in str(told.value)


# --- what stands beside it ---


def test_what_stands_beside_it_is_local_and_nobody_elses_and_no_secret_is_kept(path: Place, bucket: Bucket) -> None:
    annals.filled(path, 1)
    assert path.beside(".html") == Path("histories", bucket.name, "curl", "history.html")
    assert path.beside(".html") != Place.of(f"s3://{bucket.name}/field/history").beside(".html")
    assert not any(KEY.encode() in body for _, body in bucket.objects(""))
    assert sorted(Path().rglob("*.*")) == [path.beside(".lock")]


def test_a_request_is_only_taken_where_the_campaign_runs(
    path: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with annals.found(path):
        Inbox(path).put(Request("pause", "the pump is loud"))
        (file,) = Inbox(path).files()
        assert Inbox.read(file).reason == "the pump is loud"
        elsewhere(monkeypatch, tmp_path / "b")
        with pytest.raises(HistoryError, match=f"nobody here writes {path}: .* machine and in the folder"):
            Inbox(path).put(Request("pause"))
    assert Inbox(path).files() == []


def test_what_has_to_be_local_is_not_put_into_a_folder_named_s3(path: Place) -> None:
    annals.found(path).close()
    for doing in (lambda out: export(path, out), lambda out: repair(path, out)):
        for out in ("s3://lab/out.csv", Path("s3://lab/out.csv")):
            with pytest.raises(ConfigurationError, match="is no local path"):
                doing(out)
    assert not Path("s3:").exists()
