"""A user's own curves: read as they are, or refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zbo_orchestrator.decoders.families import File
from zbo_orchestrator.model import ConfigurationError

CURVES = np.random.default_rng(0).normal(size=(5, 7))


def drawn(path: Path, steps: int = 7, **options: object) -> np.ndarray:
    return File(path=str(path), **options).draw(np.random.default_rng(0), steps)


def test_every_format_gives_the_same_curves(tmp_path: Path) -> None:
    np.save(tmp_path / "curves.npy", CURVES)
    np.savez(tmp_path / "curves.npz", field=CURVES, other=np.zeros(3))
    rows = [",".join(map(repr, row)) for row in CURVES.tolist()]
    (tmp_path / "curves.csv").write_text("\n".join([",".join(f"t{k}" for k in range(7)), *rows, ""]))
    for name, options in [("curves.npy", {}), ("curves.npz", {"key": "field"}), ("curves.csv", {})]:
        np.testing.assert_array_equal(drawn(tmp_path / name, **options), CURVES[..., None])


def test_several_channels_and_whole_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "curves.npy", np.arange(24).reshape(2, 4, 3))
    curves = drawn(tmp_path / "curves.npy", 4)
    assert curves.dtype == np.float64
    np.testing.assert_array_equal(curves, np.arange(24.0).reshape(2, 4, 3))


def test_count_picks_different_curves_and_resample_keeps_the_ends(tmp_path: Path) -> None:
    np.save(tmp_path / "curves.npy", CURVES)
    picked = drawn(tmp_path / "curves.npy", count=3)[..., 0]
    assert len({row.tobytes() for row in picked} & {row.tobytes() for row in CURVES}) == 3
    finer = drawn(tmp_path / "curves.npy", 13, resample=True)[..., 0]
    np.testing.assert_allclose(finer[:, ::2], CURVES)
    np.testing.assert_allclose(finer[:, 1::2], (CURVES[:, 1:] + CURVES[:, :-1]) / 2)
    np.testing.assert_array_equal(drawn(tmp_path / "curves.npy", 2, resample=True)[..., 0], CURVES[:, [0, -1]])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("short.csv", "1,2,3\n1,2\n", "line 2 has 2 values; wanted 3"),
        ("words.csv", "1,2,3\n1,two,3\n", "line 2 holds 'two'; wanted a number"),
        ("empty.csv", "\n", "holds no rows"),
        ("curves.txt", "1,2", "wanted .npy, .npz or .csv"),
        ("broken.npy", "not an array", "cannot be read"),
        ("broken.npz", "not an archive", "cannot be read"),
    ],
)
def test_malformed_files_are_refused_by_name(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=f"{name}.*{said}"):
        drawn(tmp_path / name)


def test_uneven_lengths_saved_by_numpy_are_refused_without_unpickling(tmp_path: Path) -> None:
    np.save(tmp_path / "uneven.npy", np.array([np.zeros(3), np.zeros(4)], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigurationError, match="every curve of the same length"):
        drawn(tmp_path / "uneven.npy")


@pytest.mark.parametrize(
    ("array", "options", "said"),
    [
        (np.zeros((2, 8)), {}, "curves of 8 steps; wanted 7"),
        (np.zeros((2, 7)), {"count": 3}, "holds 2 curves; wanted count: 3"),
        (np.zeros(7), {}, r"holds shape \(7,\); wanted \[curve, step\]"),
        (np.zeros((0, 7)), {}, "holds shape"),
        (np.zeros((2, 7), complex), {}, "complex128 values; wanted real numbers"),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(tmp_path: Path, array: np.ndarray, options: dict, said: str) -> None:
    np.save(tmp_path / "curves.npy", array)
    with pytest.raises(ConfigurationError, match=said):
        drawn(tmp_path / "curves.npy", **options)


def test_a_missing_file_and_a_missing_key_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.npy is not a file"):
        drawn(tmp_path / "nowhere.npy")
    np.savez(tmp_path / "curves.npz", a=CURVES, b=CURVES)
    with pytest.raises(ConfigurationError, match=r"holds arrays \['a', 'b'\]; wanted key"):
        drawn(tmp_path / "curves.npz")
