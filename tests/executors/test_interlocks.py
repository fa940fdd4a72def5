"""Interlocks: when they trip and clear, what becomes of trials meanwhile, and what the history then knows."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_instrument import Panel
from hypothesis import given
from hypothesis import strategies as st
from waiting import eventually

from zbo_orchestrator.campaign import load
from zbo_orchestrator.campaign.schema import schema
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.interlocks import Interlock, Latch, Monitor
from zbo_orchestrator.interlocks.free_disk import FreeDisk
from zbo_orchestrator.interlocks.interlock import UNREAD
from zbo_orchestrator.interlocks.number_file import NumberFile
from zbo_orchestrator.model import ConfigurationError, Measurement, Status, TransientError
from zbo_scpi.number import ScpiNumber
from zbo_scpi.simulator import Generator, Simulator


@dataclass
class Gauge:
    """A reading that a test sets; an exception is raised."""

    value: float | Exception = 20.0
    unit: str = "°C"
    hangs: threading.Event | None = None

    def reading(self) -> float:
        if self.hangs is not None:
            self.hangs.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def warm(**options: Any) -> Interlock:
    return Interlock("stage", Gauge(), **{"upper": 30.0, "every": 0.005, **options})


# --- when it trips and clears -----------------------------------------------------------------------


def test_it_trips_beyond_its_limit_and_clears_well_inside_and_settled() -> None:
    latch = Latch(warm(hysteresis=2.0, settle=5.0, lower=0.0))
    assert latch.why == UNREAD
    seen = [(value, latch.see(value, at), latch.why) for at, value in enumerate([25.0, 31.2, 29.0, 27.0, 29.0, 28.0])]
    assert [changed for _, changed, _ in seen] == [False, True, False, False, False, False]
    assert latch.why == "31.2 °C above 30"
    assert not latch.see(20.0, 9.9), "it has been well inside for 4.9 s only"
    assert latch.see(20.0, 10.0)
    assert latch.why == ""
    assert latch.see(-1.0, 11.0)
    assert latch.why == "-1 °C below 0"


values = st.floats(-50, 80, allow_nan=False) | st.just(float("nan")) | st.just("cannot be read: it is gone")


@given(st.lists(st.tuples(values, st.floats(0, 3)), min_size=1), st.floats(0, 10), st.floats(0, 5))
def test_whatever_is_read_nothing_is_clear_that_is_not(
    steps: list[tuple[float | str, float]], hysteresis: float, settle: float
) -> None:
    interlock = warm(lower=0.0, hysteresis=hysteresis, settle=settle)
    latch, now, was, since, tripped_once = Latch(interlock), 0.0, False, 0.0, False
    for value, pause in steps:
        now += pause
        changed = latch.see(value, now)
        inside = isinstance(value, float) and 0 <= value <= 30
        well = isinstance(value, float) and hysteresis <= value <= 30 - hysteresis
        since = since if well and was else now
        was = well
        tripped_once = tripped_once or not inside
        assert bool(latch.why) or inside
        if changed and not latch.why:
            assert well
            assert now - since >= settle
        if not tripped_once:
            assert latch.why == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [({"upper": float("inf")}, "wanted lower, upper or both"), ({"lower": 28.0, "hysteresis": 1.0}, "wanted room")],
)
def test_limits_leave_room(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"interlock stage: .*{said}"):
        warm(**options)


# --- the monitor ------------------------------------------------------------------------------------


def test_a_reading_that_cannot_be_had_has_tripped_and_says_why() -> None:
    interlock = warm()
    gauge = interlock.reading
    assert isinstance(gauge, Gauge)
    with Monitor([interlock]) as monitor:
        assert monitor.tripped() == ""
        gauge.value = TransientError("the logger is off")
        assert eventually(lambda: monitor.tripped() == "interlock stage: cannot be read: the logger is off")
        assert monitor.aborting() == ""
        gauge.value = 21.0
        assert eventually(lambda: not monitor.tripped())
        assert [change.why for change in monitor.changes()] == ["cannot be read: the logger is off", ""]
        assert monitor.changes() == []


def test_a_reading_that_hangs_has_tripped_and_keeps_no_other_from_it() -> None:
    stuck, open_valve = threading.Event(), Interlock("valve", Gauge(1.0, ""), upper=0.5, action="abort")
    hanging = Interlock("stage", Gauge(hangs=stuck), upper=30.0, every=0.005)
    with Monitor([hanging, open_valve], silent=0.05) as monitor:
        assert eventually(lambda: "interlock stage: no reading for" in monitor.tripped())
        assert monitor.aborting() == "interlock valve: 1 above 0.5"
        stuck.set()
        assert eventually(lambda: monitor.tripped() == "interlock valve: 1 above 0.5")


def test_a_bug_in_a_reading_is_raised_to_who_asks() -> None:
    with Monitor([Interlock("stage", Gauge(ZeroDivisionError("a bug")), upper=30.0)]) as monitor:
        assert eventually(lambda: bool(monitor._bugs))
        with pytest.raises(ZeroDivisionError, match="a bug"):
            monitor.tripped()


# --- readings ---------------------------------------------------------------------------------------


def test_a_number_from_a_file_that_another_program_writes(tmp_path: Path) -> None:
    file = tmp_path / "gauge.txt"
    gauge = NumberFile(file, stale=5, unit="mbar")
    with pytest.raises(OSError, match="No such file"):
        gauge.reading()
    file.write_text("1e-6 at noon\n2.5e-6 at one\n")
    assert gauge.reading() == 2.5e-6
    os.utime(file, (time.time() - 60, time.time() - 60))
    with pytest.raises(TransientError, match="was last written 60 s ago; wanted 5 s at most"):
        gauge.reading()
    file.write_text("none\n")
    with pytest.raises(TransientError, match="ends in 'none'; wanted a number"):
        gauge.reading()


def test_the_room_on_a_disk(tmp_path: Path) -> None:
    assert 0 < FreeDisk(tmp_path).reading() < 1e9
    with pytest.raises(OSError, match="No such file"):
        FreeDisk(tmp_path / "gone").reading()


def test_a_number_over_scpi() -> None:
    def feels(*_: object) -> Measurement:
        raise NotImplementedError

    with Simulator(Generator(feels), port=0) as simulator:
        assert ScpiNumber(simulator.resource, "SOURce1:VOLTage? MAXimum", "V").reading() > 0
        with pytest.raises(TransientError, match="IDN"):
            ScpiNumber(simulator.resource, "*IDN?").reading()
    with pytest.raises(TransientError):
        ScpiNumber(simulator.resource, "*STB?", timeout=0.2).reading()


# --- campaigns --------------------------------------------------------------------------------------

CAMPAIGN: dict[str, Any] = {
    "name": "locked",
    "budget": {"initial": 2, "total": 2},
    "simulated": True,
    "decoder": {"use": "identity", "channels": [{"name": "bias", "unit": "V"}], "lower": [1], "upper": [4]},
    "atlas": {"grid": [19]},
    "planner": {"use": "random"},
    "timeouts": {"heartbeat": 5, "ask": 0.3, "abort": 0.3, "terminate": 0.5, "lease": 8},
    "evaluator": {"use": "bench_instrument:Level"},
}
Write = Callable[..., Path]


@dataclass
class Thermometer(Watcher):
    """Writes the temperature that the interlock reads, and hears what the campaign says of it."""

    file: Path
    said: list[str] = field(default_factory=list)
    cools_in: float = 0.2
    steps: int = 0
    hot_at: int = 0

    def shows(self, value: float) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{value}\n")
        fresh.replace(self.file)

    def running(self, number: int, step: int, of: int, values: Any) -> None:
        self.steps += 1
        if self.steps == self.hot_at:
            self.shows(31.2)

    def interlocked(self, why: str) -> None:
        self.said.append(why)
        if why:
            threading.Timer(self.cools_in, self.shows, (20.0,)).start()


@pytest.fixture
def thermometer(tmp_path: Path) -> Thermometer:
    made = Thermometer(tmp_path / "stage.txt")
    made.shows(20.0)
    return made


@pytest.fixture
def write(panel: Panel, tmp_path: Path) -> Write:
    def written(action: str = "hold", **sections: Any) -> Path:
        reading = {"use": "number-file", "file": "stage.txt", "unit": "°C", "stale": 1000}
        lock = {"reading": reading, "name": "stage", "upper": 30, "hysteresis": 1, "every": 0.02, "action": action}
        executor = {"use": "bench_instrument:BenchSupply", "panel": str(panel.file), "dwell": 0.02, "steps": 10}
        path = tmp_path / "locked.yaml"
        path.write_text(yaml.safe_dump({**CAMPAIGN, "executor": executor, "interlocks": [lock], **sections}))
        return path

    return written


def ran(file: Path, watcher: Watcher) -> Record:
    history = file.with_name("history")
    conduct(load(file, allow_code=True), history, watcher)
    return Record.read(history)


def changes(record: Record) -> list[tuple[str, str]]:
    return [(each["data"]["name"], each["data"]["why"]) for each in record.events if each["kind"] == "interlock"]


HOT, CLEAR = ("stage", "31.2 °C above 30"), ("stage", "")
WORDS = "interlock stage: 31.2 °C above 30"


def test_nothing_starts_while_one_is_tripped(panel: Panel, write: Write, thermometer: Thermometer) -> None:
    thermometer.shows(31.2)
    drives: list[int] = []
    thermometer.interlocked = lambda why: (  # type: ignore[method-assign]
        drives.append(panel.state["drives"]),
        Thermometer.interlocked(thermometer, why),
    )[1]
    record = ran(write("abort"), thermometer)
    assert list(record.status) == [Status.SCORED] * 2
    assert thermometer.said == [WORDS, ""]
    assert drives == [0, 0]
    assert changes(record) == [HOT, CLEAR]


def test_ctrl_c_ends_the_waiting_and_the_campaign_goes_on_later(
    panel: Panel, write: Write, thermometer: Thermometer
) -> None:
    thermometer.shows(31.2)
    thermometer.interlocked = lambda _: signal.setitimer(signal.ITIMER_REAL, 0.2)  # type: ignore[method-assign,assign,return-value]
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    file = write()
    with pytest.raises(KeyboardInterrupt):
        ran(file, thermometer)
    signal.signal(signal.SIGALRM, before)
    assert panel.state["drives"] == 0
    assert changes(Record.read(file.with_name("history"))) == [HOT]
    thermometer.shows(20.0)
    assert list(ran(file, Watcher()).status)[-1] == Status.SCORED


def test_a_running_trial_is_held_longer_than_the_child_has_patience_and_goes_on(
    panel: Panel, write: Write, thermometer: Thermometer
) -> None:
    thermometer.hot_at, thermometer.cools_in = 5, 2.0
    timeouts = {**CAMPAIGN["timeouts"], "heartbeat": 1, "trial": 1.8}
    record = ran(write(timeouts=timeouts, budget={"initial": 1, "total": 1}), thermometer)
    assert list(record.status) == [Status.SCORED], "the time it was held is not the trial's"
    assert thermometer.said == [WORDS, ""]
    assert changes(record) == [HOT, CLEAR]
    first = record.trial(0).attempts
    assert len(first) == 1
    assert first[0].ended - first[0].started > 2.0
    assert panel.output == 0


@pytest.mark.parametrize("faults", [[], ["hang"]])
def test_a_running_trial_is_ended_even_where_it_never_reports_and_tried_again(
    panel: Panel, write: Write, thermometer: Thermometer, faults: list[str]
) -> None:
    panel.faulty(*faults)
    thermometer.hot_at = 2
    thermometer.interlocked = lambda why: (  # type: ignore[method-assign]
        panel.faulty(),
        Thermometer.interlocked(thermometer, why),
    )[1]
    record = ran(write("abort", retries=1, budget={"initial": 1, "total": 1}), thermometer)
    assert list(record.status) == [Status.SCORED]
    cut, _ = record.trial(0).attempts
    assert cut.error.startswith(f"TransientError: {WORDS}; asked to stop, ")
    assert "safe state read back output=0" in cut.error
    assert thermometer.said[0] == WORDS
    assert changes(record) == [HOT, CLEAR]
    assert panel.output == 0


@pytest.mark.parametrize(("action", "status"), [("hold", Status.SCORED), ("abort", Status.TRANSIENT)])
def test_they_hold_for_what_is_no_instrument_too(
    write: Write, thermometer: Thermometer, action: str, status: Status
) -> None:
    thermometer.hot_at = 5
    file = write(action, executor={"use": "armed_instruments:Plain"}, budget={"initial": 1, "total": 1})
    record = ran(file, thermometer)
    assert list(record.status) == [status]
    assert changes(record)[0] == HOT
    if status is Status.TRANSIENT:
        assert record.errors[0].startswith(WORDS)


def test_they_may_change_between_sessions(write: Write, thermometer: Thermometer) -> None:
    file = write(executor={"use": "armed_instruments:Plain"})
    ran(file, thermometer)
    more = write("abort", executor={"use": "armed_instruments:Plain"}, budget={"initial": 2, "total": 3})
    assert len(ran(more, thermometer)) == 3
    none = write(executor={"use": "armed_instruments:Plain"}, interlocks=[], budget={"initial": 2, "total": 4})
    assert len(ran(none, thermometer)) == 4


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ({"reading": {"use": "number-fil"}, "upper": 3}, "interlocks.0.reading.use.*number-file"),
        ({"reading": {"use": "free-disk"}}, "interlocks.0.*wanted lower, upper or both"),
        ({"reading": {"use": "free-disk"}, "lower": 3, "upper": 2}, "interlocks.0.*wanted room between the limits"),
        ({"upper": 3}, "interlocks.0.reading"),
    ],
)
def test_mistakes_are_told_where_they_stand(write: Write, lock: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(write(interlocks=[lock]), allow_code=True)


def test_the_schema_knows_the_readings() -> None:
    choices = schema()["$defs"]["InterlockSection"]["properties"]["reading"]["anyOf"]
    assert {"$ref": "#/$defs/interlocks.scpi-number"} in choices
