"""What is deployed: every shipped deployment fits its flow, and what is wrong with a file is told in a line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from zbo_flows.server import alone, server
from zbo_orchestrator.campaign.document import parse, shipped
from zbo_orchestrator.model import ConfigurationError


def test_every_shipped_deployment_fits_its_flow(api: str) -> None:
    from prefect.flows import Flow  # noqa: PLC0415 (most tests never import Prefect)
    from prefect.utilities.importtools import import_object  # noqa: PLC0415

    from zbo_flows import serving  # noqa: PLC0415

    made = {each.name: each for each in serving.deployments()}
    assert list(made) == ["ferrosim-nightly", "jrvae-tuning", "instrument", "final-training"]
    for section in parse(serving.shipped(), "shipped")["deployments"]:
        flow = import_object(section["entrypoint"])
        assert isinstance(flow, Flow)
        flow.validate_parameters(section["parameters"])
        assert all(field["description"] for field in flow.parameters.properties.values()), "the form says what it asks"
        assert section["parameters"].get("campaign", "ferrosim-curl") in shipped()
    (nightly,) = made["ferrosim-nightly"].schedules or []
    assert nightly.schedule.cron == "0 2 * * *"  # type: ignore[union-attr]
    assert made["instrument"].concurrency_limit == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: []", "no deployments; wanted a list"),
        ("name: zbo", "no deployments"),
        ("deployments: [{name: a}]", "a deployment without 'entrypoint'"),
        ("deployments: [{name: a, entrypoint: nowhere.at.all}]", "a: nowhere.at.all cannot be imported"),
        ("deployments: [{name: a, entrypoint: pathlib.Path}]", "pathlib.Path is no flow"),
        ("deployments: [", "line 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(api: str, tmp_path: Path, text: str, said: str) -> None:
    from zbo_flows import serving  # noqa: PLC0415

    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        serving.deployments(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        serving.deployments(tmp_path / "absent.yaml")


def test_a_user_serves_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_HOME", str(tmp_path))
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)
    with alone(), pytest.raises(ConfigurationError, match=f"state in {tmp_path}; wanted one, or ZBO_HOME=FOLDER"):
        alone().__enter__()
    with alone():
        monkeypatch.setenv("ZBO_HOME", str(tmp_path / "other"))
        monkeypatch.delenv("PREFECT_HOME")
        with alone():
            pass


def test_a_port_that_is_taken_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} cannot be served"), server(port=port):
            pass
