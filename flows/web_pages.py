"""Which web pages may speak to a server of this machine: its own alone.

Prefect's API starts whatever it is asked to, and by default answers every page that the browser of somebody at this
machine has open. A browser says in `Origin` which page asks, and in `Host` by what name it called.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def own_pages_only(application: ASGIApp, names: Sequence[str]) -> ASGIApp:
    """Refuse requests of other servers' pages, and those that call this server by none of its `names` ("*": any)."""
    return TrustedHostMiddleware(_SameOrigin(application), allowed_hosts=[*names], www_redirect=False)


class _SameOrigin:
    """Programs say no origin, and a page of this server the name that it was called by."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] in {"http", "websocket"} else Headers()
        origin = headers.get("origin")
        if origin is None or urlsplit(origin).netloc == headers.get("host"):
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            refused = f"a page of {origin} asks {headers.get('host')}; wanted one of this server's own"
            await PlainTextResponse(refused, status_code=403)(scope, receive, send)
