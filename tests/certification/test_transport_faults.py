"""Faults in the connection of a real client to a simulated instrument, and clients that take them for answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from menagerie import STEPS, bump, echoes

from zbo_orchestrator.certification.proxy import FAULTS, Fault
from zbo_orchestrator.certification.transport import bears
from zbo_orchestrator.model import FatalError, Measurement, Run, Trajectory
from zbo_orchestrator.testing.promises import Broken, Untestable, measures
from zbo_orchestrator.testing.tame import Tame
from zbo_scpi import Output, ScpiWaveform
from zbo_scpi.simulator import Generator, Ratings, Simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(Generator(echoes, Ratings(pace=1.0)), port=0) as simulator:
        yield simulator


def generator(simulator: Simulator) -> ScpiWaveform:
    return ScpiWaveform(resource=simulator.resource, outputs=(Output("bias", "V"),), timeout=1.0, poll=0.005)


def test_without_a_fault_it_measures(simulator: Simulator) -> None:
    executor = generator(simulator)
    assert measures(executor, bump()).said == f"measured level [{STEPS}, 1]"
    executor.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_a_trial_by_a_passing_error_and_the_output_reads_off(fault: Fault, simulator: Simulator) -> None:
    seen = bears(fault, generator(simulator), bump())
    assert "TransientError: TCPIP::127.0.0.1::" in seen.said
    assert "then its health reads output 1 on 0" in seen.said
    assert not simulator.instrument.generator.outputs[0].on


@dataclass
class Client:
    """Asks a simulated generator who it is, at every step; what it makes of the answers is its children's."""

    resource: str
    repeatable: ClassVar[bool] = True

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        _, host, port, _ = self.resource.split("::")
        with socket.create_connection((host, int(port)), 1.0) as connection:
            for step in range(trajectory.steps):
                run.report(step, trajectory.steps)
                self.ask(connection)
        return Measurement({"level": trajectory.values})

    def ask(self, connection: socket.socket) -> None:
        """Takes whatever comes for an answer."""
        connection.sendall(b"*IDN?\n")
        connection.recv(1000)


class Alarmed(Client):
    """Gives the whole campaign up for what passes."""

    def ask(self, connection: socket.socket) -> None:
        try:
            super().ask(connection)
        except OSError as error:
            raise FatalError(f"connection lost: {error}") from error


class Patient(Client):
    """Waits as long as it takes, once."""

    def ask(self, connection: socket.socket) -> None:
        connection.settimeout(20.0)
        super().ask(connection)


class Elsewhere(Tame):
    """Says where its instrument is, and does not go there."""

    resource = "TCPIP::127.0.0.1::1::SOCKET"


@pytest.mark.parametrize(
    ("kind", "fault", "said"),
    [
        (Client, "garbage", "the trial ended in a measurement; wanted ExecutionError"),
        (Client, "hang", "the trial ended in TimeoutError: timed out; wanted TransientError"),
        (Alarmed, "hang", "the trial ended in FatalError: connection lost: timed out; wanted TransientError"),
    ],
)
def test_what_takes_a_fault_for_an_answer_or_for_the_end_is_told(
    kind: type[Client], fault: Fault, said: str, simulator: Simulator
) -> None:
    with pytest.raises(Broken, match=f"^{said}$"):
        bears(fault, kind(simulator.resource), bump())


@pytest.mark.long
def test_an_answer_that_is_late_may_be_waited_for(simulator: Simulator) -> None:
    assert bears("delay", Patient(simulator.resource), bump()).said.startswith("a measurement")


def test_what_cannot_be_reached_through_a_proxy_is_not_tested(tmp_path: Path) -> None:
    tame = Tame(str(tmp_path / "panel"))
    with pytest.raises(Untestable, match=r"its resource is zoo:.*; faults are injected into TCPIP::HOST::PORT::SOCKET"):
        bears("drop", tame, bump())
    with pytest.raises(Untestable, match="its connection does not follow its resource"):
        bears("drop", Elsewhere(str(tmp_path / "panel")), bump())
