"""The executor against the simulated instrument: contract, what it measures, how it ends, what it says of itself."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scpi_wire import Wire, feels, ramp, trajectory

from zbo_orchestrator.instrument import Abortable, Addressed, Checked, Connected, Described, Fenced, Healthy, Safe
from zbo_orchestrator.model import (
    Channel,
    ConfigurationError,
    ExecutionError,
    FatalError,
    RefusedError,
    Stopped,
    Trajectory,
    TransientError,
)
from zbo_orchestrator.testing import ExecutorContract, InstrumentContract, RecordedRun
from zbo_scpi import Dialect, Output, ScpiWaveform
from zbo_scpi.simulator import Generator, Simulator
from zbo_scpi.simulator.instrument import IDENTITY

Start = Callable[..., Simulator]
OUTPUT = (Output(unit="150 Ec"),)
BOTH = (Output("x", number=2), Output("y", "V", number=1, volts=0.5, full_scale=1.0))


def driving(simulator: Simulator, **options: Any) -> ScpiWaveform:
    return ScpiWaveform(**{"resource": simulator.resource, "outputs": OUTPUT, "poll": 0.005, **options})


def ran(**changes: Any) -> RecordedRun:
    return RecordedRun(scratch=Path(), **changes)


@dataclass
class Interfering(RecordedRun):
    """A run in the middle of which something happens: at its second report, the waveform on its way."""

    happens: Callable[[], object] = lambda: None
    times: int = field(default=0)

    def report(self, step: int, of: int, **values: float) -> None:
        super().report(step, of, **values)
        self.times += 1
        if self.times == 2:
            self.happens()


@pytest.fixture(scope="module")
def lasting() -> Iterator[Simulator]:
    with Simulator(Generator(feels), port=0) as simulator:
        yield simulator


class TestContract(ExecutorContract, InstrumentContract):
    @pytest.fixture(autouse=True)
    def _simulated(self, lasting: Simulator) -> None:
        self.simulator = lasting

    def make(self) -> ScpiWaveform:
        return driving(self.simulator, repeatable=True)

    def trajectory(self) -> Trajectory:
        return trajectory()


# --- what is measured


def test_measures_what_the_specimen_answered_bit_for_bit(start: Start) -> None:
    measurement = driving(start()).execute(trajectory(), ran())
    assert np.array_equal(measurement.arrays["felt"][0], ramp()[:, 0])
    assert np.array_equal(measurement.arrays["square"], np.outer(ramp()[:5, 0], ramp()[-3:, 0]))
    assert measurement.dims == {"felt": ("output", "time"), "square": ("x", "y")}
    assert measurement.units["felt"] == "V"


def test_what_was_executed_is_what_was_applied_in_the_trajectorys_own_units(start: Start) -> None:
    given = Trajectory(ramp() * 3, 0.01, (Channel("field", "150 Ec"),))
    outputs = (Output(unit="150 Ec", volts=2.0, full_scale=8.0),)
    measurement = driving(start(), outputs=outputs).execute(given, ran())
    executed = measurement.executed
    assert executed is not None
    assert np.abs(measurement.arrays["felt"][0] - 6 * ramp()[:, 0]).max() < 1e-15
    assert (executed.steps, executed.dt, executed.channels) == (42, 0.01, given.channels)
    assert np.abs(executed.values[:40] - given.values).max() < 1e-15
    assert np.abs(executed.values[40:] - given.values[-1]).max() < 1e-15


def test_channels_go_to_the_outputs_that_stand_for_them(start: Start) -> None:
    given = Trajectory(ramp(channels=2), 0.5, (Channel("x"), Channel("y", "V")))
    measurement = driving(start(outputs=2), outputs=BOTH, time_unit=1e-3).execute(given, ran())
    assert np.array_equal(measurement.arrays["felt"], np.stack([0.5 * given.values[:, 1], given.values[:, 0]]))
    assert measurement.executed is not None
    assert np.array_equal(measurement.executed.values[:40], given.values)


def test_only_the_arrays_asked_for_are_read(start: Start) -> None:
    measurement = driving(start(), read=("square",)).execute(trajectory(), ran())
    assert list(measurement.arrays) == ["square"]


@pytest.mark.parametrize(("samples", "off"), [("float32", 1e-7), ("int16", 1e-4)])
def test_another_dialect_is_a_table(start: Start, samples: Any, off: float) -> None:
    form = "REAL,32" if samples == "float32" else "INT,16"
    dialect = Dialect(
        prepare=f"FORM:BORD NORM;:FORM:DATA {form}",
        upload="DATA:ARB {name},",
        arm="INIT",
        trigger="TRIG",
        applied="",
        axes="",
        unit="",
        widest="",
        samples=samples,
        big_endian=True,
    )
    executor = driving(start(), dialect=dialect)
    measurement = executor.execute(trajectory(), ran())
    assert 0 < np.abs(measurement.arrays["felt"][0] - ramp()[:, 0]).max() < off
    assert measurement.executed is None
    assert measurement.dims["square"] == ("square_0", "square_1")
    assert executor.describe().envelope.channels["field"].upper == 2.0


def test_reports_how_far_a_run_should_be(start: Start) -> None:
    run = ran()
    driving(start(pace=1.0)).execute(trajectory(), run)
    steps = [step for step, of, _ in run.reports if of == 40]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0, 40)
    assert any(0 < step < 40 for step in steps)


# --- how it ends


def test_the_output_is_off_after_a_trial_and_the_connection_is_kept(start: Start) -> None:
    simulator = start()
    executor = driving(simulator)
    for _ in range(3):
        executor.execute(trajectory(), ran())
        assert not simulator.instrument.generator.outputs[0].on
    assert len(simulator.clients) == 1
    executor.close()
    executor.close()


def test_a_stopped_run_is_off_and_the_next_one_is_whole(start: Start) -> None:
    simulator = start(pace=5.0)
    executor = driving(simulator)
    with pytest.raises(Stopped):
        executor.execute(trajectory(), ran(stop_at=3))
    assert not simulator.instrument.generator.outputs[0].on
    assert not simulator.instrument.generator.running
    brief = Trajectory(ramp(5), 0.02, trajectory().channels)
    run = ran()
    assert executor.execute(brief, run).arrays["felt"].shape == (1, 5)
    assert len(run.reports) > 2, "what completed the stopped run was taken for the end of this one"


def test_an_abort_from_another_thread_ends_a_run_as_stopped(start: Start) -> None:
    simulator = start(pace=1000.0)
    executor = driving(simulator, poll=60.0)
    with pytest.raises(Stopped, match="the door was opened"):
        executor.execute(
            trajectory(),
            Interfering(happens=lambda: threading.Timer(0.05, executor.abort, ["the door was opened"]).start()),
        )
    assert not simulator.instrument.generator.outputs[0].on
    executor.abort("again")
    executor.abort("and again")


def test_an_abort_of_nothing_does_not_end_the_next_run(start: Start) -> None:
    executor = driving(start())
    executor.abort("too late")
    assert executor.execute(trajectory(), ran()).arrays


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, RuntimeError])
def test_whatever_else_ends_a_run_leaves_the_output_off(start: Start, trouble: type[BaseException]) -> None:
    simulator = start(pace=5.0)

    def happens() -> None:
        assert simulator.instrument.generator.outputs[0].on
        raise trouble

    with pytest.raises(trouble):
        driving(simulator).execute(trajectory(), Interfering(happens=happens))
    assert not simulator.instrument.generator.outputs[0].on


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("SYST:EST", "emergency stop"),
        ("SIM:INT OPEN", "the interlock was opened"),
        ("OUTP OFF", "output 1 was switched off during the run"),
    ],
)
def test_somebody_elses_stop_fails_the_trial_and_says_who(start: Start, command: str, text: str) -> None:
    simulator = start(pace=5.0)
    with Wire(simulator.address) as other, pytest.raises(ExecutionError, match=text):
        driving(simulator).execute(trajectory(), Interfering(happens=lambda: other.say(command)))
    assert not simulator.instrument.generator.outputs[0].on


def test_a_run_that_never_ends_is_given_up(start: Start) -> None:
    simulator = start(pace=1000.0)
    with pytest.raises(TransientError, match=r"a run of 0\.4 s is not over after"):
        driving(simulator, slack=0.0).execute(trajectory(), ran())
    assert not simulator.instrument.generator.outputs[0].on


# --- before anything moves


@pytest.mark.parametrize(
    ("values", "options", "limit"),
    [
        (ramp() * 2.5, {}, r"field\.lower by 0\.5"),
        (ramp(), {"outputs": (Output(upper=0.5),)}, r"field\.upper by 0\.5"),
        (ramp(), {"outputs": (Output(volts=4.0),)}, r"field\.lower by 0\.5"),
        (ramp(), {"outputs": (Output(slew=1.0),), "time_unit": 2.0}, r"field\.slew by"),
        (ramp(), {"duration": 0.3}, r"duration by 0\.1"),
        (np.full((3, 1), np.nan), {}, "3 values are not finite"),
    ],
)
def test_refuses_what_its_limits_forbid_without_a_word_to_the_instrument(
    values: Any, options: dict[str, Any], limit: str
) -> None:
    executor = ScpiWaveform(resource="TCPIP::127.0.0.1::1::SOCKET", **options)
    with pytest.raises(RefusedError, match=limit):
        executor.execute(Trajectory(values, 0.01, (Channel("field"),)), ran())


def test_channels_that_no_output_stands_for_are_a_mistake_in_the_file() -> None:
    with pytest.raises(ConfigurationError, match="drives voltage; the outputs stand for field"):
        ScpiWaveform(resource="TCPIP::127.0.0.1::1::SOCKET").check(Trajectory(ramp(), 0.1, (Channel("voltage"),)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"resource": "the one on the left"}, "resource is 'the one on the left'; wanted a VISA name"),
        ({"outputs": ()}, "wanted one or more"),
        ({"outputs": (Output("a"), Output("b"))}, r"outputs have the numbers \[1, 1\]"),
        ({"dialect": Dialect(catalog="")}, "wanted names of arrays to read"),
    ],
)
def test_options_that_cannot_work_are_told_at_once(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ScpiWaveform(**{"resource": "GPIB0::4::INSTR", **options})


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"setup": "VOLT {level}"}, r"dialect\.setup is 'VOLT \{level\}'; wanted \{output\}"),
        ({"switch_off": ""}, r"dialect\.switch_off is empty"),
        ({"arm": "INIT\nOUTP ON"}, "wanted one line"),
    ],
)
def test_a_dialect_is_checked_when_it_is_made(words: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Dialect(**words)


# --- what it says of itself


def test_is_everything_that_an_instrument_may_be(start: Start) -> None:
    executor = driving(start())
    for protocol in (Described, Checked, Connected, Abortable, Safe, Healthy, Addressed, Fenced):
        assert isinstance(executor, protocol)
    executor.connect()
    executor.connect()
    description = executor.describe()
    assert (description.identity, description.simulated) == (IDENTITY, True)
    assert description.channels == (Channel("field", "150 Ec"),)
    assert executor.health()["output 1 on"] == 0.0


def test_the_stricter_of_the_options_and_the_instruments_own_limits_counts(start: Start) -> None:
    outputs = (Output(volts=2.0, full_scale=64.0, lower=-3.0, slew=8.0),)
    executor = driving(start(), outputs=outputs, time_unit=0.5, duration=20.0)
    envelope = executor.describe().envelope
    limits = envelope.channels["field"]
    assert (limits.lower, limits.upper, limits.slew, envelope.duration) == (-1.5, 5.0, 2.0, 40.0)


def test_a_real_instrument_does_not_count_as_simulated(start: Start) -> None:
    assert not driving(start(identity="ACME,AWG,17,SIMULATED-WAVEFORM-GENERATOR 2")).describe().simulated


def test_survives_pickling_with_its_lease_and_without_its_connection(start: Start) -> None:
    simulator = start()
    executor = driving(simulator)
    executor.fence(7)
    executor.connect()
    copy = pickle.loads(pickle.dumps(executor))
    assert len(simulator.clients) == 1
    copy.execute(trajectory(), ran())
    assert simulator.instrument.generator.lease == 7


def test_safe_state_needs_no_earlier_call_and_stops_what_another_connection_drives(start: Start) -> None:
    simulator = start(pace=1000.0)
    with Wire(simulator.address) as other:
        other.load()
        other.say("OUTP ON", "VOLT:OFFS 0.5", "INIT", "*TRG")
        read = driving(simulator).safe_state()
        assert read == {"output 1 on": 0.0, "output 1 offset": 0.0}
        assert other.ask("OUTP?;:VOLT:OFFS?;:STAT:OPER:COND?") == "0;0.0;0"


# --- leases


def test_an_executor_with_an_older_lease_is_stopped_for_good(start: Start) -> None:
    simulator = start(pace=1000.0)
    old, new = driving(simulator, slack=0.0), driving(simulator)
    old.connect()
    old.fence(3)
    new.fence(4)
    with pytest.raises(FatalError, match=r"told to switch off and reads output 1 on = 1.*lease 3 is older than 4"):
        old.execute(trajectory(), Interfering(happens=new.connect))
    with pytest.raises(FatalError, match="lease 3 was refused"):
        pickle.loads(pickle.dumps(old)).execute(trajectory(), ran())
    with pytest.raises(FatalError, match="lease 3 was refused"):
        old.safe_state()
    assert simulator.instrument.generator.outputs[0].on, "it moved what another one drives"
    assert new.safe_state()["output 1 on"] == 0.0
