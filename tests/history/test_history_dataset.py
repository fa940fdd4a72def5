"""A history as an xarray.Dataset and as files; the scan; the schema."""

from __future__ import annotations

import csv
import json
import tarfile
from pathlib import Path

import annals
import numpy as np
import pytest
import xarray as xr
import zarr

from zbo_orchestrator.history import History, Record, Scan, SessionWarning, export, log, open_history, verify
from zbo_orchestrator.history.store import Store
from zbo_orchestrator.model import Budget, ConfigurationError, HistoryError, Measurement, Score, Status, Trial
from zbo_orchestrator.place import Place

TRIALS = 5


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trial]]:
    path = tmp_path_factory.mktemp("filled") / "history"
    return path, annals.filled(path, TRIALS)


def test_the_dataset_holds_every_trial(filled: tuple[Path, list[Trial]]) -> None:
    path, written = filled
    data = open_history(path)
    assert data.sizes["trial"] == TRIALS + 1
    assert data.status.values.tolist() == ["scored", "scored", "refused", "scored", "scored", "proposed"]
    assert data.attempts.values.tolist() == [2] * TRIALS + [0]
    for trial in written:
        row = data.sel(trial=trial.number)
        annals.same(row.trajectory.values, trial.trajectory.values)
        assert row.seed == trial.attempts[-1].seed
        if trial.measurement is None:
            assert row.error == str(trial.outcome)
            assert np.isnan(row.value)
            continue
        assert (row.value, row.noise, row.term_curl) == (trial.value, trial.outcome.noise, trial.outcome.terms["curl"])
        steps = trial.measurement.executed.steps
        assert (row.executed_steps, row.executed_dt) == (steps, 0.2)
        annals.same(row.executed.values[:steps], trial.measurement.executed.values)
        assert np.isnan(row.executed.values[steps:]).all()
        for name, values in trial.measurement.arrays.items():
            annals.same(row[f"measured_{name}"].values, values)
    assert np.isnan(data.trajectory.values[-1]).all()
    assert data.measured_image.dims == ("trial", "y", "x")
    assert data.measured_image.attrs["units"] == "C/m2"


def test_the_dataset_holds_the_plans_and_the_space(filled: tuple[Path, list[Trial]]) -> None:
    data, record = open_history(filled[0]), Record.read(filled[0])
    assert data.plan_mean.dims == ("mapped_plan", "candidate")
    assert data.mapped_plan.values.tolist() == list(range(TRIALS + 1))
    for number in range(TRIALS + 1):
        for name, values in record.maps(number).items():
            annals.same(data[f"plan_{name}"].sel(mapped_plan=number).values, values)
        assert json.loads(data.plan_memory.values[number]) == record.plan(number).memory
        assert data.plan_seen.values[number] == record.plan(number).seen
    space = record.charter.space
    annals.same(data.candidates.values, space.candidates)
    annals.same(data.margins.values, space.margins)
    assert data.limit.values.tolist() == list(space.limits)
    annals.same(data.feasible.values, space.feasible)
    annals.same(data.codes.values, record.charter.decoder["codes"])
    annals.same(data.library.values, record.charter.library.values)
    assert data.library_family.values.tolist() == list(record.charter.families)
    assert data.channel.values.tolist() == ["field"]
    assert data.attrs["name"] == "annals"
    assert (data.attrs["state"], data.attrs["stop_reason"], data.attrs["commit"]) == ("running", "", record.commit)
    assert (data.attrs["grid_shape"], data.attrs["latent_lower"], data.attrs["dt"]) == ([5, 5], [-1.0, -1.0], 0.1)
    assert json.loads(data.attrs["campaign"]) == record.charter.campaign


def test_xarray_opens_the_store_without_us(filled: tuple[Path, list[Trial]]) -> None:
    store = Record.read(filled[0]).zarr_store
    raw = xr.open_zarr(store, consolidated=False, chunks=None)
    columns = raw.numbers.attrs["columns"]
    value = raw.numbers.isel(number=columns.index("value")).values[:TRIALS]
    annals.same(value, open_history(filled[0]).value.values[:TRIALS])
    for group in ("plans", "charter", "measured"):
        assert len(xr.open_zarr(store, group=group, consolidated=False, chunks=None)) >= 3


def test_an_older_state_by_trial_and_commit(filled: tuple[Path, list[Trial]]) -> None:
    path, _ = filled
    assert (open_history(path, trial=2).status.values != "proposed").sum() == 3
    founding = log(path)[-1]
    assert open_history(path, commit=founding.id).sizes["trial"] == 0
    with pytest.raises(HistoryError, match="cannot open"):
        open_history(path, commit="NOSUCHSNAPSHOT000000")


def test_groups_beside_the_trials(filled: tuple[Path, list[Trial]]) -> None:
    path, written = filled
    attempts = open_history(path, "attempts")
    assert attempts.trial.values.tolist() == [number for number in range(TRIALS) for _ in (1, 2)]
    assert attempts.seed.values.tolist() == [attempt.seed for trial in written for attempt in trial.attempts]
    assert open_history(path, "sessions").sizes["session"] == 1
    assert len(open_history(path, "events")) == 0
    annals.same(open_history(path, "decoder").weights.values, annals.charter().decoder["weights"])
    with pytest.raises(HistoryError, match="wanted one of"):
        open_history(path, "nothing")


def test_reading_goes_on_beside_a_writer(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "history"
    annals.filled(path, 2)
    with History.open(path) as history:
        before = open_history(path)
        written = annals.trial(history.waiting()[0], rng)
        history.record(written)
        after = open_history(path)
        assert np.isnan(before.value.values[2])
        assert after.value.values[2] == written.value
        assert np.isnan(before.trajectory.values[2]).all()


def test_measured_axes_that_share_a_name_but_no_length(tmp_path: Path) -> None:
    path, rng = tmp_path / "history", np.random.default_rng(0)
    arrays = {"a": np.ones((2, 3)), "b": np.ones(4), "c": np.ones((2, 2))}
    dims = {"a": ("x", "y"), "b": ("x",), "c": ("trial", "z")}
    with annals.found(path) as history:
        (proposal,) = history.propose(annals.plan(rng))
        history.record(Trial(proposal, annals.trajectory(rng), Score(1.0), Measurement(arrays, dims)))
        history.check(Measurement(arrays, dims))
    data = open_history(path)
    assert data.measured_a.dims == ("trial", "x", "y")
    assert data.measured_b.dims == ("trial", "b_x")
    assert data.measured_c.dims == ("trial", "c_trial", "c_z")
    assert Record.read(path).trial(0).measurement.dims == dims


def test_an_empty_history_opens_and_exports(tmp_path: Path) -> None:
    annals.found(tmp_path / "history", library=None, families=(), decoder={}).close()
    assert open_history(tmp_path / "history").sizes["trial"] == 0
    for ending in ("zarr", "nc", "csv"):
        export(tmp_path / "history", tmp_path / f"out.{ending}")


# --- export ---


def test_zarr_and_netcdf_read_back_identical(filled: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    data = open_history(filled[0]).load()
    export(filled[0], tmp_path / "out.zarr")
    assert xr.open_zarr(tmp_path / "out.zarr", consolidated=False, chunks=None).identical(data)
    export(filled[0], tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc", engine="h5netcdf") as read:
        complex_free = data.drop_vars("measured_spectrum").drop_attrs()
        assert read.drop_vars(["measured_spectrum_real", "measured_spectrum_imag"]).drop_attrs().identical(complex_free)
        annals.same(read.measured_spectrum_imag.values, data.measured_spectrum.values.imag)
    attempts = xr.open_dataset(tmp_path / "out.nc", group="journals/attempts", engine="h5netcdf")
    assert attempts.identical(open_history(filled[0], "attempts"))
    attempts.close()


def test_csv_has_one_row_a_trial_and_exact_numbers(filled: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    export(filled[0], tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    record = Record.read(filled[0])
    assert [row["status"] for row in rows] == ["scored", "scored", "refused", "scored", "scored", "proposed"]
    for row, z, value, reason in zip(rows, record.z, record.values, record.reasons, strict=True):
        assert [float(row["z0"]), float(row["z1"])] == z.tolist()
        assert row["value"] == ("" if np.isnan(value) else repr(float(value)))
        assert row["reason"] == reason
    assert rows[2]["error"].startswith("no: ")
    assert rows[5]["recorded_at"] == ""
    assert rows[0]["term_curl"]


def test_export_refuses_other_endings_and_taken_paths(filled: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'\.xlsx'; wanted one of \.zarr, \.nc, \.csv"):
        export(filled[0], tmp_path / "out.xlsx")
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(HistoryError, match="exists"):
        export(filled[0], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"


# --- the scan ---


def test_a_scan_goes_on_where_it_was(tmp_path: Path) -> None:
    path, space = tmp_path / "history.scan", annals.space()
    scan = Scan.open(path, {"seed": 7}, space)
    feasible = np.flatnonzero(space.feasible)
    assert 0 < len(feasible) < 25
    annals.same(scan.missing(), feasible)
    scan.record(feasible[:4], np.array([0.1, np.nan, -0.0, 3.0]))
    again = Scan.open(path, {"seed": 7}, space)
    annals.same(again.missing(), feasible[4:])
    again.record(feasible[4:], np.arange(len(feasible) - 4.0))
    values = Scan.open(path, {"seed": 7}, space).values
    annals.same(values[feasible[:4]], np.array([0.1, np.nan, -0.0, 3.0]))
    assert np.isnan(values[~space.feasible]).all()
    assert len(Scan.open(path, {"seed": 7}, space).missing()) == 0


def test_a_scan_of_another_campaign_is_refused(tmp_path: Path) -> None:
    path, space = tmp_path / "history.scan", annals.space()
    Scan.open(path, {"seed": 7}, space)
    with pytest.raises(HistoryError, match="seed: history has 7, this campaign wants 8"):
        Scan.open(path, {"seed": 8}, space)
    annals.found(tmp_path / "history").close()
    with pytest.raises(HistoryError, match="no scan of schema"):
        Scan.open(tmp_path / "history", {"seed": 7}, space)


# --- the schema ---


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history"
    annals.found(path).close()
    store = Store.write(Place.of(path), "process")
    store.root().update_attributes({"schema": 99})
    store.commit("from the future", {})
    for opening in (Record.read, History.open, verify):
        with pytest.raises(HistoryError, match="written in schema 99; this version reads schema 1"):
            opening(path)


def test_every_array_ends_in_a_checksum(filled: tuple[Path, list[Trial]]) -> None:
    arrays = [node for _, node in Store.read(Place.of(filled[0])).nodes() if isinstance(node, zarr.Array)]
    assert len(arrays) > 15
    assert {type(array.compressors[-1]).__name__ for array in arrays} == {"Crc32cCodec"}


FIXTURE = Path(__file__).parent / "fixtures" / "schema-1"


@pytest.fixture
def first_schema(tmp_path: Path) -> Path:
    with tarfile.open(FIXTURE / "history.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "history"


def plain(values: np.ndarray) -> list[object]:
    return (np.stack([values.real, values.imag], axis=-1) if values.dtype.kind == "c" else values).tolist()


def test_a_history_of_schema_1_stays_readable(first_schema: Path) -> None:
    wanted = json.loads((FIXTURE / "expected.json").read_text())
    record = Record.read(first_schema)
    assert (record.name, record.state, record.stop_reason) == ("renamed", "finished", "long enough")
    assert (record.budget.total, record.goal.maximize) == (30, True)
    assert record.charter.identity == annals.IDENTITY
    annals.same(record.charter.decoder["weights"], annals.charter().decoder["weights"])
    annals.same(record.charter.space.margins, annals.space().margins)
    for plan, row in zip(record.plans, wanted["plans"], strict=True):
        assert (plan.z.tolist(), list(plan.reasons), plan.memory) == (row["z"], row["reasons"], row["memory"])
        assert {name: values.tolist() for name, values in record.maps(plan.number).items()} == row["maps"]
    for trial, row in zip(record.trials(), wanted["trials"], strict=True):
        assert (trial.number, trial.status.name) == (row["number"], row["status"])
        assert trial.trajectory.values.tolist() == row["trajectory"]
        assert [attempt.seed for attempt in trial.attempts] == row["seeds"]
        if trial.measurement is None:
            assert str(trial.outcome) == row["error"]
            continue
        assert (trial.outcome.value, trial.outcome.noise) == (row["value"], row["noise"])
        assert trial.outcome.terms == row["terms"]
        assert {name: plain(values) for name, values in trial.measurement.arrays.items()} == row["arrays"]
        assert {name: list(dims) for name, dims in trial.measurement.dims.items()} == row["dims"]
        assert trial.measurement.executed.values.tolist() == row["executed"]
    assert verify(first_schema) == []


def test_a_history_of_schema_1_tells_what_its_planner_saw(first_schema: Path) -> None:
    wanted = json.loads((FIXTURE / "expected.json").read_text())
    record = Record.read(first_schema)
    first, second, now = record.evidence(plan=0), record.evidence(plan=1), record.evidence()
    assert (first.proposed, len(first.y), dict(first.memory), first.budget.total) == (0, 0, {}, 20)
    assert (second.proposed, len(second.pending), second.budget.total) == (2, 0, 20)
    assert (now.proposed, len(now.y), now.budget.total) == (3, 2, 30)
    for seen, plan in ((second, wanted["plans"][0]), (now, wanted["plans"][1])):
        assert seen.memory == plan["memory"]
        assert seen.z.tolist() == wanted["plans"][0]["z"]
        assert [Status(status).name for status in seen.status] == [row["status"] for row in wanted["trials"]]
        assert seen.y[0] == wanted["trials"][0]["value"]
        assert np.isnan(seen.y[1])
    assert now.pending.tolist() == wanted["plans"][1]["z"]


def test_a_history_of_schema_1_goes_on(first_schema: Path) -> None:
    rng = np.random.default_rng(0)
    with History.open(first_schema) as history:
        with pytest.warns(SessionWarning, match="host was then"):
            history.resume(annals.IDENTITY, budget=Budget(4, 40))
        assert history.state == "running"
        (proposal,) = history.waiting()
        written = annals.trial(proposal, rng)
        history.record(written)
        history.propose(annals.plan(rng))
    annals.assert_same_trial(Record.read(first_schema).trial(2), written)
    assert open_history(first_schema).sizes["trial"] == 4
