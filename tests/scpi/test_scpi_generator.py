"""Outputs, memory, trigger, interlock, emergency stop, leases: what the generator does, seen from the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from scpi_wire import Wire, feels, ramp

from zbo_orchestrator.model import ConfigurationError, ExecutionError, Measurement, Report, Stopped, Trajectory
from zbo_scpi.simulator import Generator, Simulator

Start = Callable[..., Simulator]
Connect = Callable[[Simulator], Wire]


def test_plays_a_waveform_and_answers_what_the_specimen_measured(start: Start, wire: Connect) -> None:
    client = wire(start())
    client.load()
    client.say("VOLT:OFFS 0.25", "OUTP ON")
    assert client.ask("INIT;*TRG;*OPC?;:FETC:CAT?") == '1;"felt","square"'
    assert client.ask('FETC:DATA:SHAP? "felt";AXES? "felt";UNIT? "felt"') == '1,40;"output","time";"V"'
    volts = 2 * ramp()[:, 0] + 0.25
    assert np.array_equal(client.block('FETC:DATA? "felt"'), volts)
    assert np.array_equal(client.block("FETC:APPL?"), np.append(volts, volts[[-1, -1]]))
    assert client.errors() == []


def test_an_output_that_is_off_stays_at_nothing(start: Start, wire: Connect) -> None:
    client = wire(start())
    client.load()
    client.say("VOLT:OFFS 1", "INIT", "*TRG", "*WAI")
    assert not client.block("FETC:APPL?").any()


@pytest.mark.parametrize(
    ("form", "dtype", "tolerance"),
    [("REAL,64", ">f8", 0), ("REAL,64", "<f8", 0), ("REAL,32", ">f4", 1e-7), ("INT,16", "<i2", 2e-5)],
)
def test_takes_waveforms_in_every_form(start: Start, wire: Connect, form: str, dtype: str, tolerance: float) -> None:
    client = wire(start())
    client.say(f"FORM {form}", f"FORM:BORD {'NORM' if dtype[0] == '>' else 'SWAP'}")
    values = ramp()[:, 0]
    client.upload("DATA:ARB W,", np.rint(values * 32767) if form == "INT,16" else values, dtype)
    stored = client.block("DATA:ARB? W", f"{dtype[0]}f8")
    assert np.abs(stored - values).max() <= tolerance


def test_refuses_waveforms_that_are_too_long_or_too_large(start: Start, wire: Connect) -> None:
    client = wire(start(points=100))
    for values, error in ((np.zeros(101), "-223"), (np.array([1.5]), "-222"), (np.array([np.nan]), "-222")):
        client.upload("DATA:ARB W,", values)
        assert client.errors()[0].startswith(error)
    client.load()
    client.say("OUTP ON", "VOLT:OFFS 9", "INIT")
    assert "11 V; at most 10 V" in client.errors()[0]


def test_what_is_set_outlives_the_client_that_set_it(start: Start, wire: Connect) -> None:
    simulator = start(pace=1.0)
    with Wire(simulator.address) as first:
        first.load()
        first.say("OUTP ON", "VOLT:OFFS 0.5")
    second = wire(simulator)
    assert second.ask("OUTP?;:VOLT:OFFS?;:FUNC:ARB?;:DATA:ARB:POIN?") == '1;0.5;"W";40'
    assert second.ask("INIT;*TRG;*OPC?;:FETC:CAT?") == '1;"felt","square"'


def test_a_second_connection_sees_the_output_while_the_first_one_drives(start: Start, wire: Connect) -> None:
    simulator = start(pace=5.0)
    driving, watching = wire(simulator), wire(simulator)
    driving.load()
    assert watching.ask("OUTP?") == "0"
    driving.say("OUTP ON", "INIT", "*TRG")
    assert watching.ask("OUTP?;:STAT:OPER:COND?") == "1;16"
    driving.say("ABOR")
    assert watching.ask("OUTP?;:STAT:OPER:COND?") == "1;0"
    driving.say("INIT", "*TRG", "OUTP OFF")
    assert watching.ask("OUTP?;:STAT:OPER:COND?") == "0;0", "what is switched off does not run on"


def test_reset_stops_and_forgets_but_keeps_errors(start: Start, wire: Connect) -> None:
    client = wire(start(pace=5.0))
    client.load()
    client.say("*CLS", "OUTP ON", "VOLT:OFFS 1", "INIT", "*TRG", "NONSENSE", "*RST")
    assert client.ask("OUTP?;:VOLT:OFFS?;:FUNC:ARB?;:STAT:OPER:COND?;:SYST:ERR:COUN?") == '0;0.0;"";0;1'


def test_an_abort_lets_go_of_the_specimen_and_leaves_no_response(start: Start, wire: Connect) -> None:
    let_go = threading.Event()

    def endless(volts: Trajectory, report: Report) -> Measurement:
        try:
            while True:
                report(0, 1)
        except Stopped:
            let_go.set()
            raise

    client = wire(start(specimen=endless))
    client.load()
    client.say("*CLS", "INIT", "*TRG", "*OPC", "INIT")
    assert client.errors() == ['-213,"Init ignored"']
    assert client.ask("ABOR;*ESR?") == str(1 | 16), "complete, and the second INITiate was refused"
    assert let_go.wait(5)
    client.say("FETC:CAT?")
    assert client.errors()[0].startswith("-230")


def test_a_specimen_that_fails_is_a_device_error(start: Start, wire: Connect) -> None:
    def fragile(volts: Trajectory, report: Report) -> Measurement:
        raise ExecutionError('the lattice "blew up"')

    client = wire(start(specimen=fragile))
    client.load()
    assert client.ask("*CLS;INIT;*TRG;*OPC?;*ESR?") == "1;8"
    assert client.errors() == ["-300,\"Device-specific error; the lattice 'blew up'\""]


@pytest.mark.parametrize(
    ("trip", "release", "condition"),
    [("SYST:EST", "SYST:EST:RES", 1024), ("SIM:INT OPEN", "SIM:INT CLOS", 512)],
)
def test_interlock_and_emergency_stop_switch_off_for_everyone_until_released(
    start: Start, wire: Connect, trip: str, release: str, condition: int
) -> None:
    simulator = start(pace=5.0)
    driving, other = wire(simulator), wire(simulator)
    driving.load()
    driving.say("SYST:LEAS 3", "*CLS", "OUTP ON", "INIT", "*TRG", "*OPC")
    other.say(trip)
    assert driving.ask("OUTP?;:STAT:QUES:COND?;:STAT:OPER:COND?") == f"0;{condition};0"
    assert int(driving.ask("*ESR?")) == 8 | 1
    assert driving.errors()[0].startswith('-300,"Device-specific error; ')
    driving.say("OUTP ON")
    assert driving.errors()[0].startswith("-221")
    assert driving.ask("OUTP?") == "0"
    other.say(release)
    driving.say("OUTP ON")
    assert driving.ask("OUTP?;:STAT:QUES:COND?;:SYST:EST?;INT?") == "1;0;0;1"


def test_two_outputs_play_together_or_not_at_all(start: Start, wire: Connect) -> None:
    client = wire(start(outputs=2))
    client.load()
    client.say("INIT")
    assert client.errors() == ['-221,"Settings conflict; output 2 has no waveform"']
    client.upload("SOUR2:DATA:ARB V,", ramp(steps=39)[:, 0])
    client.say("SOUR2:FUNC:ARB V", "SOUR2:FUNC:ARB:SRAT 100", "INIT")
    assert "differ in length" in client.errors()[0]
    client.upload("SOUR2:DATA:ARB V,", -ramp()[:, 0])
    client.say("SOUR2:VOLT 2", "OUTP1 ON", "OUTP2 ON", "INIT", "*TRG", "*WAI")
    assert np.array_equal(client.block("FETC:APPL2?")[:40], -ramp()[:, 0])
    assert np.array_equal(client.block("FETC:APPL1?")[:40], 2 * ramp()[:, 0])


def test_noise_is_what_it_says_and_new_every_time(start: Start, wire: Connect) -> None:
    client = wire(start(noise=0.5))
    client.load(np.zeros(4000))
    runs = []
    for _ in range(2):
        client.say("OUTP ON", "INIT", "*TRG", "*WAI")
        runs.append(client.block('FETC:DATA? "felt"'))
    assert 0.47 < runs[0].std() < 0.53
    assert not np.array_equal(*runs)


# --- leases


def test_a_command_under_an_older_lease_is_refused_and_a_query_is_not(start: Start, wire: Connect) -> None:
    simulator = start()
    old, new = wire(simulator), wire(simulator)
    old.say("SYST:LEAS 4", "OUTP ON")
    new.say("SYST:LEAS 5")
    old.say("*CLS", "OUTP OFF", "*RST")
    assert old.ask("OUTP?;:SYST:LEAS?") == "1;5"
    errors = [error for error in old.errors() if error.startswith("-203")]
    assert errors == ['-203,"Command protected; lease 4 is older than 5"'] * 3
    assert new.errors() == []
    new.say("OUTP OFF")
    assert old.ask("OUTP?") == "0"


def test_a_client_without_a_lease_cannot_drive_what_is_leased_but_can_stop_it(start: Start, wire: Connect) -> None:
    simulator = start()
    holder, stranger = wire(simulator), wire(simulator)
    holder.say("SYST:LEAS 1", "OUTP ON")
    stranger.say("OUTP OFF")
    assert stranger.ask("OUTP?") == "1"
    assert stranger.errors() == ['-203,"Command protected; no lease was announced, there is 1"']
    stranger.say("SYST:EST")
    assert holder.ask("OUTP?") == "0"


def test_the_highest_lease_outlives_clients_and_restarts(start: Start, wire: Connect) -> None:
    simulator = start(downtime=0.0)
    with Wire(simulator.address) as holder:
        holder.say("SYST:LEAS 9")
        holder.send(b"SIM:REST\n")
        assert holder.line() == ""
    late = wire(simulator)
    late.say("SYST:LEAS 8", "OUTP ON")
    assert late.ask("OUTP?") == "0"
    assert late.errors()[0] == '-203,"Command protected; lease 8 is older than 9"'


# --- the server


def test_a_port_in_use_is_refused_in_words(start: Start) -> None:
    port = start().address[1]
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
        Simulator(Generator(feels), port=port)
