"""Where recorded loops come from: files in every form, the scans of mexpsimu, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import COLUMNS, ROWS, SIZE, STEPS, film

from zbo_microscope.loop_file import LoopFile
from zbo_microscope.scans import Mexpsimu
from zbo_orchestrator.model import ConfigurationError


def test_one_npz_or_two_npy_hold_the_same_scan(tmp_path: Path) -> None:
    one = film(tmp_path).load()
    np.save(tmp_path / "loops.npy", one.response)
    np.save(tmp_path / "bias.npy", one.bias)
    two = LoopFile(tmp_path / "loops.npy", bias=tmp_path / "bias.npy", size=SIZE, unit="um").load()
    for scan in (one, two):
        assert scan.response.shape == (ROWS, COLUMNS, STEPS)
        assert (scan.size, scan.unit) == (SIZE, "um")
    assert np.array_equal(one.response, two.response)
    assert np.array_equal(one.bias, two.bias)


def test_other_names_and_positions_counted_in_pixels(tmp_path: Path) -> None:
    known = film(tmp_path).load()
    np.savez(tmp_path / "other.npz", spectra=known.response.astype(np.float32), vstep=known.bias, topography=np.eye(3))
    scan = LoopFile(tmp_path / "other.npz", key="spectra", bias_key="vstep").load()
    assert (scan.size, scan.unit) == ((COLUMNS - 1, ROWS - 1), "px")
    assert scan.pixel(7.4, 2.0) == (2, 7)
    assert scan.position(2, 7) == (7.0, 2.0)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"bias": np.zeros(5)}, {}, "holds arrays bias; wanted one called response"),
        ({"response": np.zeros((3, 3, 5))}, {}, "holds arrays response; wanted one called bias"),
        ({"response": np.zeros((3, 5)), "bias": np.zeros(5)}, {}, r"response has shape \(3, 5\); wanted \[row, column"),
        ({"response": np.zeros((1, 3, 5)), "bias": np.zeros(5)}, {}, r"shape \(1, 3, 5\); wanted .* of 2 rows"),
        ({"response": np.zeros((3, 3, 5)), "bias": np.zeros(4)}, {}, r"bias has shape \(4,\).*; wanted 5 finite"),
        ({"response": np.zeros((3, 3, 5)), "bias": np.full(5, np.inf)}, {}, "0 of them finite; wanted 5 finite"),
        ({"response": np.zeros((3, 3, 5), complex), "bias": np.zeros(5)}, {}, "response holds complex128; wanted real"),
        ({"response": np.zeros((3, 3, 5)), "bias": np.zeros(5)}, {"size": (1.0, 0.0)}, r"size is \[1.0, 0.0\]; wanted"),
        ({"response": np.array([{}]), "bias": np.zeros(5)}, {}, "cannot be read .*; wanted .npy or .npz with plain"),
    ],
)
def test_malformed_files_are_named_with_what_is_wrong(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ConfigurationError, match=rf"bad\.npz.* {message}"):
        LoopFile(tmp_path / "bad.npz", **options).load()


def test_a_file_that_is_none_or_not_numpys_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("1, 2, 3")
    for name in ("text.npy", "missing.npy"):
        with pytest.raises(ConfigurationError, match=rf"{name} cannot be read"):
            LoopFile(tmp_path / name).load()


def test_without_mexpsimu_the_extra_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbo_microscope.scans.mexpsimu", None)
    with pytest.raises(ConfigurationError, match=r"^[^\n]*pip install 'zbo-orchestrator\[microscope\]'$"):
        Mexpsimu().load()


def test_scans_of_mexpsimu_answer_as_its_own_microscope() -> None:
    mexpsimu = pytest.importorskip("mexpsimu", reason="comes with the extra zbo-orchestrator[microscope]")
    theirs, ours = mexpsimu.Microscope("PTO_BEPS_1d3um"), Mexpsimu(preset="PTO_BEPS_1d3um").load()
    assert (ours.size, ours.unit) == ((1.3, 1.3), "um")
    for x, y in np.random.default_rng(0).uniform(0, 1.3, (30, 2)):
        voltage, response = theirs.spectroscopy(x, y)
        assert np.array_equal(ours.bias, voltage)
        assert np.array_equal(ours.response[ours.pixel(x, y)], response)


def test_a_scan_of_unknown_size_counts_pixels_and_an_unknown_scan_is_refused() -> None:
    pytest.importorskip("mexpsimu", reason="comes with the extra zbo-orchestrator[microscope]")
    defect = Mexpsimu(preset="artificial_defect_cAFM").load()
    assert (defect.size, defect.unit) == ((49, 49), "px")
    with pytest.raises(ConfigurationError, match=r"preset is 'PTO'; wanted one of .*PTO_BEPS_3um"):
        Mexpsimu(preset="PTO").load()
