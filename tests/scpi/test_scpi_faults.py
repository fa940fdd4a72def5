"""Everything that the simulator can be told to do wrong, and what the executor makes of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scpi_wire import Wire, feels, ramp, trajectory

from zbo_orchestrator.model import ConfigurationError, ExecutionError, FatalError, TransientError
from zbo_orchestrator.testing import RecordedRun
from zbo_scpi import ScpiWaveform
from zbo_scpi.connection import Connection
from zbo_scpi.simulator import FAULTS, Behaviour, Generator, Simulator

Start = Callable[..., Simulator]
TIMEOUT = 1.0
ENDS: dict[str, tuple[type[Exception], str]] = {
    "drop": (TransientError, r"\*ESR\?: "),
    "hang": (TransientError, r"\*ESR\?: .*[Tt]imeout"),
    "late": (TransientError, r"\*ESR\?: .*[Tt]imeout"),
    "garbage": (TransientError, r"\*ESR\?: "),
    "refuse": (ExecutionError, r'-221,"Settings conflict; refused"'),
    "restart": (TransientError, "TCPIP::"),
    "nan": (ExecutionError, "felt holds nan at 0 of 40"),
}
"""Faults after which the instrument can be made safe, the error that the trial ends by, and what it says."""


def driving(simulator: Simulator, **options: Any) -> ScpiWaveform:
    plain = {"resource": simulator.resource, "timeout": TIMEOUT, "poll": 0.005, "reach": 2.0}
    return ScpiWaveform(**{**plain, **options})


def ran() -> RecordedRun:
    return RecordedRun(scratch=Path())


def output_is_off(simulator: Simulator) -> bool:
    """As the instrument itself has it, and as it tells anyone who asks."""
    with Wire(simulator.address) as other:
        return other.ask("OUTP?") == "0" and not simulator.instrument.generator.outputs[0].on


def test_every_fault_is_tried_here() -> None:
    assert set(FAULTS) == {*ENDS, "ignore-abort", "wrong-identity"}


@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_fails_the_trial_with_the_output_off_and_passes(start: Start, fault: str) -> None:
    simulator = start(faults=(fault,), lateness=2 * TIMEOUT, downtime=TIMEOUT)
    executor, (error, text) = driving(simulator), ENDS[fault]
    with pytest.raises(error, match=text) as caught:
        executor.execute(trajectory(), ran())
    assert isinstance(caught.value, TransientError) == (error is TransientError)
    assert output_is_off(simulator)
    with Wire(simulator.address) as bench:
        bench.say("SIM:FAUL:CLE")
    measurement = executor.execute(trajectory(), ran())
    assert (measurement.arrays["felt"][0] == ramp()[:, 0]).all(), "an answer to an earlier question was taken for this"


def test_what_does_not_switch_off_is_fatal(start: Start) -> None:
    simulator = start(faults=("ignore-abort",))
    with pytest.raises(FatalError, match="was told to switch off and reads output 1 on = 1, output 1 offset = 0"):
        driving(simulator).execute(trajectory(), ran())
    assert not output_is_off(simulator)
    with Wire(simulator.address) as bench:
        bench.say("SYST:EST")
    assert output_is_off(simulator), "the emergency stop is no command to stop: it is one"


def test_what_cannot_be_reached_to_be_made_safe_is_fatal(start: Start) -> None:
    executor = driving(start(faults=("hang@OUTP?",)), reach=0.0)
    with pytest.raises(FatalError, match="nobody can tell whether the outputs are off"):
        executor.execute(trajectory(), ran())


def test_another_instrument_is_not_touched(start: Start) -> None:
    simulator = start()
    executor = driving(simulator, identity=simulator.instrument.identity)
    executor.execute(trajectory(), ran())
    executor.close()
    with Wire(simulator.address) as owner:
        owner.say('SIM:FAUL "wrong-identity"', "OUTP ON", "VOLT:OFFS 1")
        for call in (lambda: executor.execute(trajectory(), ran()), executor.safe_state, executor.connect):
            with pytest.raises(FatalError, match=r"is 'ANOTHER,INSTRUMENT,1,1\.0'; wanted 'zbo-orchestrator"):
                call()
        assert owner.ask("OUTP?;:VOLT:OFFS?") == "1;1.0"


def test_nobody_there_is_a_passing_trouble() -> None:
    with Simulator(Generator(feels), Behaviour(), port=0) as gone:
        executor = driving(gone)
    with pytest.raises(TransientError, match=gone.resource):
        executor.execute(trajectory(), ran())
    with pytest.raises(FatalError, match="nobody can tell"):
        driving(gone, reach=0.0).safe_state()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux gives up on who takes nothing in")
def test_an_upload_to_what_takes_nothing_in_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        connection = Connection(f"TCPIP::127.0.0.1::{port}::SOCKET", "@py", TIMEOUT)
        with pytest.raises(TransientError, match="DATA:ARB W,: "):
            connection.upload("DATA:ARB W,", np.zeros(2_000_000), big_endian=False)
        assert not connection.is_open


def test_a_connection_lost_between_trials_costs_one_attempt(start: Start) -> None:
    simulator = start(downtime=0.0)
    executor = driving(simulator)
    executor.execute(trajectory(), ran())
    with Wire(simulator.address) as bench:
        bench.send(b"SIM:REST\n")
        assert bench.line() == ""
    with pytest.raises(TransientError):
        executor.execute(trajectory(), ran())
    assert executor.execute(trajectory(), ran()).arrays


# --- the switches themselves


def test_a_fault_strikes_as_often_as_it_was_ordered_and_where(start: Start) -> None:
    with Wire(start(lateness=0.0).address) as bench:
        bench.say('SIM:FAUL "refuse@SOUR:VOLT",2')
        assert bench.ask("SIM:FAUL?") == '"refuse"'
        bench.say("VOLT 1", "OUTP ON", "VOLT 2", "VOLT 3")
        assert bench.ask("VOLT?;:OUTP?") == "3.0;1"
        assert bench.errors() == ['-221,"Settings conflict; refused"'] * 2
        assert bench.ask("SIM:FAUL?") == '"none"'


def test_a_connection_that_hangs_leaves_the_others_alone(start: Start) -> None:
    simulator = start(faults=("hang@*STB?",))
    with Wire(simulator.address, timeout=0.2) as mute, Wire(simulator.address) as other:
        for query in ("*STB?", "*IDN?"):
            with pytest.raises(TimeoutError):
                mute.ask(query)
            mute._answers = mute._socket.makefile("rb")
        assert other.ask("OUTP?") == "0"


@pytest.mark.parametrize("fault", ["nonsense", "drop@NOTHING", "nan@OUTP?"])
def test_faults_that_are_none_are_refused(fault: str) -> None:
    with pytest.raises(ConfigurationError, match=r"fault .*; wanted"):
        Simulator(Generator(feels), Behaviour(faults=(fault,)), port=0)
