"""What is kept: made once, whole or not at all, and never trusted when damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zbo_orchestrator.kept import cached, fingerprint
from zbo_orchestrator.model import Array

ARRAYS = {"weight": np.arange(6.0).reshape(2, 3), "names": np.array(["field", "µ"]), "dt": np.array(0.5)}


@pytest.fixture
def learned() -> tuple[list[int], Callable[[], dict[str, Array]]]:
    """A count of lessons, and the lesson."""
    lessons: list[int] = []

    def learn() -> dict[str, Array]:
        lessons.append(1)
        return dict(ARRAYS)

    return lessons, learn


def same(arrays: dict[str, Array]) -> bool:
    return fingerprint(arrays) == fingerprint(ARRAYS)


def test_learned_once_and_found_again(tmp_path: Path, learned: tuple) -> None:
    lessons, learn = learned
    folder = tmp_path / "not" / "yet"
    assert all(same(cached("abc", learn, folder)) for _ in range(3))
    assert len(lessons) == 1
    assert same(cached("abd", learn, folder))
    assert len(lessons) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["abc.npz", "abd.npz"]


@pytest.mark.parametrize("position", [0, 3, 60, 200, 400, -30, -1])
def test_a_flipped_byte_is_noticed(
    tmp_path: Path, learned: tuple, caplog: pytest.LogCaptureFixture, position: int
) -> None:
    lessons, learn = learned
    cached("abc", learn, tmp_path)
    path = tmp_path / "abc.npz"
    content = bytearray(path.read_bytes())
    content[position] ^= 0x40
    path.write_bytes(content)
    assert same(cached("abc", learn, tmp_path)), "whatever was flipped, what comes back is what was learned"
    assert len(lessons) == 1 or "making them again" in caplog.text


def test_another_programs_arrays_are_noticed(tmp_path: Path, learned: tuple, caplog: pytest.LogCaptureFixture) -> None:
    lessons, learn = learned
    np.savez(tmp_path / "abc.npz", **{**ARRAYS, "weight": np.zeros((2, 3))})
    assert same(cached("abc", learn, tmp_path))
    assert lessons == [1]
    assert "seal" in caplog.text


def test_a_cut_file_is_learned_again_and_mended(
    tmp_path: Path, learned: tuple, caplog: pytest.LogCaptureFixture
) -> None:
    lessons, learn = learned
    cached("abc", learn, tmp_path)
    path = tmp_path / "abc.npz"
    path.write_bytes(path.read_bytes()[:100])
    cached("abc", learn, tmp_path)
    assert "making them again" in caplog.text
    assert same(cached("abc", learn, tmp_path))
    assert len(lessons) == 2


def test_a_lesson_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> dict[str, Array]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("abc", broken, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, learned: tuple, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    assert same(cached("abc", learned[1], tmp_path / "file"))
    assert "could not be kept" in caplog.text


def test_arrays_that_would_need_a_pickle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        cached("abc", lambda: {"weights": np.array([{}], dtype=object)}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_digest_is_a_name_not_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        cached("../abc", dict, tmp_path)


def test_the_fingerprint_sees_names_types_shapes_and_values() -> None:
    base = {"a": np.zeros(4)}
    others = [
        {"b": np.zeros(4)},
        {"a": np.zeros((2, 2))},
        {"a": np.zeros(4, np.int64)},
        {"a": np.array([0, 0, 0, -0.0])},
    ]
    assert len({fingerprint(arrays) for arrays in [base, *others]}) == 5
    assert fingerprint({"a": np.ones(1), "b": np.ones(2)}) == fingerprint({"b": np.ones(2), "a": np.ones(1)})
