"""One Prefect server for all flow tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from zbo_flows.server import server


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own for the whole session."""
    os.environ["ZBO_HOME"] = str(tmp_path_factory.mktemp("home"))
    with server() as running:
        running.wait()
        yield running.url
        from zbo_flows.campaign import drain  # noqa: PLC0415 (Prefect reads its settings when imported)

        drain()
    del os.environ["ZBO_HOME"]
