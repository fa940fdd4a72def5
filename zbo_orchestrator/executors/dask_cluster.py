"""A Dask cluster to run trials on: one that is there, or processes of this machine for as long as it takes."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from zbo_orchestrator.model import ConfigurationError, Executor

try:
    import dask
    import distributed
    from distributed.utils import silence_logging_cmgr

    from zbo_orchestrator.executors import dask_worker
    from zbo_orchestrator.executors.dask_executor import DaskExecutor
except ModuleNotFoundError:  # an extra: only a campaign that travels needs it
    distributed = None

_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+")
CONNECT = 20.0
"""Seconds in which a scheduler has to answer."""
RESTART = 60.0
"""Seconds in which one of our own processes is to come back; a cluster of somebody else's may grow at any time."""


@contextmanager
def on_cluster(executor: Executor, width: int, address: str = "") -> Iterator[Executor]:
    """The executor with its trials on the workers of the cluster at `address`, or on `width` processes of this machine.

    Raises `ConfigurationError` where nobody answers there, or a worker has another version of this package, or none.
    """
    with connected(width, address) as client:
        yield DaskExecutor(executor, client, None if address else RESTART)


@contextmanager
def connected(width: int, address: str = "") -> Iterator[distributed.Client]:
    """A client of that cluster; raises as `on_cluster` does."""
    if distributed is None:
        raise ConfigurationError("workers: dask is not installed; wanted pip install 'zbo-orchestrator[dask]'")
    with _there(address) if address else _here(width) as client:
        _compare(client)
        yield client


@contextmanager
def _there(address: str) -> Iterator[distributed.Client]:
    if not _ADDRESS.fullmatch(address):
        raise ConfigurationError(f"cluster {address}: no address; wanted one such as tcp://10.0.0.5:8786")
    try:
        client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cluster {address}: no scheduler answers ({error}); wanted an address such as tcp://10.0.0.5:8786"
        ) from error
    with silence_logging_cmgr(logging.CRITICAL), client:  # what it has to say comes as an error
        yield client


@contextmanager
def _here(width: int) -> Iterator[distributed.Client]:
    """One process for each trial in flight, on loopback; a worker's share of the cores is its number of threads."""
    share = os.environ.get("OMP_NUM_THREADS") or max(1, (os.cpu_count() or 1) // width)
    threads = {f"distributed.nanny.pre-spawn-environ.{name}_NUM_THREADS": share for name in ("OMP", "MKL", "OPENBLAS")}
    with (
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 0,
                "distributed.deploy.lost-worker-timeout": "365 days",  # else one that just restarts is given up
                **threads,
            }
        ),
        distributed.LocalCluster(
            n_workers=width,
            threads_per_worker=1,
            host="127.0.0.1",
            memory_limit=None,
            dashboard_address="127.0.0.1:0",
            preload=[dask_worker.__name__],
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _compare(client: distributed.Client) -> None:
    """Ask those who are there already; one that goes as it is asked runs no trial."""
    for worker, theirs in client.run(dask_worker.installed, on_error="return").items():
        if not isinstance(theirs, OSError):
            dask_worker.compare(worker, theirs)
