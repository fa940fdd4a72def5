"""What supervision costs a trial, and how soon an instrument is off after each fault; read from the instrument's side.

python benchmarks/supervision.py [--repeats 50]
"""

from __future__ import annotations

import argparse
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zbo_orchestrator.executors.lease import Lease, leases
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.model import Channel, Executor, Measurement, Run, Stopped, Trajectory, ZboError
from zbo_orchestrator.testing import RecordedRun

TIMEOUTS = Timeouts(heartbeat=2.0, ask=0.1, abort=0.1, terminate=0.2)
TRIAL = Trajectory(np.zeros((900, 1)), 1.0, (Channel("bias", "V"),))


@dataclass
class Plain:
    """No instrument: `reports` reports, and the trajectory back."""

    reports: int = 0

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        for step in range(self.reports):
            run.report(step, self.reports)
        return Measurement({"bias": trajectory.values})


@dataclass
class Light(Plain):
    """An instrument that is one byte of a file: 1 while its output is on, which it is as long as it is not stopped."""

    file: str = ""
    stays: bool = False
    heeds: str = "reports"
    aborted: bool = False

    @property
    def resource(self) -> str:
        return self.file

    def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
        self.aborted = False
        if self.stays:
            switch(self.file, 1)
        while self.stays:
            time.sleep(0.0005)
            if self.heeds == "reports":
                run.report(0, 1)
            if self.heeds == "abort" and self.aborted:
                raise Stopped("aborted")
        return super().execute(trajectory, run)

    def abort(self, reason: str) -> None:
        self.aborted = True

    def safe_state(self) -> Mapping[str, float]:
        switch(self.file, 0)
        return {"output": 0.0}


def switch(file: str, value: int) -> None:
    with open(file, "r+b") as stream, mmap.mmap(stream.fileno(), 1) as memory:  # noqa: PTH123
        memory[0] = value


def until(file: str, value: int) -> float:
    """When the output read so."""
    with open(file, "r+b") as stream, mmap.mmap(stream.fileno(), 1) as memory:  # noqa: PTH123
        while memory[0] != value:
            time.sleep(0.0002)
    return time.perf_counter()


class Stops(RecordedRun):
    """Stops a trial at a report, once the output has been on for a moment."""

    at = 0.0

    def report(self, step: int, of: int, **values: float) -> None:
        self.reports.append((step, of, values))
        if len(self.reports) == 20:
            self.at = time.perf_counter()
            raise Stopped("enough")


def each_trial(executor: Executor, repeats: int = 200) -> float:
    """Milliseconds a trial, the median."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        executor.execute(TRIAL, RecordedRun(scratch=Path("scratch")))
        times.append((time.perf_counter() - start) * 1e3)
    return float(np.median(times[5:]))


def overhead(file: str) -> None:
    print("| a trial of 900 values | direct ms | in a child ms | with guardian and lease ms | that beyond direct |")
    print("|---|---|---|---|---|")
    for reports in (0, 100):
        child, guarded = Supervised(Plain(reports), TIMEOUTS), Supervised(Light(reports, file), TIMEOUTS)
        direct, *others = (each_trial(executor) for executor in (Plain(reports), child, guarded))
        child.close()
        guarded.close()
        print(f"| {reports} reports | {direct:.2f} | {others[0]:.2f} | {others[1]:.2f} | {others[1] - direct:.2f} |")


def stopped(file: str, heeds: str, timeouts: Timeouts, repeats: int) -> list[float]:
    """Seconds from the decision to stop a trial until its output was off."""
    executor, latencies = Supervised(Light(0, file, True, heeds), timeouts), []
    for _ in range(repeats):
        off: list[float] = []
        watch = threading.Thread(target=lambda off=off: off.append((until(file, 1), until(file, 0))[1]))
        watch.start()
        executor.start()
        run, began = Stops(scratch=Path("scratch")), time.perf_counter()
        try:
            executor.execute(TRIAL, run)
        except ZboError:
            watch.join()
        latencies.append(off[0] - (run.at or began + (timeouts.trial or 0)))
    executor.close()
    return latencies


PARENT = """
import sys
sys.path.insert(0, {folder!r})
from supervision import *
class Deaf(RecordedRun):
    def report(self, *_, **__): pass
Supervised(Light(0, {file!r}, True, "nothing"), TIMEOUTS).execute(TRIAL, Deaf())
"""


def struck(file: str, names: tuple[str, ...], number: int, repeats: int) -> list[float]:
    """Seconds from a signal to some of a campaign's processes until the output was off."""
    latencies = []
    for _ in range(repeats):
        script = PARENT.format(folder=str(Path(__file__).parent), file=file)
        parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        until(file, 1)
        guardian, child = (Lease(path).pid for path in leases(Light(0, file)))
        pids = {"parent": parent.pid, "child": child}
        began = time.perf_counter()
        for name in names:
            os.kill(pids[name], number)
        latencies.append(until(file, 0) - began)
        parent.kill()
        parent.wait()
        while Path(f"/proc/{guardian}").exists():
            time.sleep(0.01)
    return latencies


def latencies(file: str, repeats: int) -> None:
    print("\n| the output is off after | time-outs in it s | median ms beyond | worst ms beyond | of |")
    print("|---|---|---|---|---|")
    late, few = replace(TIMEOUTS, trial=0.1), max(3, repeats // 10)
    rows: list[tuple[str, float, Callable[[], list[float]]]] = [
        ("a stop at a report", 0.0, lambda: stopped(file, "reports", TIMEOUTS, repeats)),
        ("abort", late.ask, lambda: stopped(file, "abort", late, repeats)),
        ("abort ignored: the guardian", late.ask + late.abort, lambda: stopped(file, "nothing", late, repeats)),
        ("kill -9 of the child", 0.0, lambda: struck(file, ("child",), signal.SIGKILL, few)),
        ("kill -9 of the campaign", TIMEOUTS.abort / 2, lambda: struck(file, ("parent",), signal.SIGKILL, few)),
        ("kill -9 of both", 0.0, lambda: struck(file, ("child", "parent"), signal.SIGKILL, few)),
        (
            "both hung (SIGSTOP)",
            late.heartbeat + late.abort,
            lambda: struck(file, ("child", "parent"), signal.SIGSTOP, few),
        ),
    ]
    for name, bound, measure in rows:
        times = (np.array(measure()) - bound) * 1e3
        print(f"| {name} | {bound:g} | {np.median(times):.1f} | {times.max():.1f} | {len(times)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZBO_LEASES"] = folder
        file = Path(folder) / "output"
        file.write_bytes(b"\0")
        overhead(str(file))
        latencies(str(file), options.repeats)


if __name__ == "__main__":
    from supervision import main as run  # a guardian imports the executor's class, which it could not from a script

    run()
