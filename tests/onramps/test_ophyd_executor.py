"""An ophyd positioner and ophyd detectors as an executor, against ophyd's own simulated devices."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import (
    Channel,
    ConfigurationError,
    ExecutionError,
    FatalError,
    RefusedError,
    Status,
    Stopped,
    Trajectory,
    TransientError,
)
from zbo_orchestrator.testing import ExecutorContract, InstrumentContract, RecordedRun

pytest.importorskip("ophyd")

import beamline

from zbo_ophyd import Ophyd

MOTOR = (Channel("motor", "mm"),)
STAGE = (Channel("stage", "um"),)
SCAN = Trajectory([[-1.0], [0.0], [2.0]], 0.001, MOTOR)
NEVER = Trajectory([[1.0]], 1.0, (Channel("stoppable", "mm"),))

CAMPAIGN: dict[str, Any] = {
    "name": "alignment",
    "budget": {"initial": 3, "total": 6},
    "decoder": {"use": "identity", "channels": [{"name": "motor", "unit": "mm"}], "lower": [-3], "upper": [3]},
    "atlas": {"grid": [25]},
    "planner": {"use": "random"},
    "simulated": True,
    "executor": {"use": "ophyd", "positioner": "ophyd.sim:motor", "detectors": ["ophyd.sim:det"], "safe": 0.0},
    "evaluator": {"use": "beamline:brightest"},
}


def ophyd(positioner: str = "ophyd.sim:motor", *detectors: str, **options: Any) -> Ophyd:
    given = {"safe": 0.0, "time_unit": 0.001, **options}
    return Ophyd(positioner=positioner, detectors=detectors or ("ophyd.sim:det",), **given)


class TestOphyd(ExecutorContract, InstrumentContract):
    def make(self) -> Ophyd:
        return ophyd(repeatable=True)

    def trajectory(self) -> Trajectory:
        return SCAN


def test_every_step_is_moved_to_and_looked_at() -> None:
    run = RecordedRun()
    measured = ophyd().execute(SCAN, run)
    assert np.allclose(measured.arrays["det"], np.exp(-np.square(SCAN.values[:, 0]) / 2))
    assert measured.dims == {"det": ("step",)}
    assert measured.executed is not None
    assert np.array_equal(measured.executed.values, SCAN.values)
    assert run.reports == [(0, 3, {}), (1, 3, {"motor": -1.0}), (2, 3, {"motor": 0.0}), (3, 3, {"motor": 2.0})]


def test_where_it_was_counts_as_executed_and_not_where_it_was_sent() -> None:
    executed = ophyd("beamline:sticky").execute(Trajectory([[1.0]], 1.0, (Channel("sticky", "mm"),)), RecordedRun())
    assert executed.executed is not None
    assert executed.executed.values == pytest.approx(1.01)


def test_images_have_axes_after_the_step() -> None:
    measured = ophyd("ophyd.sim:motor", "beamline:camera", "ophyd.sim:det").execute(SCAN, RecordedRun())
    assert (measured.arrays["camera"].shape, measured.dims["camera"]) == ((3, 2, 3), ("step", "camera_1", "camera_2"))
    assert measured.arrays["det"].shape == (3,)


def test_each_value_is_held_for_dt_in_the_campaigns_unit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float | None] = []

    class Clock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            held.append(timeout)
            return False

    executor = ophyd(time_unit=60.0)
    executor._aborted = Clock()
    executor.execute(Trajectory(SCAN.values, 0.5, MOTOR), RecordedRun())
    assert held == [30.0] * 3


# --- what it says of itself -------------------------------------------------------------------------


def test_it_describes_a_device_with_limits_and_one_without() -> None:
    stage = ophyd("beamline:stage").describe()
    assert (stage.identity, stage.channels, stage.simulated) == ("ophyd.positioner.SoftPositioner,stage,", STAGE, False)
    limits = stage.envelope.channels["stage"]
    assert (limits.lower, limits.upper) == (-2, 3)
    motor = ophyd().describe()
    assert (motor.identity, motor.channels, motor.simulated) == ("ophyd.sim.SynAxis,motor,", MOTOR, True)
    assert motor.envelope.channels["motor"].upper == np.inf


def test_the_device_itself_refuses_what_is_beyond_its_limits() -> None:
    executor = ophyd("beamline:stage")
    before = beamline.stage.position
    for value in (-2.1, 3.1):
        with pytest.raises(RefusedError, match=r"stage\..*by 0.1"):
            executor.execute(Trajectory([[0.0], [value]], 1.0, STAGE), RecordedRun())
    assert beamline.stage.position == before
    executor.check(Trajectory([[-2.0], [3.0]], 1.0, STAGE))
    with pytest.raises(RefusedError, match=r"gapped refuses 1\.5: there is a support"):
        ophyd("beamline:gapped").check(Trajectory([[1.0], [1.5], [2.0]], 1.0, (Channel("gapped", "mm"),)))
    with pytest.raises(RefusedError, match=r"shape \(1, 2\); wanted \[step, 1 channel\]"):
        executor.check(Trajectory([[0.0, 0.0]], 1.0, STAGE * 2))


def test_a_safe_position_out_of_reach_is_a_mistake_in_the_file() -> None:
    with pytest.raises(ConfigurationError, match="safe is 5; wanted -2 to 3"):
        ophyd("beamline:stage", safe=5.0).describe()


# --- trouble ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("positioner", "detector", "timeout", "error", "complaint"),
    [
        ("slow", "lamp", 0.2, TransientError, r"slow on its way to 1: not done after 0.2 s"),
        ("moody", "lamp", 10.0, ExecutionError, "moody: 1.0 is beyond the interlock"),
        ("sticky", "dark", 10.0, TransientError, "dark: TimeoutError the shutter is closed"),
        ("sticky", "label", 10.0, ExecutionError, "label reads 'dark'; wanted numbers"),
        ("sticky", "growing", 10.0, ExecutionError, "growing changes its shape from step to step"),
    ],
)
def test_trouble_has_a_class_and_names_its_device(
    positioner: str, detector: str, timeout: float, error: type[ExecutionError], complaint: str
) -> None:
    trajectory = Trajectory([[1.0]] * 20, 1.0, (Channel(positioner, "mm"),))
    with pytest.raises(ExecutionError, match=complaint) as raised:
        ophyd(f"beamline:{positioner}", f"beamline:{detector}", timeout=timeout).execute(trajectory, RecordedRun())
    assert type(raised.value) is error


def test_a_move_that_takes_too_long_is_stopped() -> None:
    before = beamline.stoppable.stops
    with pytest.raises(TransientError, match=r"not done after 0\.2 s"):
        ophyd("beamline:stoppable", timeout=0.2).execute(
            Trajectory([[1.0]], 1.0, (Channel("stoppable"),)), RecordedRun()
        )
    assert beamline.stoppable.stops == before + 1


def test_an_abort_stops_the_positioner_on_its_way() -> None:
    executor = ophyd("beamline:stoppable", timeout=600.0)
    before = beamline.stoppable.stops
    aborting = threading.Timer(0.1, executor.abort, ("the beam is gone",))
    aborting.start()
    with pytest.raises(Stopped, match=r"^the beam is gone$"):
        executor.execute(NEVER, RecordedRun())
    aborting.join()
    assert beamline.stoppable.stops > before


@pytest.mark.parametrize("when", [0, 1, 3])
def test_nothing_moves_after_an_abort_between_two_steps(when: int) -> None:
    executor = ophyd("beamline:stage")

    class Aborting(RecordedRun):
        def report(self, step: int, of: int, **values: float) -> None:
            super().report(step, of, **values)
            if step == when:
                executor.abort("the beam is gone")

    run = Aborting()
    beamline.stage.set(2.5)
    with pytest.raises(Stopped, match=r"^the beam is gone$"):
        executor.execute(Trajectory(SCAN.values, 0.001, STAGE), run)
    assert beamline.stage.position == [2.5, *SCAN.values[:, 0]][when]
    assert len(run.reports) == when + 1


def test_an_abort_waits_for_nobody() -> None:
    executor = ophyd("beamline:stoppable")
    executor.connect()
    before = beamline.stoppable.stops
    executor.abort("the beam is gone")
    assert beamline.stoppable.stops == before + 1


# --- the safe state ---------------------------------------------------------------------------------


def test_the_safe_state_needs_no_earlier_call_and_is_read_back() -> None:
    beamline.stage.set(2.0)
    assert ophyd("beamline:stage", safe=-1.0).safe_state() == {"stage": -1.0}
    assert beamline.stage.position == -1


@pytest.mark.parametrize(
    ("positioner", "timeout", "complaint"),
    [
        ("beamline:sticky", 10.0, r"sticky reads 0.01; wanted 0 within 0.001"),
        ("beamline:slow", 0.2, "the safe state cannot be reached: slow on its way to 0: not done after 0.2 s"),
    ],
)
def test_a_safe_state_that_is_not_reached_is_fatal(positioner: str, timeout: float, complaint: str) -> None:
    with pytest.raises(FatalError, match=complaint):
        ophyd(positioner, timeout=timeout).safe_state()
    assert ophyd("beamline:sticky", tolerance=0.1).safe_state() == {"sticky": pytest.approx(0.01)}


# --- files ------------------------------------------------------------------------------------------


def test_options_that_cannot_work_are_refused() -> None:
    for executor, complaint in (
        (lambda: ophyd("motor"), "device is 'motor'; wanted module:name"),
        (lambda: Ophyd(positioner="a:b", detectors=(), safe=0.0), "detectors are empty"),
        (lambda: ophyd(safe=np.nan), "safe is nan; wanted a finite position"),
        (lambda: ophyd(timeout=0.0), "timeout is 0.0; wanted above 0"),
        (lambda: ophyd("beamline:lost").describe(), "beamline:lost cannot be imported"),
        (lambda: ophyd("beamline:number").describe(), "beamline:number is a int without set, stop, position"),
        (lambda: ophyd("beamline:stage", "beamline:stage").describe(), "without trigger; wanted a device"),
        (
            lambda: ophyd("ophyd.sim:motor", "ophyd.sim:det", "ophyd.sim:identical_det").execute(SCAN, RecordedRun()),
            "two detectors measure det",
        ),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            executor()


def test_devices_stay_in_their_process() -> None:
    executor = ophyd()
    executor.connect()
    again = pickle.loads(pickle.dumps(executor))
    assert again._found is None
    assert again.describe() == executor.describe()


def written(folder: Path, **sections: Any) -> Path:
    file = folder / "alignment.yaml"
    file.write_text(yaml.safe_dump({**CAMPAIGN, **sections}))
    return file


def test_a_campaign_finds_the_light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path / "leases"))
    conduct(load(written(tmp_path), allow_code=True), tmp_path / "history", Watcher())
    record = Record.read(tmp_path / "history")
    assert list(record.status) == [Status.SCORED] * 6
    assert np.allclose(record.values, np.exp(-np.square(record.z[:, 0]) / 2))


def test_devices_may_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "devices_beside.py").write_text("from ophyd.sim import det, motor\n")
    executor = {**CAMPAIGN["executor"], "positioner": "devices_beside:motor", "detectors": ["devices_beside:det"]}
    campaign = load(written(tmp_path, executor=executor, evaluator={"use": "loop-area"}), allow_code=True)
    assert campaign.executor.execute(SCAN, RecordedRun()).arrays["det"].shape == (3,)


def test_devices_named_in_a_file_are_imported_only_when_allowed(tmp_path: Path) -> None:
    file = written(tmp_path, evaluator={"use": "loop-area"})
    with pytest.raises(ConfigurationError, match=r'executor\.use: got "ophyd", which runs code.*wanted --allow-code'):
        load(file)
