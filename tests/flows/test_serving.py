"""What is deployed: every shipped deployment fits its flow, and what is wrong with a file is told in a line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zbo_flows.deployment_file import Deployment, read
from zbo_flows.server import alone, server
from zbo_orchestrator.campaign.document import shipped
from zbo_orchestrator.model import ConfigurationError


def test_every_shipped_deployment_fits_its_flow(api: str) -> None:
    from prefect.flows import Flow  # noqa: PLC0415 (most tests never import Prefect)
    from prefect.utilities.importtools import import_object  # noqa: PLC0415

    from zbo_flows import serving  # noqa: PLC0415

    sections = read()
    made = {each.name: each for each in serving.deployments(sections, "shipped")}
    assert list(made) == ["ferrosim-nightly", "jrvae-tuning", "instrument", "final-training"]
    for section in sections:
        flow = import_object(section.entrypoint)
        assert isinstance(flow, Flow)
        flow.validate_parameters(section.parameters)
        assert all(field["description"] for field in flow.parameters.properties.values()), "the form says what it asks"
        assert section.parameters.get("campaign", "ferrosim-curl") in shipped()
    (nightly,) = made["ferrosim-nightly"].schedules or []
    assert nightly.schedule.cron == "0 2 * * *"  # type: ignore[union-attr]
    assert made["instrument"].concurrency_limit == 1


def test_a_run_that_outlived_what_served_it_before_is_not_given_up(api: str) -> None:
    from prefect import get_client  # noqa: PLC0415
    from prefect.states import Running  # noqa: PLC0415

    from zbo_flows.serving import deployments, give_up  # noqa: PLC0415

    (made,) = deployments(read(only=["final-training"]), "shipped")
    with get_client(sync_client=True) as client:
        deployment = made.apply(_sync=True)  # type: ignore[call-arg]
        runs = [client.create_flow_run_from_deployment(deployment).id for _ in range(2)]
        for run in runs:
            client.set_flow_run_state(run, Running(), force=True)
        outlives = {**os.environ, "PREFECT__FLOW_RUN_ID": str(runs[0])}
        with subprocess.Popen([sys.executable, "-c", "input()", "prefect.engine"], stdin=subprocess.PIPE, env=outlives):
            give_up([made])
            assert [client.read_flow_run(run).state_name for run in runs] == ["Running", "Crashed"]
        give_up([made])
        assert client.read_flow_run(runs[0]).state_name == "Crashed"


MINE = "deployments: [{name: a, entrypoint: zbo_flows.campaign.run_campaign, "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: []", r"deployments: got \[\]; wanted at least 1 item"),
        ("name: zbo", "deployments: got nothing; wanted"),
        ("[1, 2]", "deployments: got nothing; wanted"),
        ("deployments: [{name: a}]", r"deployments\.0\.entrypoint: missing"),
        ("deployments: [{name: a, entrypoint: 'flows/a.py:run'}]", r"entrypoint: got \"flows/a.py:run\"; wanted"),
        ("deployments: [", "line 1"),
        (MINE + "schedule: {cron: 1 2 * * *}}]", r"deployments\.0\.schedule: unknown key.*did you mean schedules"),
        (MINE + "schedules: [{}]}]", "wanted one of cron, interval, rrule"),
        (MINE + "schedules: [{interval: -5}]}]", r"schedules\.0\.interval: got -5; wanted .*greater than 0"),
        (MINE + "parameters: {history: '{{ $NOWHERE }}'}}]", "wanted a variable of the environment"),
        (MINE + "parameters: {history: '{{ prefect.variables.a }}'}}]", "wanted a variable of the environment"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_before_there_is_a_server(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as told:
        read(file)
    assert str(told.value).startswith(str(file))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"entrypoint": "nowhere.at.all"}, "a: nowhere.at.all cannot be imported"),
        ({"entrypoint": "pathlib.Path"}, "a: pathlib.Path is no flow"),
        ({"parameters": {"histry": "x"}}, r"a: parameters\.histry: unknown; wanted one of .*did you mean history"),
        ({"parameters": {"add": "many"}}, r"a: parameters\.add: 'many' is not valid.*trials more than the history"),
        ({"schedules": [{"cron": "61 2 * * *"}]}, r"a: schedule 61 2 \* \* \* UTC: "),
        ({"schedules": [{"cron": "1 2 * * *", "parameters": {"width": 0}}]}, r"a: parameters\.width: 0 is not valid"),
    ],
)
def test_what_a_flow_does_not_take_is_told_before_it_is_served(api: str, section: dict[str, Any], said: str) -> None:
    from zbo_flows import serving  # noqa: PLC0415

    whole = {"name": "a", "entrypoint": "zbo_flows.campaign.run_campaign", **section}
    with pytest.raises(ConfigurationError, match=said):
        serving.deployments([Deployment.model_validate(whole)], "file")


def test_what_prefect_alone_reads_is_left_to_it(tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    others = "pull: [], work_pool: {name: a, job_variables: {image: '{{ build-image.image }}'}}"
    file.write_text(MINE + others + ", description: null, parameters: null, schedules: [{cron: 1 2 * * *, slug: a}]}]")
    (section,) = read(file)
    assert (section.description, section.parameters, section.schedules[0].slug) == ("", {}, "a")


def test_a_flow_that_says_nothing_of_its_parameters_is_checked_too(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect import flow  # noqa: PLC0415

    from zbo_flows import serving  # noqa: PLC0415

    @flow
    def silent(n: int = 1) -> None: ...

    monkeypatch.setattr(serving, "import_object", lambda _: silent)
    section = Deployment(name="a", entrypoint="mine.silent", parameters={"n": "many"})
    with pytest.raises(ConfigurationError, match=r"a: parameters\.n: 'many' is not of type 'integer'$"):
        serving.deployments([section], "file")


def test_all_that_a_file_says_of_a_schedule_is_served(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zbo_flows import serving  # noqa: PLC0415

    monkeypatch.setenv("MY_HISTORY", "histories/mine")
    file = tmp_path / "prefect.yaml"
    file.write_text(
        MINE + "tags: [lab], parameters: {campaign: c.yaml, history: '{{ $MY_HISTORY }}'}, concurrency_limit: 2, "
        "schedules: [{interval: 90, parameters: {add: 3}}, {rrule: FREQ=DAILY, active: false}]}]"
    )
    sections = read(file)
    (made,) = serving.deployments(sections, str(file))
    every, daily = made.schedules or []
    assert (every.parameters, every.schedule.interval.total_seconds()) == ({"add": 3}, 90)  # type: ignore[union-attr]
    assert (daily.active, made.concurrency_limit, made.tags) == (False, 2, ["lab"])
    assert made.parameters == {"campaign": "c.yaml", "history": "histories/mine"}
    lines = list(serving.told(sections, [made], "http://127.0.0.1:4200", ""))
    assert lines[0] == "  a                    every 90 s"
    assert "PREFECT_API_URL=http://127.0.0.1:4200/api prefect deployment run zbo-campaign/a" in lines[2]


def test_a_user_serves_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_HOME", str(tmp_path))
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)
    with (
        alone(),
        pytest.raises(ConfigurationError, match=f"state in {tmp_path}/prefect; wanted one, or ZBO_HOME=FOLDER"),
    ):
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
