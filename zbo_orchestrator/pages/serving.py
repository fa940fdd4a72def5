"""A folder's histories over HTTP, until interrupted."""

from __future__ import annotations

import asyncio
from functools import cached_property
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(folder: Path, host: str, port: int) -> None:
    """Serve a folder's histories at an address of this machine.

    On loopback it answers to this machine's own names only, so that no web page can have a browser read them under
    another.
    """
    hosts = _LOOPBACK if host in _LOOPBACK else ("*",)
    uvicorn.run(
        _OnDemand(folder, hosts), host=host, port=port, log_level="warning", lifespan="off", timeout_graceful_shutdown=3
    )


class _OnDemand:
    """Loads what reads and draws with the first request: beside a run that nobody watches it costs little."""

    def __init__(self, folder: Path, hosts: tuple[str, ...]) -> None:
        self._folder, self._hosts = folder, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = await asyncio.to_thread(lambda: self._served)
        await served(scope, receive, send)

    @cached_property
    def _served(self) -> ASGIApp:
        from zbo_orchestrator.pages.application import application  # noqa: PLC0415

        return application(self._folder, self._hosts)
