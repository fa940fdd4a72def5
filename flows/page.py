"""What stands on a flow run's page: each artifact once, brought up to date as the run goes on."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect import get_client
from prefect.artifacts import Artifact, ImageArtifact
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectHTTPStatusError

from zbo_flows.server import PAGES
from zbo_orchestrator.place import Place

_FIGURES = {
    "best-trajectory": "the best trajectory so far",
    "latent-space": "trials by score, and what the envelope lets through",
}


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
        self._shown[key] = (shown, data)
        with get_client(sync_client=True) as client:
            try:
                client.update_artifact(shown, ArtifactUpdate(data=data))
            except PrefectHTTPStatusError as refused:
                if refused.response.status_code != HTTPStatus.NOT_FOUND:
                    raise
                return False
        return True


def pictures(key: str, served: str) -> list[ImageArtifact]:
    """Figures of a history, drawn when somebody looks: Prefect keeps the addresses of pictures only."""
    return [
        ImageArtifact(image_url=f"{served}/{figure}.png", key=f"{key}-{figure}", description=words)
        for figure, words in _FIGURES.items()
    ]


def served(history: Place) -> str:
    """The address of a history on `zbo pages`; empty where nothing is served, or it is not in the working folder."""
    pages, folder, here = os.environ.get(PAGES, ""), history.folder.resolve(), Path.cwd()
    if not pages or history.remote or here not in folder.parents:
        return ""
    return f"{pages.rstrip('/')}/{quote(folder.relative_to(here).as_posix())}"
