"""What stands on a flow run's page: each artifact once, brought up to date as the run goes on."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect import get_client
from prefect.artifacts import Artifact, ImageArtifact
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectHTTPStatusError

from zbo_flows.server import pages
from zbo_orchestrator.place import Place

_MAP = "trials by score, and what the envelope lets through"


def key(name: str) -> str:
    """A name as Prefect wants the keys of artifacts: small ASCII letters, digits and dashes."""
    return "".join(letter if letter.isalnum() else "-" for letter in ascii(name.lower())).strip("-")


class Page:
    """Prefect keeps every artifact that is created: a night's refreshments would bury the page."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[UUID, Any]] = {}

    def put(self, artifact: Artifact) -> None:
        """Show an artifact, in the place of the one before with its key."""
        key, data = str(artifact.key), artifact.format(_sync=True)  # type: ignore[call-arg]
        if key not in self._shown:
            self._shown[key] = (artifact.create(_sync=True).id, data)  # type: ignore[call-arg, union-attr]
        elif data != self._shown[key][1] and not self._update(key, data):
            del self._shown[key]
            self.put(artifact)

    def _update(self, key: str, data: Any) -> bool:
        """Whether the server still had it: somebody may have deleted it there."""
        shown, _ = self._shown[key]
        with get_client(sync_client=True) as client:
            try:
                client.update_artifact(shown, ArtifactUpdate(data=data))
            except PrefectHTTPStatusError as refused:
                if refused.response.status_code != HTTPStatus.NOT_FOUND:
                    raise
                return False
        self._shown[key] = (shown, data)
        return True


def pictures(key: str, served: str, steps: int) -> list[ImageArtifact]:
    """Figures of a history of trajectories so long, drawn when somebody looks: Prefect keeps addresses only."""
    best = ("best-trajectory", "the best so far") if steps > 1 else ("parameters", "the best is ringed")
    return [
        ImageArtifact(image_url=f"{served}/{figure}.png", key=f"{key}-{figure}", description=words)
        for figure, words in (best, ("latent-space", _MAP))
    ]


def served(history: Place) -> str:
    """The address of a history on `zbo pages`; empty where nothing is served, or it is not in the working folder."""
    address, folder, here = pages(), history.folder.resolve(), Path.cwd()
    if not address or history.remote or here not in folder.parents:
        return ""
    return f"{address}/{quote(folder.relative_to(here).as_posix())}"
