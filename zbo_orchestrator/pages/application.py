"""What is served: `/`, `/<history>/report` and `/<history>/<figure>.png`. It reads, and changes nothing."""

from __future__ import annotations

import io
import threading
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from zbo_orchestrator.history import disk
from zbo_orchestrator.model import HistoryError
from zbo_orchestrator.pages.shelf import histories, is_history, line
from zbo_orchestrator.place import Place
from zbo_orchestrator.report import writing
from zbo_orchestrator.report.compared import Compared
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.gallery import figure_of
from zbo_orchestrator.report.rendering import drawing, png
from zbo_orchestrator.report.templates import filled

_FRESH = {"Cache-Control": "no-cache"}
_DRAWING = threading.Lock()
"""Matplotlib's settings are the process's: one drawing at a time."""


def application(folder: Path, hosts: Sequence[str] = ("*",)) -> Starlette:
    """Serve the histories in a folder to whoever calls this machine by one of the names `hosts`."""
    shelf = _Shelf(folder.resolve())
    routes = [
        Route("/", shelf.contents),
        Route("/{history:path}/report", shelf.report),
        Route("/{history:path}/{figure}.png", shelf.picture),
        Route("/{history:path}", shelf.short),
    ]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=[*hosts], www_redirect=False)
    return Starlette(
        routes=routes, middleware=[guard], exception_handlers={HistoryError: _unreadable, OSError: _unreadable}
    )


class _Shelf:
    """Starlette calls these in threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def contents(self, _: Request) -> Response:
        found = [(path.relative_to(self._folder).as_posix(), line(path)) for path in histories(self._folder)]
        return HTMLResponse(filled("contents.html", folder=str(self._folder), found=found), headers=_FRESH)

    def report(self, request: Request) -> Response:
        path = self._history(request)
        with _DRAWING:
            return HTMLResponse(_report(path, _state(path)), headers=_FRESH)

    def short(self, request: Request) -> Response:
        """Its report, which has an address of its own."""
        self._history(request)
        return RedirectResponse(f"{request.url.path.rstrip('/')}/report")

    def picture(self, request: Request) -> Response:
        path, name = self._history(request), request.path_params["figure"]
        with _DRAWING:
            drawn = _picture(path, name, _state(path))
        if drawn is None:
            raise HTTPException(404, f"{path.name} has no figure {name!r}, or not yet")
        return Response(drawn, media_type="image/png", headers=_FRESH)

    def _history(self, request: Request) -> Path:
        name = request.path_params["history"]
        path: Path = (self._folder / name).resolve()
        if self._folder not in path.parents or not is_history(path):
            raise HTTPException(404, f"no history {name} in the folder that is served")
        return path


def _unreadable(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=500)


def _state(path: Path) -> Hashable:
    """What a report is drawn of: the history's commit, its scan, its comparison. Drawn anew when one has changed."""
    scan, final = (Place(path).beside(ending) for ending in (".scan", ".final"))
    return disk.reference(path), is_history(scan) and disk.reference(scan), final.exists() and final.stat().st_mtime_ns


@lru_cache(maxsize=4)
def _found(path: Path, _state: Hashable) -> tuple[Findings, Compared | None]:
    return writing.found(path)


@lru_cache(maxsize=4)
def _report(path: Path, state: Hashable) -> str:
    with drawing():
        return writing.text(*_found(path, state))


@lru_cache(maxsize=64)
def _picture(path: Path, name: str, state: Hashable) -> bytes | None:
    with drawing():
        figure = figure_of(_found(path, state)[0], name)
        if figure is None:
            return None
        drawn = io.BytesIO()
        png(figure, drawn)
    return drawn.getvalue()
