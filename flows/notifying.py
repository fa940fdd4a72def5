"""Who hears of a campaign at a distance: automations of the Prefect server, which call a webhook.

What they wait for stands in `deployments/automations.yaml`: states of flow runs, which Prefect tells of, and stalls,
which a run tells of itself. (Prefect could tell of absent events too, but its server loses track of them on SQLite
when many come at once: bursts lock its database.)
"""

import threading
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Self, cast
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.schemas.automations import AutomationCore
from prefect.types import SecretDict
from pydantic import SecretStr

from zbo_flows.server import web_address
from zbo_orchestrator.campaign.document import parse
from zbo_orchestrator.conduct import Watcher
from zbo_orchestrator.history import History
from zbo_orchestrator.model import Trial

STALLED = "zbo.run.stalled"
"""The event of a flow run of which nothing was heard for too long."""
BLOCK = "zbo"
"""The name of the webhook block that keeps the address, encrypted, in the server."""


def telling(run: UUID) -> Callable[[str], object]:
    """What says to the server that a flow run has stalled."""
    return lambda said: emit_event(STALLED, {"prefect.resource.id": f"prefect.flow-run.{run}"}, payload={"said": said})


class Stall(Watcher):
    """Tells, once, when nothing has gone forward for `seconds`: no trial recorded, no new step reported.

    A run that waits for people does not stall; one that an interlock holds does, and so does a trial without a worker:
    both report the same step again and again.
    """

    def __init__(self, seconds: float, tell: Callable[[str], object]) -> None:
        self._seconds, self._tell = seconds, tell
        self._sign, self._over = threading.Event(), False
        self._trials = 0
        self._steps: dict[int, int] = {}
        self._thread = threading.Thread(target=self._wait, daemon=True, name="stall")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._sign.set()

    def forward(self, *, ended: bool = False) -> None:
        """Something has gone forward: a step, or a trial that has ended."""
        self._trials += ended
        self._sign.set()

    def training(self, step: int, of: int, **values: float) -> None:  # noqa: ARG002 (a watcher is told more)
        self.forward()

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        if self._steps.get(number) != step:
            self._steps[number] = step
            self.forward()

    def recorded(self, history: History, trial: Trial) -> None:  # noqa: ARG002
        self._steps.pop(trial.number, None)
        self.forward(ended=True)

    def held(self, history: History, why: str) -> None:  # noqa: ARG002
        self.forward()

    def _wait(self) -> None:
        while not self._over:
            self._sign.clear()
            if not self._over and not self._sign.wait(self._seconds):
                self._tell(f"nothing has gone forward for {self._seconds:g} s, after {self._trials} trials of this run")
                self._sign.wait()


def automations() -> list[dict[str, Any]]:
    """The sections of the shipped `automations.yaml`."""
    text = resources.files("zbo_deployments").joinpath("automations.yaml").read_text(encoding="utf-8")
    return list(parse(text, "automations.yaml")["automations"])


def notify(url: str) -> list[str]:
    """Have the server of PREFECT_API_URL call `url`: the names of the automations, which replace those of before."""
    block = Webhook(
        url=SecretStr(web_address("the address that is notified", url)),
        headers=SecretDict({"Content-Type": "application/json"}),
    )
    webhook = cast(UUID, block.save(BLOCK, overwrite=True))  # a coroutine in a flow that is one
    wanted = [AutomationCore.model_validate(_addressed(section, webhook)) for section in automations()]
    with get_client(sync_client=True) as client:
        for automation in wanted:
            for earlier in client.read_automations_by_name(automation.name):
                client.delete_automation(earlier.id)
            client.create_automation(automation)
    return [automation.name for automation in wanted]


def _addressed(section: Mapping[str, Any], webhook: UUID) -> dict[str, Any]:
    return {**section, "actions": [{**action, "block_document_id": webhook} for action in section["actions"]]}
