"""A history on object storage: what holds on disk holds there, and what a lock does on disk an epoch does there."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import annals
import pytest
import test_history
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from object_storage import KEY, Bucket
from test_history_crash import survives
from test_history_dataset import TRIALS, test_the_dataset_holds_every_trial  # noqa: F401
from test_history_machine import Annals

from zbo_orchestrator.history import (
    EpochWarning,
    History,
    Inbox,
    Record,
    Request,
    export,
    held_by,
    log,
    repair,
    verify,
)
from zbo_orchestrator.history.epoch import ABANDONED, RENEWAL, Epoch, begin
from zbo_orchestrator.history.lock import Lock
from zbo_orchestrator.history.store import Store, TakenOverError
from zbo_orchestrator.model import ConfigurationError, HistoryError, InUse, Trial
from zbo_orchestrator.place import Place

# What holds on disk, with the fixtures below: a name that is gone from there fails here.
CONTRACT = {name: test for name, test in vars(test_history).items() if name.startswith("test_")}
ON_DISK_ALONE = {
    "test_a_path_that_is_taken": "a folder; what else lies under a prefix is looked at below",
    "test_founding_again_after_a_death_halfway": "a rename; a founder's death is looked at below",
    "test_power_durability_syncs_each_new_file_before_the_reference_moves": "files",
    "test_nothing_is_printed_and_nothing_warns": "a process that founds a history of its own",
}


@pytest.mark.long
class TestAtLength:
    """Of the contract what takes longest here."""

    test_measurements = staticmethod(CONTRACT.pop("test_a_measurement_that_does_not_fit_is_refused"))
    test_plans = staticmethod(CONTRACT.pop("test_each_plan_tells_what_it_saw"))
    test_older_states = staticmethod(CONTRACT.pop("test_older_states_by_trial_and_by_commit"))
    test_blocks = staticmethod(CONTRACT.pop("test_more_trials_than_a_block"))
    test_maps = staticmethod(CONTRACT.pop("test_maps_of_every_plan_to_200_then_every_tenth"))


for name in ON_DISK_ALONE:
    del CONTRACT[name]
globals().update(CONTRACT)


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


@pytest.mark.parametrize("examples", [1, pytest.param(20, marks=pytest.mark.long)])
def test_any_order_of_steps_deaths_and_openings(bucket: Bucket, examples: int) -> None:
    few = settings(
        max_examples=examples,
        stateful_step_count=8,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: RemoteAnnals(bucket), settings=few)


@pytest.mark.long
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
    writer = Epoch(3, {"lock": "a5"}, closed=False)
    assert writer.alive(ABANDONED - 1, "b7")
    assert not writer.alive(ABANDONED + 1, "b7")
    assert not writer.alive(0, "a5")
    assert not Epoch(3, {"lock": "a5"}, closed=True).alive(0, "b7")
    assert timedelta(seconds=ABANDONED) >= timedelta(hours=1)
    assert ABANDONED > 3 * RENEWAL


def test_a_writer_that_waits_is_not_taken_for_dead(path: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with annals.found(path) as writer:
        step(writer, 1)
        seen, before = writer.evidence(), log(path)
        writer.still_here()
        assert log(path) == before
        monkeypatch.setattr("zbo_orchestrator.history.commits.RENEWAL", -1)
        with writer.transaction():
            writer.still_here()
        assert log(path) == before
        writer.still_here()
        assert log(path)[1:] == before
        assert (log(path)[0].message, log(path)[0].facts) == ("epoch 1 goes on", {"proposed": [], "recorded": []})
        annals.assert_same_evidence(replace(seen, elapsed=0), replace(Record.read(path).evidence(), elapsed=0))
        step(writer, 2)
    assert steps(path) == [1, 2]
    assert verify(path) == []


def test_a_writer_that_waits_learns_that_it_was_taken_over(
    path: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with annals.found(path) as stale:
        elsewhere(monkeypatch, tmp_path / "b")
        History.open(path, take_over=True).close()
        monkeypatch.setattr("zbo_orchestrator.history.commits.RENEWAL", -1)
        for _ in range(2):
            with pytest.raises(HistoryError, match="taken over by"):
                stale.still_here()


def test_on_disk_nobody_is_told_that_a_writer_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbo_orchestrator.history.commits.RENEWAL", -1)
    with annals.found(tmp_path / "history") as writer:
        before = writer.commit
        writer.still_here()
        assert writer.commit == before


def dead(path: Place) -> None:
    """A writer begins, and is killed."""
    writer = History.open(path)
    writer._commits.end("dead")
    writer._lock.release()


def test_where_a_writer_died_the_next_goes_on_at_once_whatever_the_machine_is_called_now(
    path: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    annals.found(path).close()
    dead(path)
    monkeypatch.setattr("socket.gethostname", lambda: "container-8")
    assert held_by(path) is None
    History.open(path).close()


def test_a_writer_that_an_earlier_version_left_behind_has_to_be_taken_over(path: Place) -> None:
    annals.found(path).close()
    dead(path)
    left = Store.write(path, "process")
    epoch = Epoch.of(left)
    replace(epoch, writer={**epoch.writer, "lock": "lab:2049:131"}).note(left)
    left.commit("as it was noted then", {})
    lock = path.beside(".lock")
    lock.write_text(json.dumps({key: value for key, value in epoch.writer.items() if key != "lock"}))
    assert f"pid {os.getpid()}" in str(held_by(path))
    with pytest.raises(InUse, match="take_over=True"):
        History.open(path)
    History.open(path, take_over=True).close()
    dead(path)
    History.open(path).close()


def test_a_bucket_that_goes_away_spoils_no_finished_campaign(path: Place, bucket: Bucket) -> None:
    with pytest.warns(EpochWarning, match=rf"cannot .*{path}.* wait 6 hours, or to take over"), annals.found(path):
        bucket.vanish()
    with Lock(path.beside(".lock"), wait=0):
        pass


def test_who_takes_over_while_a_writer_leaves_is_left_alone(path: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = annals.found(path)
    taker = Store.write(path, "process")
    under_way = [taker]
    look = Store.afresh

    def afresh(store: Store) -> Store:
        newest = look(store)
        for late in under_way:
            under_way.remove(late)
            Epoch(2, {**Epoch.of(newest).writer, "pid": 1}, closed=False).note(late)
            late.commit("epoch 2", {})
        return newest

    monkeypatch.setattr(Store, "afresh", afresh)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer.close()
    assert Epoch.of(Store.read(path)) == Epoch.of(taker)


def test_a_bucket_that_goes_away_hides_no_error(path: Place, bucket: Bucket) -> None:
    writer = annals.found(path)
    bucket.vanish()
    with pytest.warns(EpochWarning), pytest.raises(ZeroDivisionError), writer:
        raise ZeroDivisionError


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
