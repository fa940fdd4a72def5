"""A lab with two campaigns, and somebody who is notified."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_lab import ROOT, Lab, Receiver, eventually, free_port, told
from e2e_prefect import Api

PROGRAM = Path(__file__).with_name("slow_curl.py")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as receiver:
        yield receiver


@pytest.fixture
def lab(tmp_path: Path, campaign_file: Callable[..., Path]) -> Iterator[Lab]:
    """my-lab.yaml is a quick simulation; slow.yaml a program that stands still in its sixth trial."""
    port = free_port()
    settings = {
        "OMP_NUM_THREADS": "1",
        "HOME": str(tmp_path / "home"),
        "ZBO_HOME": str(tmp_path / "home"),
        "ZBO_CACHE": str(tmp_path / "cache"),
        "PREFECT_HOME": str(tmp_path / "home" / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",  # 30 where nobody waits
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "1",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
        "ZBO_FOLDER": str(tmp_path),
        "ZBO_PAGES": f"http://127.0.0.1:{free_port()}",
    }
    command = [sys.executable, str(PROGRAM), str(tmp_path)]
    slow = {"use": "json-lines", "command": command, "repeatable": True, "silence": 300}
    (tmp_path / "home" / "prefect").mkdir(parents=True)
    campaign_file(name="my-lab").rename(tmp_path / "my-lab.yaml")
    campaign_file(name="slow", executor=slow).rename(tmp_path / "slow.yaml")
    lab = Lab(tmp_path, settings)
    try:
        yield lab
    finally:
        lab.kill()
        for log in sorted(tmp_path.glob("*.log")):  # shown where a test fails
            print(f"--- {log.name}\n{lab.log(log.stem)}")


@pytest.fixture
def api(lab: Lab, receiver: Receiver) -> Api:
    """A server that has the deployments, and knows whom to notify."""
    (server,) = told("server")
    lab.start("server", server)
    api = Api(lab.settings["PREFECT_API_URL"])
    eventually(api.answers, "the server answers")
    lab.type(told("work pools"))
    notifying = [words.replace("https://chat.example/hooks/1234", receiver.url) for words in told("notify")]
    lab.type([*told("deploy"), *notifying], ROOT)
    return api
