"""Trials on a Dask cluster: each runs once, whatever the scheduler would do; reports, stops and errors cross over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dask_lab import STEPS, Traced, traced
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError
from equality import assert_equal_histories
from lab import DIRECT, written
from test_hopeless import campaign
from test_workers import Echo, Misbehaves, trajectory
from waiting import alive, eventually

from zbo_flows.owned import free_ports
from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.executors import dask_cluster
from zbo_orchestrator.executors.dask_cluster import connected, on_cluster
from zbo_orchestrator.executors.dask_executor import DaskExecutor
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import (
    ConfigurationError,
    Executor,
    FatalError,
    Measurement,
    Run,
    Status,
    Stopped,
    Trajectory,
    TransientError,
    Workers,
)
from zbo_orchestrator.testing import RecordedRun, WorkersContract
from zbo_orchestrator.workers import Threads

pytestmark = pytest.mark.long  # a cluster of processes


@pytest.fixture(scope="module")
def two() -> Iterator[Client]:
    with connected(2) as client:
        yield client


@pytest.fixture
def cluster(two: Client) -> Client:
    """Two workers, whatever the last test did to them: Dask forgets one that dies as it is being started."""
    assert eventually(lambda: all(nanny.status.name == "running" for nanny in two.cluster.workers.values()))
    assert eventually(lambda: len(two.nthreads()) == 2)
    return two


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


class TestThreadsOnACluster(WorkersContract):
    @pytest.fixture(autouse=True)
    def _on(self, cluster: Client) -> None:
        self.cluster = cluster

    def executor(self) -> Executor:
        return Echo()

    def make(self, executor: Executor, scratch: Path) -> Workers:
        return Threads(DaskExecutor(executor, self.cluster), 2, scratch)


# --- what crosses over -----------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "error"), [(2, FatalError), (3, ZeroDivisionError)])
def test_errors_come_back_with_their_class(cluster: Client, value: float, error: type[Exception]) -> None:
    with pytest.raises(error):
        DaskExecutor(Misbehaves(), cluster).execute(trajectory(value), RecordedRun())


def test_a_stop_reaches_the_worker_at_the_step_it_was_decided_at(cluster: Client, trace: Path) -> None:
    run = RecordedRun(number=5, stop_at=2)
    with pytest.raises(Stopped, match="the contract asked"):
        DaskExecutor(Traced(trace), cluster).execute(trajectory(0), run)
    assert [(step, of) for step, of, _ in run.reports] == [(1, STEPS), (2, STEPS)]
    assert [number for number, _, _ in traced(trace, "stopped")] == [5]


def test_a_passing_failure_decided_here_ends_the_trial_there(cluster: Client, trace: Path) -> None:
    class Interlocked(RecordedRun):
        def report(self, step: int, of: int, **values: float) -> None:
            if values:
                raise TransientError("the chiller tripped")

    with pytest.raises(TransientError, match="the chiller tripped"):
        DaskExecutor(Traced(trace), cluster).execute(trajectory(0), Interlocked())
    assert len(traced(trace)) == 1


def test_the_executor_travels_once_to_each_worker(cluster: Client, trace: Path) -> None:
    executor = DaskExecutor(Traced(trace), cluster)
    for number in range(6):
        executor.execute(trajectory(0), RecordedRun(number=number))
    pids = [pid for _, _, pid in traced(trace, "unpickled")]
    assert len(pids) == len(set(pids))
    assert {pid for _, _, pid in traced(trace)} == set(pids)
    assert os.getpid() not in pids


def test_a_worker_has_a_scratch_folder_of_its_own(cluster: Client, trace: Path, tmp_path: Path) -> None:
    run = RecordedRun(scratch=tmp_path / "ours")
    measured = DaskExecutor(Traced(trace), cluster).execute(trajectory(0), run)
    theirs = Path(os.fsdecode(measured.arrays["scratch"].tobytes()))
    assert theirs != run.scratch
    assert not theirs.exists()


# --- each trial once -------------------------------------------------------------------------------


@contextmanager
def allowing(client: Client, failures: int) -> Iterator[None]:
    """The scheduler as somebody else may have set it up."""

    def allow(dask_scheduler: Any, failures: int) -> int:
        before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, failures
        return int(before)

    before = client.run_on_scheduler(allow, failures=failures)
    try:
        yield
    finally:
        client.run_on_scheduler(allow, failures=before)


@pytest.mark.parametrize("failures", [0, 3])
def test_a_lost_worker_is_a_transient_error_and_nothing_runs_twice(cluster: Client, trace: Path, failures: int) -> None:
    class Killing(RecordedRun):
        def report(self, step: int, of: int, **values: float) -> None:
            if values:
                os.kill(int(values["pid"]), signal.SIGKILL)

    executor = DaskExecutor(Traced(trace), cluster)
    with allowing(cluster, failures):
        with pytest.raises(TransientError, match=r"worker tcp://.* was lost"):
            executor.execute(trajectory(0), Killing(number=1))
        executor.execute(trajectory(0), RecordedRun(number=2))
    assert [number for number, _, _ in traced(trace)] == [1, 2]


def test_a_measurement_lost_with_its_worker_is_not_made_again_unasked(cluster: Client, trace: Path) -> None:
    with pytest.raises(TransientError, match="was lost"):
        DaskExecutor(Traced(trace, parts=True), cluster).execute(trajectory(0), RecordedRun())
    assert len(traced(trace)) == 1


def test_a_worker_that_dies_again_comes_back_again() -> None:
    """Dask looks once, 15 s after a death, and gives up a worker that happens to be away at that moment."""
    with connected(1) as client:
        (nanny,) = client.cluster.workers.values()
        first, died = nanny.pid, time.monotonic()
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: nanny.pid not in {None, first} and nanny.status.name == "running", 12)
        time.sleep(14 - (time.monotonic() - died))
        second = nanny.pid
        os.kill(second, signal.SIGKILL)
        assert eventually(lambda: nanny.pid not in {None, second})
        third = nanny.pid
        os.kill(third, signal.SIGSTOP)
        time.sleep(2)
        assert not client.nthreads()
        os.kill(third, signal.SIGCONT)
        assert eventually(lambda: len(client.nthreads()) == 1)
        assert list(client.run(os.getpid).values()) == [third]
        assert nanny.status.name == "running"


def test_a_cluster_without_a_worker_left_ends_the_campaign() -> None:
    cluster = LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0")
    with cluster, Client(cluster, set_as_default=False) as client, pytest.raises(FatalError, match="no worker"):
        DaskExecutor(Echo(), client, patience=0.5).execute(trajectory(0), RecordedRun())


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of a cluster that is not ours."""
    command = [str(Path(sys.executable).with_name("dask")), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "log").open("ab") as log, subprocess.Popen(command, env=environment, stderr=log) as started:
        try:
            yield started
        finally:
            started.kill()


def test_a_scheduler_that_is_gone_ends_the_campaign(trace: Path, tmp_path: Path) -> None:
    file, loopback = tmp_path / "scheduler.json", ["--host", "127.0.0.1", "--port", "0"]
    dashboard = ["--dashboard-address", "127.0.0.1:0"]
    with process(tmp_path, "scheduler", *loopback, *dashboard, "--scheduler-file", str(file)) as scheduler:
        assert eventually(lambda: file.exists() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]

        class Killing(RecordedRun):
            def report(self, step: int, of: int, **values: float) -> None:
                if values:
                    scheduler.kill()

        with process(tmp_path, "worker", address, "--nthreads", "1", "--no-nanny", *dashboard) as worker:
            gone = pytest.raises(FatalError, match="scheduler is gone")
            with on_cluster(Traced(trace), 1, address) as executor, gone:
                executor.execute(trajectory(0), Killing())
            assert eventually(lambda: worker.poll() is not None), (tmp_path / "log").read_text()
        assert len(traced(trace)) == 1


def test_a_scheduler_that_was_restarted_between_two_trials_is_no_obstacle(trace: Path, tmp_path: Path) -> None:
    (port,) = free_ports("127.0.0.1", 0)
    address, dashboard = f"tcp://127.0.0.1:{port}", ["--dashboard-address", "127.0.0.1:0"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), *dashboard]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", *dashboard]
    with ExitStack() as lifetime:
        with process(tmp_path, *scheduler), process(tmp_path, *worker):
            executor = lifetime.enter_context(on_cluster(Traced(trace), 1, address))
            executor.execute(trajectory(0), RecordedRun(number=1))
        with process(tmp_path, *scheduler), process(tmp_path, *worker):
            client = executor._client  # type: ignore[attr-defined]
            assert eventually(lambda: client.status == "running" and len(client.nthreads()) == 1)
            executor.execute(trajectory(0), RecordedRun(number=2))
    assert [number for number, _, _ in traced(trace)] == [1, 2]


def test_a_worker_that_would_run_two_trials_at_once_is_refused(trace: Path, tmp_path: Path) -> None:
    (port,) = free_ports("127.0.0.1", 0)
    address, dashboard = f"tcp://127.0.0.1:{port}", ["--dashboard-address", "127.0.0.1:0"]
    with (
        process(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", str(port), *dashboard),
        process(tmp_path, "worker", address, "--nthreads", "2", "--no-nanny", *dashboard),
        pytest.raises(ConfigurationError, match=r"worker tcp://\S+ has .*--nthreads 2; wanted .*--nthreads 1$"),
        on_cluster(Traced(trace), 2, address) as executor,
    ):
        executor.execute(trajectory(0), RecordedRun())
    assert traced(trace) == []


def test_a_cluster_that_does_not_say_how_a_trial_stands_has_lost_it(
    cluster: Client, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(**_: object) -> None:
        raise CommClosedError("the connection broke")

    monkeypatch.setattr(cluster.scheduler, "get_task_status", silent)
    with pytest.raises(TransientError, match="was lost"):
        DaskExecutor(Traced(trace, wait=1.5), cluster).execute(trajectory(0), RecordedRun())


def occupied(mark: Path) -> None:
    mark.touch()
    time.sleep(3)


def test_a_worker_that_goes_as_the_campaign_begins_is_not_waited_for(
    cluster: Client, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = next(iter(cluster.run(os.getpid).values()))
    os.kill(going, signal.SIGSTOP)  # it is asked and does not answer
    asking = dask_cluster._compare

    def goes(client: Client) -> None:
        threading.Timer(1.0, os.kill, (going, signal.SIGKILL)).start()
        asking(client)

    monkeypatch.setattr(dask_cluster, "_compare", goes)
    with on_cluster(Traced(trace), 1, cluster.scheduler.address) as executor:
        executor.execute(trajectory(0), RecordedRun(number=1))
    assert [number for number, _, _ in traced(trace)] == [1]


def test_a_trial_that_waits_for_a_worker_can_be_stopped_and_never_runs(cluster: Client, trace: Path) -> None:
    marks = [trace.with_name(f"busy-{place}") for place in range(2)]
    places = zip(cluster.run(os.getpid), marks, strict=True)
    busy = [cluster.submit(occupied, mark, workers=[worker], key=mark.name, pure=False) for worker, mark in places]
    assert eventually(lambda: all(mark.exists() for mark in marks))
    with pytest.raises(Stopped):
        DaskExecutor(Traced(trace), cluster).execute(trajectory(0), RecordedRun(stop_at=1))
    cluster.gather(busy)
    DaskExecutor(Traced(trace), cluster).execute(trajectory(0), RecordedRun(number=7))
    assert [number for number, _, _ in traced(trace)] == [7]


def test_a_trial_whose_campaign_was_killed_ends_at_its_next_report(
    cluster: Client, trace: Path, tmp_path: Path
) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "import os, signal, sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from dask_lab import Traced\n"
        "from pathlib import Path\n"
        "from test_workers import trajectory\n"
        "from zbo_orchestrator.executors.dask_cluster import on_cluster\n"
        "from zbo_orchestrator.testing import RecordedRun\n"
        "class Dying(RecordedRun):\n"
        "    def report(self, step, of, **values):\n"
        "        if values: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"with on_cluster(Traced(Path({str(trace)!r})), 1, {cluster.scheduler.address!r}) as executor:\n"
        "    executor.execute(trajectory(0), Dying(number=3))\n"
    )
    assert subprocess.run([sys.executable, script], check=False, timeout=60).returncode == -signal.SIGKILL
    assert eventually(lambda: bool(traced(trace, "stopped")))
    assert len(traced(trace)) == 1


def test_a_killed_owner_leaves_no_worker_behind(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "import os, signal\n"
        "from zbo_orchestrator.executors.dask_cluster import connected\n"
        "if __name__ == '__main__':\n"
        "    with connected(1) as client:\n"
        "        print(*client.run(os.getpid).values(), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=60)
    assert eventually(lambda: not alive(int(owner.stdout)))


# --- through a campaign ----------------------------------------------------------------------------


def traces(folder: Path, trace: Path, **sections: Any) -> Path:
    parts = {"executor": {"use": "dask_lab:Traced", "trace": str(trace)}, "travels": True, "envelope": {}}
    return written(folder, {**DIRECT, **parts}, **sections)


class Killer(Watcher):
    """Kills the worker of trial 2 in mid-trial, on its first attempt."""

    def __init__(self) -> None:
        self.killed = 0

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:
        if number == 2 and step == 2 and not self.killed:
            self.killed = int(values["pid"])
            os.kill(self.killed, signal.SIGKILL)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_killed_in_mid_trial_is_a_recorded_attempt(
    cluster: Client, trace: Path, tmp_path: Path, retries: int
) -> None:
    file, killer = traces(tmp_path, trace, retries=retries, width=2), Killer()
    conduct(
        load(file, allow_code=True), tmp_path / "history", killer, workers="dask", cluster=cluster.scheduler.address
    )
    record = Record.read(tmp_path / "history")
    assert killer.killed
    attempts = [(row["attempt"], row["error"]) for row in record.attempts if row["trial"] == 2]
    assert "TransientError: worker tcp://" in attempts[0][1]
    assert [number for number, _ in attempts] == list(range(1, 2 + retries))
    assert record.status[2] == (Status.SCORED if retries else Status.TRANSIENT)
    assert set(record.status[[0, 1, 3, 4, 5, 6]]) == {Status.SCORED}
    assert sorted(traced(trace))[2][2] == killer.killed
    assert sorted((number, attempt) for number, attempt, _ in traced(trace)) == sorted(
        [(number, 1) for number in range(7)] + [(2, 2)] * retries
    )


def test_at_width_one_the_history_is_that_of_a_run_at_home(
    cluster: Client, campaign_file: Callable[..., Path], tmp_path: Path
) -> None:
    file = campaign_file(travels=True, trial_seed="per-trial")
    conduct(load(file), tmp_path / "home", Watcher())
    conduct(load(file), tmp_path / "away", Watcher(), workers="dask", cluster=cluster.scheduler.address)
    assert_equal_histories(tmp_path / "home", tmp_path / "away")


def test_hopeless_trials_end_at_the_same_step_as_at_home(cluster: Client, tmp_path: Path) -> None:
    ruled = campaign(tmp_path, travels=True)
    conduct(ruled, tmp_path / "home", Watcher())
    conduct(ruled, tmp_path / "away", Watcher(), workers="dask", cluster=cluster.scheduler.address)
    assert (Record.read(tmp_path / "away").status == Status.STOPPED).sum() >= 3
    assert_equal_histories(tmp_path / "home", tmp_path / "away")


def test_ctrl_c_is_heard_by_the_campaign_alone(tmp_path: Path, trace: Path) -> None:
    """A terminal sends it to every process of the command."""
    file, history = traces(tmp_path, trace, width=2, budget={"initial": 4, "total": 500}), tmp_path / "history"
    arguments = ["run", file, "--history", history, "--workers", "dask", "--allow-code", "--without-prefect"]
    command = [sys.executable, "-m", "zbo_orchestrator.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert eventually(lambda: len(traced(trace)) >= 5)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert [line[:16] for line in errors.splitlines()] == ["zbo: interrupted"]
    assert Status.TRANSIENT not in Record.read(history).status


# --- what may not travel ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "how", "words"),
    [
        ({"travels": False}, {}, "travels is false; wanted `travels: true`"),
        ({"timeouts": {"trial": 5}}, {}, "timeouts.trial is 5; wanted null"),
        ({}, {"workers": "threads", "cluster": "tcp://127.0.0.1:9"}, "wanted workers dask"),
        ({}, {"cluster": "tcp://127.0.0.1:9"}, "cluster tcp://127.0.0.1:9: no scheduler answers"),
        ({}, {"cluster": "http://127.0.0.1:9"}, "cluster http://127.0.0.1:9: no address; wanted one such as tcp://"),
        ({}, {"cluster": "nonsense"}, "cluster nonsense: no address"),
        ({"executor": {"use": "bench_instrument:BenchSupply", "panel": "nowhere"}}, {}, "drives an instrument"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], how: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.2)
    wanted = load(traces(tmp_path, tmp_path / "trace", **sections), allow_code=True)
    with pytest.raises(ConfigurationError, match=words):
        conduct(wanted, tmp_path / "history", Watcher(), **{"workers": "dask", **how})
    assert not (tmp_path / "history").exists()


def test_an_executor_that_cannot_be_pickled_says_so(cluster: Client) -> None:
    class Local(Echo):
        def execute(self, trajectory: Trajectory, run: Run) -> Measurement:
            raise AssertionError

    with pytest.raises(ConfigurationError, match="cannot travel"):
        DaskExecutor(Local(), cluster)
