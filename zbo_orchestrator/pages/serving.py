"""A folder's histories over HTTP, until interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


def serve(folder: Path, host: str, port: int, names: Sequence[str] = ()) -> None:
    """Serve a folder's histories at an address of this machine.

    names   what browsers may call it by; left out, this machine on loopback and anything elsewhere. A web page whose
            name leads here can so not have a browser read them.
    """
    served = _OnDemand(folder, names or names_of(host))
    uvicorn.run(served, host=host, port=port, log_level="warning", lifespan="off", timeout_graceful_shutdown=3)


def names_of(host: str) -> tuple[str, ...]:
    """By what a server bound to `host` may be called."""
    loopback = host == "localhost" or host.startswith("127.")
    return (host, "127.0.0.1", "localhost") if loopback else ("*",)


class _OnDemand:
    """Loads what reads and draws with the first request: beside a run that nobody watches it costs little."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder, self._names = folder, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = await asyncio.to_thread(lambda: self._served)
        await served(scope, receive, send)

    @cached_property
    def _served(self) -> ASGIApp:
        from zbo_orchestrator.pages.application import application  # noqa: PLC0415

        return application(self._folder, self._names)
