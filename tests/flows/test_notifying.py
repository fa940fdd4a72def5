"""Who is notified of what: stalls are told once, an address is checked, what was created before is replaced."""

from __future__ import annotations

import queue
import time
from typing import cast
from uuid import uuid4

import pytest

from zbo_orchestrator.cli import main
from zbo_orchestrator.history import History
from zbo_orchestrator.model import ConfigurationError

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("api")]
HISTORY = cast(History, None)
"""A stall looks at no history."""


def test_a_stall_is_told_once_and_again_after_something_went_forward() -> None:
    from zbo_flows.notifying import Stall  # noqa: PLC0415 (most tests never import Prefect)

    told: queue.Queue[str] = queue.Queue()
    with Stall(0.01, told.put) as stall:
        assert told.get(timeout=60) == "nothing has gone forward for 0.01 s, after 0 trials of this run"
        with pytest.raises(queue.Empty):
            told.get(timeout=0.2)
        for sign in (
            lambda: stall.held(HISTORY, "it waits"),
            lambda: stall.running(0, 1, 2, {}),
            lambda: stall.training(1, 2),
        ):
            sign()
            assert told.get(timeout=60)


@pytest.mark.long
def test_a_trial_that_is_held_at_a_step_stalls() -> None:
    from zbo_flows.notifying import Stall  # noqa: PLC0415

    told: queue.Queue[str] = queue.Queue()
    with Stall(2.0, told.put) as stall:
        while told.empty():  # as an interlock does, and a trial for which there is no worker
            stall.running(3, 7, 10, {})
            time.sleep(0.01)
        told.get()
        for step in range(8, 38):
            stall.running(3, step, 80, {})
            time.sleep(0.1)
        assert told.empty(), "one that goes on does not"


def test_a_run_that_has_ended_does_not_stall() -> None:
    from zbo_flows.notifying import Stall  # noqa: PLC0415

    told: queue.Queue[str] = queue.Queue()
    with Stall(0.3, told.put):
        pass
    with pytest.raises(queue.Empty):
        told.get(timeout=0.6)


def test_every_automation_is_one_and_tells_by_the_webhook() -> None:
    from zbo_flows.notifying import STALLED, automations  # noqa: PLC0415

    assert [each["name"] for each in automations()] == ["zbo finish", "zbo failure", "zbo waiting", "zbo stall"]
    assert [each["trigger"]["expect"] for each in automations()][-1] == [STALLED]
    assert all(action["type"] == "call-webhook" for each in automations() for action in each["actions"])


def test_only_an_address_is_notified() -> None:
    from zbo_flows.notifying import notify  # noqa: PLC0415

    with pytest.raises(ConfigurationError, match="wanted an http or https address"):
        notify("me@example.org")


def test_a_server_has_to_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(SystemExit) as end:
        main(["notify", "https://chat.example/hooks/1234"])
    assert end.value.code == 2
    assert "PREFECT_API_URL is not set" in capsys.readouterr().err


def test_another_address_takes_the_place_of_the_first() -> None:
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    from zbo_flows.notifying import BLOCK, notify  # noqa: PLC0415

    names = notify(f"https://chat.example/hooks/{uuid4()}")
    assert notify("https://chat.example/hooks/second") == names
    with get_client(sync_client=True) as client:
        assert [len(client.read_automations_by_name(name)) for name in names] == [1] * 4
        (document,) = client.read_block_documents_by_type("webhook", include_secrets=False)
    block = Webhook.load(BLOCK)
    assert isinstance(block, Webhook)
    assert block.url.get_secret_value() == "https://chat.example/hooks/second"
    assert "second" not in str(document.data["url"]), "the address is shown to whoever lists blocks"
