"""A campaign in many sittings, each of which something ends or disturbs; the same command goes on every time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import soak_parts
from soak_processes import PATIENCE, children, fill_disk, gone, server_of, strike, trial_processes, until

from zbo_orchestrator.history import History, Record
from zbo_orchestrator.model import Status

FILE = Path(__file__).with_name("soak.yaml")
INTERRUPTED, CANNOT_WRITE = 130, 3
Row = tuple[int, str, bytes]


@dataclass(slots=True)
class Soaked:
    """One campaign: where it is kept, what befell it so far.

    between  how many attempts begin between two blows, at least and at most
    """

    folder: Path
    trials: int
    width: int = 1
    between: tuple[int, int] = (20, 40)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    blows: Counter[str] = field(default_factory=Counter)
    sittings: int = 0
    ends: list[float] = field(default_factory=list)
    """Seconds that the process of each flow whose server was gone took to end."""
    settled: dict[int, Row] = field(default_factory=dict)

    @property
    def history(self) -> Path:
        return self.folder / "history"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def begun(self) -> list[tuple[int, int]]:
        """(number, attempt) of every attempt so far, in the order they began."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [(int(number), int(attempt)) for number, attempt in map(str.split, lines)]

    def start(self, *, prefect: bool) -> subprocess.Popen[bytes]:
        """The command, the same every time but for Prefect."""
        self.folder.mkdir(exist_ok=True)
        command = ["run", str(FILE), "--history", str(self.history), "--trials", str(self.trials), "--no-report"]
        command += ["--allow-code", "--workers", "processes", "--width", str(self.width)]
        self.sittings += 1
        return subprocess.Popen(
            [sys.executable, "-m", "zbo_orchestrator.cli", *command, *["--without-prefect"] * (not prefect)],
            env=environment(self.folder) | {soak_parts.JOURNAL: str(self.journal)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, blows: Iterator[str]) -> None:
        """Sit until the budget is spent; each sitting has a blow to take."""
        while not self.sit(next(blows)):
            self.check()
        self.check()

    def sit(self, blow: str) -> bool:
        """One sitting; whether the campaign came to its end in it."""
        process = self.start(prefect=blow == "server killed")
        try:
            if not self.goes_on(process, self.chance.randint(*self.between)):
                assert process.returncode == 0, said(process)
                return True
            time.sleep(self.chance.uniform(0, 0.05))
            family = children(process.pid)
            if process.poll() is None:
                BLOWS[blow](self, process)
                self.blows[blow] += 1
            if process.wait(PATIENCE) == 0:
                return True
            until(lambda: gone(family), f"the end of {family} after its parent's")
            return False
        finally:
            process.kill()
            process.communicate()

    def goes_on(self, process: subprocess.Popen[bytes], more: int) -> bool:
        """Wait until so many more attempts have begun; False where the process ended before."""
        goal = len(self.begun()) + more
        until(lambda: len(self.begun()) >= goal or process.poll() is not None, f"{more} more attempts")
        return process.poll() is None

    def check(self) -> None:
        """What was settled stays as it was, and was not run again."""
        if not History.exists(self.history):
            return
        now = settled(Record.read(self.history))
        assert {number: now.get(number) for number in self.settled} == self.settled
        again = [number for number, _ in self.begun()[self._seen :] if number in self.settled]
        assert not again, f"trials {again} were run again"
        self.settled, self._seen = now, len(self.begun())

    _seen: int = 0


def settled(record: Record) -> dict[int, Row]:
    """Status, score and point of every trial that has ended."""
    ended = [number for number, status in enumerate(record.status) if status not in (Status.PROPOSED, Status.STARTED)]
    return {n: (int(record.status[n]), float(record.values[n]).hex(), record.z[n].tobytes()) for n in ended}


def said(process: subprocess.Popen[bytes]) -> str:
    """How a process ended, and what it said on stderr."""
    assert process.stderr
    return f"exit code {process.wait()}: {process.stderr.read().decode()}"


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {"ZBO_HOME": str(folder / "home"), "PYTHONPATH": str(FILE.parent), "OMP_NUM_THREADS": "1"}


# --- what befalls a sitting


def flow_killed(soaked: Soaked, process: subprocess.Popen[bytes]) -> None:
    process.kill()


def told_to_end(soaked: Soaked, process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(PATIENCE) in (INTERRUPTED, 0), said(process)


def worker_killed(soaked: Soaked, process: subprocess.Popen[bytes]) -> None:
    """Three times, and the campaign goes on; then it is killed."""
    for _ in range(3):
        for victim in trial_processes(process.pid)[:1]:
            strike(victim)
        if not soaked.goes_on(process, soaked.width):
            return
    process.kill()


def disk_full(soaked: Soaked, process: subprocess.Popen[bytes]) -> None:
    """It cannot write and says so; nor can it when it is started again; then there is room."""
    _fill(soaked, process)
    _fill(soaked, soaked.start(prefect=False))


def _fill(soaked: Soaked, process: subprocess.Popen[bytes]) -> None:
    fill_disk(process, soaked.chance.choice((0, 600, 2000)))
    assert process.wait(PATIENCE) == CANNOT_WRITE, said(process)


def server_killed(soaked: Soaked, process: subprocess.Popen[bytes]) -> None:
    """Trials go on without it; told to end, the process does not wait for it."""
    strike(server_of(process.pid))
    if soaked.goes_on(process, 10):
        process.send_signal(signal.SIGTERM)
    soaked.ends.append(until(lambda: process.poll() is not None, "the end of a flow whose server is gone"))
    assert process.returncode in (INTERRUPTED, 0), said(process)


BLOWS: Mapping[str, Callable[[Soaked, subprocess.Popen[bytes]], None]] = {
    "flow killed": flow_killed,
    "told to end": told_to_end,
    "worker killed": worker_killed,
    "disk full": disk_full,
    "server killed": server_killed,
}
