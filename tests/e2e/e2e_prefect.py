"""A Prefect API as its clients see it: flow runs asked for, watched, and what their page shows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx
from e2e_lab import eventually


@dataclass(frozen=True)
class Api:
    url: str

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """An answer; asked again, as Prefect's own clients do, while the server's database is busy (503)."""
        for _ in range(20):
            response = httpx.request(method, f"{self.url}/{path}", json=body, timeout=30)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        return response.raise_for_status().json()

    def deployed(self) -> set[str]:
        return {each["name"] for each in self.post("deployments/filter", {})}

    def deployment(self, name: str) -> str:
        return str(self.get(f"deployments/name/zbo-campaign/{name}")["id"])

    def trigger(self, deployment: str, **parameters: object) -> str:
        """The id of a flow run, to be run now."""
        path = f"deployments/{self.deployment(deployment)}/create_flow_run"
        return str(self.post(path, {"parameters": parameters, "state": {"type": "SCHEDULED"}})["id"])

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The flow runs of a deployment, but for those that a schedule holds ready."""
        found = self.post("flow_runs/filter", {"deployments": {"name": {"any_": [name]}}})
        return [run for run in found if not run["auto_scheduled"]]

    def scheduled(self, name: str) -> int:
        found = self.post("flow_runs/filter", {"deployments": {"name": {"any_": [name]}}})
        return sum(run["auto_scheduled"] for run in found)

    def state(self, run: str) -> dict[str, Any]:
        return dict(self.get(f"flow_runs/{run}")["state"])

    def ended(self, run: str) -> tuple[str, str]:
        """The name and the message of a run's last state, once it has one."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        eventually(lambda: self.state(run)["type"] in final, f"flow run {run} ends")
        state = self.state(run)
        return state["name"], state["message"] or ""

    def shown(self, run: str) -> dict[str, Any]:
        """The artifacts on a run's page, by their keys."""
        wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}}
        return {each["key"]: each["data"] for each in self.post("artifacts/filter", wanted)}


def drawn(address: str) -> bytes:
    """A picture, as a browser gets it."""
    return httpx.get(address, timeout=60).raise_for_status().content
