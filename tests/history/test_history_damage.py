"""Bit rot: every flip is found, the last good commit is named, and what can be read is copied out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import annals
import numpy as np
import pytest

from zbo_orchestrator.history import History, Record, log, open_history, repair, verify
from zbo_orchestrator.history.contents import first_that
from zbo_orchestrator.history.mending import mend
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.store import Store
from zbo_orchestrator.history.tables import Table
from zbo_orchestrator.history.verify import contradictions
from zbo_orchestrator.model import HistoryError, Status, Trial
from zbo_orchestrator.place import Place

TRIALS = 5


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trial]]:
    path = tmp_path_factory.mktemp("sound") / "history"
    return path, annals.filled(path, TRIALS)


@pytest.fixture
def damaged(sound: tuple[Path, list[Trial]], tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(sound[0], tmp_path / "history"))


def flip(file: Path, rng: np.random.Generator) -> None:
    content = bytearray(file.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def by_age(path: Path, kind: str) -> list[Path]:
    return sorted((path / kind).iterdir(), key=lambda file: file.stat().st_mtime_ns)


def chunk_of(path: Path, array: str) -> Path:
    """The newest chunk file of an array, found by breaking one after the other."""
    stored = Store.read(Place.of(path)).array(array)
    for file in reversed(by_age(path, "chunks")):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        try:
            stored[: TRIALS + 1]
        except ValueError:
            return file
        finally:
            file.write_bytes(whole)
    raise AssertionError(f"no chunk of {array}")


def test_a_sound_history_has_no_problems(sound: tuple[Path, list[Trial]]) -> None:
    assert verify(sound[0]) == []


def test_any_flipped_bit_in_any_chunk_is_found(damaged: Path) -> None:
    rng = np.random.default_rng()
    files = by_age(damaged, "chunks")
    for index in rng.choice(len(files), 8, replace=False):
        whole = files[index].read_bytes()
        flip(files[index], rng)
        problems = verify(damaged)
        assert any(files[index].name in problem for problem in problems)
        files[index].write_bytes(whole)
    assert verify(damaged) == []


def test_a_missing_chunk_is_found(damaged: Path) -> None:
    chunk_of(damaged, "measured/image").unlink()
    assert any("measured/image of trial 4" in problem for problem in verify(damaged))


@pytest.mark.parametrize("array", ["counts", "words", "plans/counts"])
def test_a_damaged_store_names_the_last_good_commit(damaged: Path, array: str) -> None:
    commits = [commit.id for commit in log(damaged)]
    flip_last_byte(chunk_of(damaged, array))
    with pytest.raises(HistoryError, match=r"is damaged .* its last good commit is (\S+)") as refusal:
        Record.read(damaged)
    good = next(commit for commit in commits if commit in str(refusal.value))
    assert good != commits[0]
    assert len(Record.read(damaged, commit=good).evidence().y) == TRIALS - 1
    with pytest.raises(HistoryError, match=good):
        History.open(damaged)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["snapshots", "manifests"])
def test_other_damaged_files_name_the_last_good_commit(damaged: Path, kind: str) -> None:
    file = by_age(damaged, kind)[-1]
    file.write_bytes(b"\0" * file.stat().st_size)
    assert verify(damaged) != []
    if kind == "snapshots":
        with pytest.raises(HistoryError, match="its last good commit is"):
            Record.read(damaged)


def flip_last_byte(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 0x40]))


def contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_repairing_a_sound_history_copies_it_bit_for_bit(sound: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    path, written = sound
    done = repair(path, tmp_path / "new")
    assert (done.trials, done.lost) == (TRIALS + 1, ())
    assert "nothing was lost" in str(done)
    annals.assert_holds(Record.read(tmp_path / "new"), written)
    with open_history(path) as old, open_history(tmp_path / "new") as new:
        assert old.drop_attrs().identical(new.drop_attrs())
    for plan in range(TRIALS + 1):
        annals.assert_same_evidence(Record.read(path).evidence(plan), Record.read(tmp_path / "new").evidence(plan))
    assert verify(tmp_path / "new") == []


@pytest.mark.parametrize("array", ["trajectory", "measured/image", "measured/temperature", "executed"])
def test_repair_saves_all_but_one_row_of_a_large_array(
    damaged: Path, sound: tuple[Path, list[Trial]], tmp_path: Path, array: str
) -> None:
    flip_last_byte(chunk_of(damaged, array))
    before = contents(damaged)
    done = repair(damaged, tmp_path / "new")
    assert contents(damaged) == before
    assert done.lost == (f"{array} of trial {TRIALS - 1}: cannot be read",)
    record = Record.read(tmp_path / "new")
    for trial in list(record.trials())[:-1]:
        annals.assert_same_trial(trial, sound[1][trial.number])
    last = record.trial(TRIALS - 1)
    assert last.value == sound[1][-1].value
    if array.startswith("measured"):
        assert last.measurement is None
    assert verify(tmp_path / "new") == []


@pytest.mark.parametrize(
    "array", ["counts", "numbers", "z", "words", "terms", "plans/counts", "plans/numbers", "plans/words", "attempts"]
)
def test_repair_of_a_table_falls_back_on_the_commit_before_and_can_go_on(
    damaged: Path, sound: tuple[Path, list[Trial]], tmp_path: Path, array: str
) -> None:
    flip_last_byte(chunk_of(damaged, array))
    before = contents(damaged)
    done = repair(damaged, tmp_path / "new")
    assert contents(damaged) == before
    assert any(array in line for line in done.lost)
    record = Record.read(tmp_path / "new")
    for trial in list(record.trials())[: TRIALS - 1]:
        annals.assert_same_trial(trial, sound[1][trial.number])
    if array not in ("z", "attempts"):
        assert verify(tmp_path / "new") == []
    with History.open(tmp_path / "new") as history:
        history.resume(annals.IDENTITY)
        for proposal in history.waiting():
            history.record(annals.trial(proposal, np.random.default_rng(0)))
        history.propose(annals.plan(np.random.default_rng(1)))
        assert len(history.evidence().y) >= TRIALS
    assert [event["kind"] for event in record.events] == ["repaired"]


def test_repair_refuses_a_taken_path_and_no_history(sound: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(HistoryError, match="wanted a free path"):
        repair(sound[0], tmp_path / "new")
    with pytest.raises(HistoryError, match="no history at"):
        repair(tmp_path / "none", tmp_path / "newer")


def test_repair_without_a_founding_document(damaged: Path, tmp_path: Path) -> None:
    flip_last_byte(chunk_of(damaged, "charter/document"))
    with pytest.raises(HistoryError, match="founding document"):
        repair(damaged, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("count", [1, 2, 5, 8, 13, 100])
def test_the_first_commit_that_works_is_found_in_few_tries(count: int) -> None:
    for first in range(count + 1):
        tried = []
        found = first_that(count, lambda age, first=first, tried=tried: tried.append(age) is None and age >= first)
        assert found == (first if first < count else None)
        assert len(tried) <= 2 * count.bit_length() + 2


# --- what cannot be true ---


def counts(**changes: int) -> Callable[[State], None]:
    return lambda state: state.tables["counts"].set(1, **changes)


def lose_attempts(state: State) -> None:
    state.tables["attempts"].trim(0)
    state.__init__(state.tables)  # type: ignore[misc]


CONTRADICTIONS = {
    "is scored with value nan": lambda state: state.tables["numbers"].set(1, value=np.nan),
    "is failed with value": counts(status=int(Status.FAILED)),
    "has status 44": counts(status=44),
    "has no latent point": lambda state: state.tables["z"].set(1, z0=np.nan),
    "with record tick -1": counts(recorded=-1),
    "was taken 2 times": counts(recorded=2),
    "before it was proposed": counts(recorded=0),
    "proposes 2 trials": lambda state: state.tables["plans/counts"].set(1, size=2),
    "has seen tick 90": lambda state: state.tables["plans/counts"].set(1, seen=90),
    "not in the order": lambda state: state.tables["plans/counts"].set(1, sequence=90),
    "lost its attempts": lose_attempts,
}


@pytest.mark.parametrize("said", list(CONTRADICTIONS))
def test_contradictions_are_told(sound: tuple[Path, list[Trial]], said: str) -> None:
    store = Store.read(Place.of(sound[0]))
    state = State.load(store, store.members())
    assert list(contradictions(state)) == []
    CONTRADICTIONS[said](state)
    assert any(said in problem for problem in contradictions(state))


def blanked(sound: Path, *lost: tuple[str, int]) -> dict[str, Table]:
    """The tables of a sound history without some rows."""
    store = Store.read(Place.of(sound))
    tables = State.load(store, store.members()).tables
    for path, row in lost:
        table = tables[path]
        blank = {"f8": np.nan, "i8": -1, "str": ""}[table.layout.kind]
        table.set(row, **dict.fromkeys(table.columns, blank))
    return tables


def test_lost_counts_are_inferred_from_what_is_left(sound: tuple[Path, list[Trial]]) -> None:
    whole = State(blanked(sound[0]))
    for row in range(TRIALS + 1):
        state, given_up = mend(blanked(sound[0], ("counts", row)), repeatable=True)
        assert len(given_up) == 1
        for column in ("plan", "recorded"):
            assert state.tables["counts"].row(row)[column] == whole.tables["counts"].row(row)[column]
        assert state.waiting.tolist() == whole.waiting.tolist()
        assert [problem for problem in contradictions(state) if "attempts" not in problem] == []


def test_lost_plans_are_inferred_from_their_trials(sound: tuple[Path, list[Trial]]) -> None:
    whole = State(blanked(sound[0]))
    for row in range(TRIALS + 1):
        state, _ = mend(blanked(sound[0], ("plans/counts", row)), repeatable=True)
        for column in ("sequence", "first", "size"):
            assert getattr(state.plan(row), column) == getattr(whole.plan(row), column)
        assert list(contradictions(state)) == []


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_lost_score_is_run_again_or_counts_as_interrupted(sound: tuple[Path, list[Trial]], repeatable: bool) -> None:
    state, given_up = mend(blanked(sound[0], ("numbers", 1)), repeatable=repeatable)
    assert state.status[1] == (Status.PROPOSED if repeatable else Status.INTERRUPTED)
    assert any("trial 1: what became of it could not be read" in line for line in given_up)
    assert list(contradictions(state)) == []


def test_a_lost_point_is_not_evidence(sound: tuple[Path, list[Trial]]) -> None:
    state, _ = mend(blanked(sound[0], ("z", 1)), repeatable=True)
    charter = annals.charter()
    evidence = state.evidence(charter.space, charter.goal, charter.budget, 0.0)
    assert len(evidence.y) == TRIALS - 1
    assert np.isfinite(evidence.z).all()
