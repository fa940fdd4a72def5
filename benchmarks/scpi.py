"""What the wire costs: commands a second, bytes a second of waveform, time a trial, how soon an abort is heard.

    python benchmarks/scpi.py [--trials 20]

The simulated instrument runs in a process of its own, behind a TCP socket on this machine; every ratio is of times
taken in this one run, each the best of several. A bare socket is what the wire and the simulator allow; pyvisa-py is
what the executor gets; without its haste (TCP_NODELAY) is what pyvisa-py gives by itself where a query follows a
command.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import socket
import statistics
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np

from zbo_ferrosim.executor import FieldExecutor
from zbo_orchestrator.model import Channel, Measurement, Report, Stopped, Trajectory
from zbo_scpi import Output, ScpiWaveform
from zbo_scpi.connection import Connection
from zbo_scpi.simulator import ExecutorSpecimen, Generator, Ratings, Simulator

SIZES = 900, 131_072, 2_097_152
"""Samples of a waveform: the demo's, a megabyte, sixteen."""
CHANNELS = (Channel("field"),)


def lattice() -> FieldExecutor:
    """The demo's."""
    return FieldExecutor(seed=7)


def empty(volts: Trajectory, report: Report) -> Measurement:
    """A specimen that does nothing, for as long as it may."""
    return Measurement({"nothing": np.zeros(1)}, executed=volts)


def serve(pipe: Pipe, lattices: bool, pace: float) -> None:
    """A simulator in a process of its own, until the pipe is closed."""
    specimen = ExecutorSpecimen(lattice(), 7) if lattices else empty
    with Simulator(Generator(specimen, Ratings(pace=pace)), port=0) as simulator:
        pipe.send(simulator.address)
        pipe.poll(None)


class Served:
    """A context in which a simulator is served; `address` is where."""

    def __init__(self, *, lattices: bool = False, pace: float = 0.0) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(theirs, lattices, pace))

    def __enter__(self) -> tuple[str, int]:
        self._process.start()
        host, port = self._pipe.recv()
        return host, port

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join()


class Silent:
    """A run that nobody listens to."""

    number, attempt, seed, scratch = 0, 1, 0, Path()

    def report(self, step: int, of: int, **values: float) -> None:
        """Say nothing."""


def best(work: Callable[[], object], times: int, repeats: int = 5) -> float:
    """Seconds on the wall that one of `times` takes, in the fastest of several rounds."""
    rounds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - start) / times)
    return min(rounds)


def resource(address: tuple[str, int]) -> str:
    return f"TCPIP::{address[0]}::{address[1]}::SOCKET"


def unhurried(connection: Connection) -> Connection:
    """As pyvisa-py opens it: TCP waits for an acknowledgement before it sends the next small message."""
    wire = connection._device.visalib.sessions[connection._device.session].interface
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    return connection


def commands(address: tuple[str, int]) -> None:
    """Queries and commands a second."""
    bare = socket.create_connection(address)
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = bare.makefile("rb")

    def ask() -> None:
        bare.sendall(b"OUTPut?\n")
        answers.readline()

    def ask_many() -> None:
        bare.sendall(b"OUTPut?\n" * 100)
        for _ in range(100):
            answers.readline()

    def both(connection: Connection) -> Callable[[], None]:
        def say_and_ask() -> None:
            connection.write("OUTPut OFF")
            connection.ask("OUTPut?")

        return say_and_ask

    visa = Connection(resource(address), "@py", 5.0)
    slow = unhurried(Connection(resource(address), "@py", 5.0))
    base = best(ask, 500)
    print(f"{'':48}{'a second':>10}{'of the bare':>14}")
    for name, seconds in (
        ("a query on a bare socket", base),
        ("queries on a bare socket, 100 in flight", best(ask_many, 10) / 100),
        ("a query over pyvisa-py", best(lambda: visa.ask("OUTPut?"), 500)),
        ("a command and a query over pyvisa-py", best(both(visa), 500)),
        ("the same, without its haste", best(both(slow), 10)),
    ):
        print(f"{name:48}{1 / seconds:10.0f}{base / seconds:14.2g}")
    answers.close()
    for each in (bare, visa, slow):
        each.close()


def waveforms(address: tuple[str, int]) -> None:
    """Bytes a second, both ways."""
    visa = Connection(resource(address), "@py", 30.0)
    visa.write("FORMat:BORDer SWAPped;:FORMat:DATA REAL,64")
    bare = socket.create_connection(address)
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = bare.makefile("rb")
    bare.sendall(b"FORMat:BORDer SWAPped;:FORMat:DATA REAL,64\n")
    print(f"\n{'MB/s of float64 samples':24}{'bare, up':>14}{'pyvisa-py, up':>16}{'share':>8}{'down':>10}{'share':>8}")
    for size in SIZES:
        values = np.random.default_rng(0).uniform(-1, 1, size)
        length = str(values.nbytes)
        message = f"DATA:ARB W,#{len(length)}{length}".encode() + values.tobytes() + b"\nOUTPut?\n"

        def raw(message: bytes = message) -> None:
            bare.sendall(message)
            answers.readline()

        def up(values: np.ndarray = values) -> None:
            visa.upload("DATA:ARB W,", values, big_endian=False)
            visa.ask("OUTPut?")

        def down() -> None:
            visa.download("DATA:ARB? W", big_endian=False)

        times = max(1, 100_000 // size)
        plain, sent, fetched = (values.nbytes / best(work, times, 3) / 1e6 for work in (raw, up, down))
        shares = f"{sent / plain:8.2f}{fetched:10.1f}{fetched / plain:8.2f}"
        print(f"{f'{size} samples, {values.nbytes / 1e6:.2f} MB':24}{plain:14.1f}{sent:16.1f}{shares}")
    answers.close()
    bare.close()
    visa.close()


def trials(count: int) -> None:
    """A trial of the demo with and without the wire between."""
    given = Trajectory(np.sin(np.linspace(0, 6, 900))[:, None], 4 / 1199, CHANNELS)
    direct = lattice()
    with Served(lattices=True) as address:
        wired = ScpiWaveform(resource=resource(address), outputs=(Output(),), poll=0.002)
        answers = wired.execute(given, Silent()), direct.execute(given, Silent())
        if not np.array_equal(*(answer.arrays["curl"] for answer in answers)):
            raise SystemExit("the wire changed the measurement: there is nothing to compare")
        over = best(lambda: wired.execute(given, Silent()), count, 3)
        without = best(lambda: direct.execute(given, Silent()), count, 3)
        wired.close()
    print(f"\na trial of the demo, everything measured: {without * 1e3:.1f} ms without the wire,", end=" ")
    print(f"{over * 1e3:.1f} ms over it ({over / without:.1f} times)")


def aborts(count: int = 50) -> None:
    """How long from `abort` until the trial has ended, its output read back as off."""
    given = Trajectory(np.zeros((1000, 1)), 1.0, CHANNELS)
    delays = []
    with Served(pace=1.0) as address:
        executor = ScpiWaveform(resource=resource(address), outputs=(Output(),))
        for _ in range(count):
            called: list[float] = []

            def stop(called: list[float] = called) -> None:
                called.append(time.perf_counter())
                executor.abort("enough")

            timer = threading.Timer(0.05, stop)
            timer.start()
            try:
                executor.execute(given, Silent())
            except Stopped:
                delays.append(time.perf_counter() - called[0])
        executor.close()
    print(f"abort of a run, until its output was read back as off, {len(delays)} times:", end=" ")
    print(f"median {statistics.median(delays) * 1e3:.1f} ms, worst {max(delays) * 1e3:.1f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="trials a round")
    count = parser.parse_args().trials
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    with Served() as address:
        commands(address)
        waveforms(address)
    trials(count)
    aborts()


if __name__ == "__main__":
    main()
