"""Writing and reading a history: what goes in comes out, and what may not change does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from threading import Timer

import annals
import numpy as np
import pytest

from zbo_orchestrator.history import History, Record, SessionWarning, log, sessions, verify
from zbo_orchestrator.model import (
    Attempt,
    Budget,
    Channel,
    Evidence,
    ExecutionError,
    HistoryError,
    Measurement,
    Plan,
    Proposal,
    RefusedError,
    Score,
    Status,
    Trajectory,
    TransientError,
    Trial,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history"


# --- round trips ---


def test_trials_come_back_bit_for_bit(path: Path) -> None:
    written = annals.filled(path)
    record = Record.read(path)
    annals.assert_holds(record, written)
    assert [proposal.number for proposal in record.waiting()] == [6]
    assert record.status.tolist() == [2, 2, 4, 2, 2, 2, 0]
    assert len(record) == 7


def test_the_charter_comes_back(path: Path) -> None:
    charter = annals.charter(budget=Budget(4, 20, 99.5), goal=annals.Goal(maximize=False, target=-np.inf))
    History.create(path, charter).close()
    read = Record.read(path).charter
    assert (read.name, read.goal, read.budget, read.repeatable) == ("annals", charter.goal, charter.budget, True)
    assert (read.identity, read.campaign, read.notes) == (charter.identity, charter.campaign, charter.notes)
    assert read.families == charter.families
    assert read.space.limits == charter.space.limits
    assert read.space.shape == (5, 5)
    annals.same(read.space.margins, charter.space.margins)
    annals.assert_same_trajectory(read.library, charter.library)
    assert read.decoder.keys() == charter.decoder.keys()
    for name, array in charter.decoder.items():
        assert read.decoder[name].dtype == array.dtype
        annals.same(read.decoder[name], array)


def test_at_most_256_library_curves_are_kept_with_their_own_labels(path: Path) -> None:
    curves = np.arange(1000.0)[:, None, None] * np.ones((1, 4, 1))
    labels = tuple(f"family {number}" for number in range(1000))
    annals.found(path, library=Trajectory(curves, 0.1, annals.CHANNELS), families=labels).close()
    charter = Record.read(path).charter
    assert charter.library.values.shape == (256, 4, 1)
    assert charter.families == tuple(f"family {int(number)}" for number in charter.library.values[:, 0, 0])


def test_a_campaign_without_library_and_decoder_arrays(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path, library=None, families=(), decoder={}) as history:
        (proposal,) = history.propose(annals.plan(rng))
        history.record(annals.trial(proposal, rng))
    record = Record.read(path)
    assert record.charter.library is None
    assert record.channels == annals.CHANNELS
    assert record.dt == 0.1


def test_floats_and_memory_survive_to_the_last_bit(path: Path, rng: np.random.Generator) -> None:
    odd = [0.1 + 0.2, 5e-324, -0.0, 1e308, float("inf"), np.pi]
    with annals.found(path) as history:
        history.propose(Plan(np.array([[odd[0], odd[1]]]), ("µ ≥ σ",), {}, {"odd": odd, "array": np.array(odd)}))
        live = history.evidence()
    read = Record.read(path)
    assert [np.float64(value).tobytes() for value in read.evidence().memory["odd"]] == [
        np.float64(value).tobytes() for value in odd
    ]
    assert live.memory == read.evidence().memory
    annals.same(read.z, np.array([odd[:2]]))
    assert read.reasons == ["µ ≥ σ"]


def test_terms_may_come_and_go(path: Path, rng: np.random.Generator) -> None:
    terms = [{}, {"a": 1.0}, {"b": 2.0}, {"a": 3.0, "c": -0.0}]
    with annals.found(path) as history:
        proposals = history.propose(annals.plan(rng, 4))
        for proposal, named in zip(proposals, terms, strict=True):
            history.record(Trial(proposal, annals.trajectory(rng), Score(1.0, named)))
    assert [trial.outcome.terms for trial in Record.read(path).trials()] == terms
    assert set(Record.read(path).terms) == {"a", "b", "c"}


def test_more_trials_than_a_block(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        proposals = history.propose(annals.plan(rng, 300))
        first = annals.trial(proposals[0], rng)
        late = annals.trial(proposals[299], rng)
        with history.transaction():
            history.record(first)
            history.record(late)
    record = Record.read(path)
    annals.assert_holds(record, [first, late])
    assert len(record.waiting()) == 298
    with History.open(path) as history:
        history.propose(annals.plan(rng, 300))
    assert len(Record.read(path)) == 600
    assert verify(path) == []


# --- failed trials, and the form of measurements ---


def test_each_kind_of_failure_comes_back(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        for kind in annals.OUTCOMES:
            (proposal,) = history.propose(annals.plan(rng))
            history.record(annals.trial(proposal, rng, kind))
    record = Record.read(path)
    assert [type(trial.outcome) for trial in record.trials()] == list(annals.OUTCOMES)
    assert [trial.status for trial in record.trials()] == [
        Status.FAILED,
        Status.REFUSED,
        Status.STOPPED,
        Status.TRANSIENT,
    ]
    assert np.isnan(record.values).all()
    assert all(error.startswith("no: ") for error in record.errors)


def test_a_failed_first_trial_leaves_the_form_open(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        proposals = history.propose(annals.plan(rng, 3))
        odd = Measurement({"other": np.zeros(2)})
        history.record(Trial(proposals[0], annals.trajectory(rng), ExecutionError("broke"), odd))
        history.check(annals.measurement(rng))
        good = annals.trial(proposals[1], rng)
        history.record(good)
        history.record(Trial(proposals[2], annals.trajectory(rng), ExecutionError("blew up"), good.measurement))
    first, second, third = Record.read(path).trials()
    assert first.measurement is None
    assert "not kept" in str(first.outcome)
    annals.assert_same_trial(second, good)
    annals.assert_same_measurement(third.measurement, good.measurement)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": np.zeros((8, 21))}, "image is [y: 8, x: 21] of float64, was [y: 8, x: 20] of float64"),
        ({"image": np.zeros((8, 20), "f4")}, "of float32, was"),
        ({"extra": np.zeros(2)}, "extra is new"),
        ({"image": None}, "image is missing"),
        ({"image": np.array(["a"])}, "wanted numbers"),
        ({"image": np.array([[object()]])}, "wanted numbers"),
        ({"a/b": np.zeros(2)}, "wanted letters"),
    ],
)
def test_a_measurement_that_does_not_fit_is_refused(
    path: Path, rng: np.random.Generator, change: dict[str, np.ndarray | None], said: str
) -> None:
    with annals.found(path) as history:
        one, two = history.propose(annals.plan(rng, 2))
        history.record(annals.trial(one, rng))
        good = annals.measurement(rng)
        arrays = {name: values for name, values in {**good.arrays, **change}.items() if values is not None}
        dims = {"image": ("y", "x")} if arrays.get("image", np.zeros(0)).ndim == 2 else {}
        misfit = Measurement(arrays, dims, {}, good.executed)
        with pytest.raises(ExecutionError, match=said.replace("[", r"\[").replace("]", r"\]")):
            history.check(misfit)
        with pytest.raises(ExecutionError):
            history.record(Trial(two, annals.trajectory(rng), Score(1.0), misfit))
        history.record(Trial(two, annals.trajectory(rng), ExecutionError("misfit"), None))
    assert Record.read(path).status.tolist() == [Status.SCORED, Status.FAILED]
    assert verify(path) == []


def test_other_executed_channels_do_not_fit(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (proposal,) = history.propose(annals.plan(rng))
        history.record(annals.trial(proposal, rng))
        good = annals.measurement(rng)
        other = Trajectory(np.zeros((4, 2)), 0.1, (Channel("field", "Ec"), Channel("bias")))
        with pytest.raises(ExecutionError, match="executed channels"):
            history.check(Measurement(good.arrays, good.dims, good.units, other))


def test_a_longer_execution_than_any_before(path: Path, rng: np.random.Generator) -> None:
    lengths = (5, 12, 3, 31)
    with annals.found(path) as history:
        proposals = history.propose(annals.plan(rng, 4))
        written = [
            Trial(p, annals.trajectory(rng), Score(0.0), annals.measurement(rng, n))
            for p, n in zip(proposals, lengths, strict=True)
        ]
        for trial in written:
            history.record(trial)
    read = list(Record.read(path).trials())
    assert tuple(trial.measurement.executed.steps for trial in read) == lengths
    for one, other in zip(written, read, strict=True):
        annals.assert_same_trial(one, other)


# --- what may not be done ---


def test_steps_out_of_order_are_refused_and_change_nothing(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (proposal,) = history.propose(annals.plan(rng))
        done = annals.trial(proposal, rng)
        history.record(done)
        with pytest.raises(HistoryError, match="trial 0 is scored already"):
            history.record(done)
        with pytest.raises(HistoryError, match="trial 5 was never proposed"):
            history.record(annals.trial(Proposal(5, np.zeros(2)), rng))
        with pytest.raises(HistoryError, match="wanted finite points of 2 dimensions"):
            history.propose(Plan(np.full((1, 2), np.nan), ("lost",)))
        with pytest.raises(HistoryError, match=r"map 'mean' has shape \(3,\)"):
            history.propose(Plan(np.zeros((1, 2)), ("short",), {"mean": np.zeros(3)}))
        with pytest.raises(HistoryError, match="cannot be stored as JSON"):
            history.propose(Plan(np.zeros((1, 2)), ("odd",), {}, {"what": object()}))
        before = history.commit
        assert len(history) == 1
        with pytest.raises(HistoryError, match="trial 1 does not exist"):
            history.trial(1)
        assert history.commit == before
    assert verify(path) == []


def test_a_trajectory_of_another_form_is_refused(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        one, two = history.propose(annals.plan(rng, 2))
        history.record(annals.trial(one, rng))
        with pytest.raises(HistoryError, match="trajectory of trial 1"):
            history.record(Trial(two, Trajectory(np.zeros((3, 1)), 0.1, annals.CHANNELS), Score(1.0)))


def test_a_path_that_is_taken(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")
    with pytest.raises(HistoryError, match="is not a history"):
        annals.found(path)
    assert (path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(HistoryError, match="no history at"):
        History.open(path)
    with pytest.raises(HistoryError, match="no history at"):
        Record.read(path)
    assert not History.exists(path)


def test_a_history_is_not_founded_twice(path: Path) -> None:
    annals.found(path).close()
    with pytest.raises(HistoryError, match="already"):
        annals.found(path)


def test_founding_again_after_a_death_halfway(path: Path) -> None:
    (path.parent / "history.unborn" / "chunks").mkdir(parents=True)
    assert not History.exists(path)
    annals.found(path).close()
    assert History.exists(path)


# --- resuming ---


def test_another_identity_is_refused_with_every_difference(path: Path) -> None:
    annals.found(path).close()
    other = {**annals.IDENTITY, "planner": {"use": "bayesian", "acquisition": "log-ei"}, "seed": 8, "width": 2}
    with History.open(path) as history, pytest.raises(HistoryError) as refusal:
        history.resume(other)
    text = str(refusal.value)
    assert "planner.acquisition: history has 'ei', this campaign wants 'log-ei'" in text
    assert "seed: history has 7, this campaign wants 8" in text
    assert "width: history has nothing, this campaign wants 2" in text
    assert "decoder" not in text
    assert "\n" not in text


def test_what_may_change_becomes_an_event(path: Path) -> None:
    annals.found(path).close()
    with History.open(path) as history:
        history.resume(annals.IDENTITY, budget=Budget(4, 50), name="new", notes={"sample": "B"}, width=3)
        history.resume(annals.IDENTITY, budget=Budget(4, 50), name="new", notes={"sample": "B"}, width=3)
        history.event("veto", z=[0.5, 0.5])
    record = Record.read(path)
    assert (record.budget, record.name, record.notes) == (Budget(4, 50), "new", {"sample": "B"})
    assert [event["kind"] for event in record.events] == ["name", "notes", "budget", "veto"]
    assert [session["width"] for session in record.sessions] == [1, 3]


def test_a_finished_campaign_runs_on_only_with_more_budget(path: Path) -> None:
    with annals.found(path) as history:
        assert (history.state, history.stop_reason) == ("running", None)
        history.finish("the budget is spent")
    for budget, state in ((Budget(4, 20), "finished"), (Budget(4, 10), "finished"), (Budget(4, 30), "running")):
        with History.open(path) as history:
            history.resume(annals.IDENTITY, budget=budget)
        assert Record.read(path).state == state
    assert Record.read(path).stop_reason is None


def test_other_surroundings_warn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annals.found(path).close()
    with History.open(path) as history, warnings.catch_warnings():
        warnings.simplefilter("error")
        history.resume(annals.IDENTITY)
    monkeypatch.setattr(sessions, "_version", lambda package: "0.0.1" if package == "numpy" else "9")
    with History.open(path) as history, pytest.warns(SessionWarning, match=r"numpy was .*, is 0\.0\.1"):
        history.resume(annals.IDENTITY)


def test_elapsed_adds_up_over_sessions_and_leaves_out_the_time_between(
    path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 1000.0}
    for name in ("time", "monotonic"):
        monkeypatch.setattr(f"zbo_orchestrator.history.writer.time.{name}", lambda: clock["now"])
    with annals.found(path) as history:
        clock["now"] += 10
        assert history.evidence().elapsed == 10
        history.propose(annals.plan(rng))
        clock["now"] += 5  # nothing is stamped any more: these are not known to have been worked
    clock["now"] += 1000
    with History.open(path) as history:
        assert history.elapsed == 10
        clock["now"] += 7
        assert history.evidence().elapsed == 17
        history.event("pause")
    assert Record.read(path).elapsed == 17


def test_a_started_trial_is_interrupted_where_it_may_not_be_repeated(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path, repeatable=False) as history:
        one, two = history.propose(annals.plan(rng, 2))
        history.start(one.number)
        assert Record.read(path).status.tolist() == [Status.STARTED, Status.PROPOSED]
    with History.open(path) as history:
        history.resume(annals.IDENTITY)
        assert [proposal.number for proposal in history.waiting()] == [two.number]
        evidence = history.evidence()
        assert evidence.status.tolist() == [Status.INTERRUPTED]
        assert np.isnan(evidence.y).all()
        with pytest.raises(HistoryError, match="trial 0 is interrupted already"):
            history.record(annals.trial(one, rng))
    trial = Record.read(path).trial(0)
    assert trial.status == Status.INTERRUPTED
    assert trial.trajectory.values.shape == (annals.STEPS, 1)
    assert verify(path) == []


def test_starting_what_may_be_repeated_writes_nothing(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (proposal,) = history.propose(annals.plan(rng))
        before = history.commit
        history.start(proposal.number)
        assert history.commit == before
    with History.open(path) as history:
        history.resume(annals.IDENTITY)
        assert len(history.waiting()) == 1


# --- evidence by the logical clock ---


def campaign_of_width(history: History, width: int, trials: int, rng: np.random.Generator) -> Iterator[Evidence]:
    """Yields what the planner saw at each plan, trials ending in any order."""
    flying: list[Proposal] = []
    while len(history) < trials or flying:
        with history.transaction():
            if flying:
                done = flying.pop(int(rng.integers(len(flying))))
                failure = TransientError if rng.random() < 0.2 else None
                history.record(annals.trial(done, rng, failure))
            free = min(width - len(flying), trials - len(history))
            if free:
                yield history.evidence()
                flying += history.propose(annals.plan(rng, free))


@pytest.mark.parametrize("width", [1, 3])
def test_each_plan_tells_what_it_saw(path: Path, rng: np.random.Generator, width: int) -> None:
    with annals.found(path) as history:
        seen = list(campaign_of_width(history, width, 8, rng))
    with History.open(path) as history:
        history.resume(annals.IDENTITY, budget=Budget(4, 12))
        seen += list(campaign_of_width(history, width, 12, rng))
        for number, evidence in enumerate(seen):
            annals.assert_same_evidence(evidence, history.evidence(plan=number))
    record = Record.read(path)
    assert len(record.plans) == len(seen)
    for number, evidence in enumerate(seen):
        annals.assert_same_evidence(evidence, record.evidence(plan=number))
    assert seen[0].budget.total == 20
    assert seen[-1].budget.total == 12
    assert [plan.number for plan in record.plans] == list(range(len(seen)))
    assert verify(path) == []


def test_a_plan_saw_the_evidence_it_was_given_not_what_came_meanwhile(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        one, _ = history.propose(annals.plan(rng, 2))
        seen = history.evidence()
        history.record(annals.trial(one, rng))
        history.propose(annals.plan(rng))
    annals.assert_same_evidence(seen, Record.read(path).evidence(plan=1))


def test_ask_and_tell_without_evidence(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (one,) = history.propose(annals.plan(rng))
        history.record(annals.trial(one, rng))
        history.propose(annals.plan(rng))
    assert len(Record.read(path).evidence(plan=1).y) == 1


def test_maps_of_every_plan_to_200_then_every_tenth(path: Path, rng: np.random.Generator) -> None:
    written = [annals.plan(rng) for _ in range(215)]
    with annals.found(path) as history, history.transaction():
        for plan in written:
            history.propose(plan)
    record = Record.read(path)
    kept = [row.number for row in record.plans if record.maps(row.number)]
    assert kept == [*range(201), 210]
    for number in (0, 199, 200, 210):
        annals.same(record.maps(number)["deviation"], written[number].maps["deviation"].astype("f4"))


# --- transactions and time travel ---


def test_a_transaction_is_one_commit_seen_within_and_not_without(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (one,) = history.propose(annals.plan(rng))
        before = len(log(path))
        with history.transaction(), history.transaction():
            history.record(annals.trial(one, rng))
            history.propose(annals.plan(rng))
            assert len(history.evidence().y) == 1
            assert history.trial(0).number == 0
            assert len(Record.read(path).evidence().y) == 0
        assert len(log(path)) == before + 1
        assert log(path)[0].message == "record 0; propose 1"
    assert len(Record.read(path).evidence().y) == 1


def test_what_was_done_in_a_transaction_that_fails_is_kept(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (one,) = history.propose(annals.plan(rng))
        done = annals.trial(one, rng)

        def planner_breaks() -> None:
            with history.transaction():
                history.record(done)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            planner_breaks()
        history.event("still alive")
    annals.assert_holds(Record.read(path), [done])


def test_a_record_that_cannot_be_repeated_does_not_wait_for_the_plan(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path, repeatable=False) as history:
        (one,) = history.propose(annals.plan(rng))
        with history.transaction():
            history.record(annals.trial(one, rng))
            assert Record.read(path).status.tolist() == [Status.SCORED]


def test_ctrl_c_during_a_commit_waits_for_its_end(path: Path, rng: np.random.Generator) -> None:
    with annals.found(path) as history:
        (one,) = history.propose(annals.plan(rng))
        done = annals.trial(one, rng)
        write = history._store.commit

        def interrupted(message: str, facts: object) -> str:
            os.kill(os.getpid(), 2)
            return write(message, facts)

        history._store.commit = interrupted
        with pytest.raises(KeyboardInterrupt):
            history.record(done)
        history._store.commit = write
        history.propose(annals.plan(rng))
    annals.assert_holds(Record.read(path), [done])


def test_older_states_by_trial_and_by_commit(path: Path) -> None:
    written = annals.filled(path)
    for number in (0, 3, 5):
        annals.assert_holds(Record.read(path, trial=number), written[: number + 1])
    for commit in log(path):
        record = Record.read(path, commit=commit.id)
        assert record.commit == commit.id
        annals.assert_holds(record, written[: len(record.evidence().y)])
    with pytest.raises(HistoryError, match="trial 6 is not recorded"):
        Record.read(path, trial=6)


# --- the lock ---


def test_a_second_writer_is_told_who_holds_the_lock(path: Path) -> None:
    with annals.found(path):
        with pytest.raises(HistoryError, match=rf"pid {os.getpid()} on \S+ since 20\d\d-"):
            History.open(path, wait=0.05)
        assert Record.read(path).state == "running"
    History.open(path, wait=0.05).close()


def test_a_holder_that_is_just_leaving_is_waited_for(path: Path) -> None:
    holder = annals.found(path)
    leaving = Timer(0.3, holder.close)
    leaving.start()
    with History.open(path, wait=20):
        pass
    leaving.join()


def sleep_holding_nothing(ready: object) -> None:
    ready.set()  # type: ignore[attr-defined]
    while True:
        pass


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_children_do_not_keep_the_lock(path: Path, method: str) -> None:
    context = get_context(method)
    ready = context.Event()
    history = annals.found(path)
    child = context.Process(target=sleep_holding_nothing, args=(ready,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forking beside threads: the very thing whose harm is limited here
        child.start()
    try:
        assert ready.wait(60)
        history.close()
        History.open(path, wait=0.05).close()
    finally:
        child.kill()
        child.join()


def test_a_closed_writer_writes_no_more(path: Path, rng: np.random.Generator) -> None:
    history = annals.found(path)
    history.close()
    with pytest.raises(HistoryError, match="closed"):
        history.propose(annals.plan(rng))
    assert len(Record.read(path)) == 0


# --- durability and quiet ---


def test_power_durability_syncs_each_new_file_before_the_reference_moves(
    path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    reference = path / "refs" / "branch.main" / "ref.json"
    named: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        named.append(reference.read_text() if reference.exists() else "")

    monkeypatch.setattr(os, "fsync", fsync)
    with History.create(path, annals.charter(), durability="power") as history:
        (proposal,) = history.propose(annals.plan(rng))
        before, old = set(path.rglob("*")), reference.read_text()
        synced.clear()
        named.clear()
        written = annals.trial(proposal, rng)
        history.record(written)
        new = {str(file) for file in set(path.rglob("*")) - before if file.is_file()}
    assert new <= set(synced)
    assert str(path / "snapshots") in synced
    assert {named[synced.index(file)] for file in new} == {old}
    assert synced.index(str(reference)) > max(synced.index(file) for file in new)
    annals.assert_holds(Record.read(path), [written])


def test_nothing_is_printed_and_nothing_warns(tmp_path: Path) -> None:
    script = (
        "import annals, sys, pathlib\n"
        "from zbo_orchestrator.history import open_history, export, verify\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "annals.filled(path / 'h', 2)\n"
        "open_history(path / 'h').load(); verify(path / 'h')\n"
        "for end in ('zarr', 'nc', 'csv'): export(path / 'h', path / f'out.{end}')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, env=environment, check=True
    )
    noise = [line for line in done.stderr.splitlines() if "PYTHONWARNINGS" not in line]
    assert (done.stdout, noise) == ("", [])


def test_attempts_stand_beside_the_trials(path: Path, rng: np.random.Generator) -> None:
    attempts = (Attempt(1, 2**62, 1.5, 2.5, "TransientError: late"), Attempt(2, 3, 3.5, 4.5))
    with annals.found(path) as history:
        (proposal,) = history.propose(annals.plan(rng))
        history.record(Trial(proposal, annals.trajectory(rng), RefusedError("no"), None, attempts))
    record = Record.read(path)
    assert record.trial(0).attempts == attempts
    assert [json.dumps(row["seed"]) for row in record.attempts] == [str(2**62), "3"]
