"""What several files about histories share: a random generator, and a bucket on a server of the run's own."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import boto3
import numpy as np
import pytest
from object_storage import KEY, Bucket, Flaky
from werkzeug.serving import make_server

_NUMBERS = itertools.count()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def object_storage() -> Iterator[tuple[Flaky, str]]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    flaky = Flaky()
    server = make_server("127.0.0.1", 0, flaky, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield flaky, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def bucket(object_storage: tuple[Flaky, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bucket:
    """Reached as the environment says; what stands beside a history in it goes into the test's own folder."""
    server, url = object_storage
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.chdir(tmp_path)
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    name = f"lab-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    return Bucket(name, server, client)
