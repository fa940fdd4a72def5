"""A lab with two campaigns, and somebody who is notified."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_lab import Lab, Receiver, free_port

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
