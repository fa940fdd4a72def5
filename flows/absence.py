"""A Prefect server that is gone, or ails: it holds no trial up, ends none, and no process whose campaign is over.

Prefect's client tries each request for a minute, and what it holds of events for several seconds each when the process
ends: minutes for a process that has nothing left to do, its history being written and closed.
"""

import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from uuid import UUID

from httpx import HTTPError, TransportError
from prefect import flow_engine
from prefect.client.orchestration import get_client
from prefect.context import SettingsContext, get_settings_context
from prefect.exceptions import ObjectNotFound, TerminationSignal
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from zbo_flows import audience
from zbo_orchestrator.model import ZboError

GRACE = 5.0
"""Seconds that a flow run's process may take to end by itself without its server."""
RENEWALS = 5
"""Of a slot's lease in the time that it lasts."""
_log = logging.getLogger(__name__)
_RUNNERS = "PREFECT__FLOW_RUN_ID"
"""Set by a runner in the process that it starts for a flow run: no notebook's, no program's own."""
_ANSWER = 5.0
"""Seconds to wait for an answer."""
_QUIET = 60.0
"""Seconds in which a server that let one wait so long is asked nothing."""
_hung: dict[str, float] = {}
"""When an address let one wait in vain."""


def gone() -> bool:
    """Whether no server answers at the configured address; without one Prefect has a server in this process."""
    url = PREFECT_API_URL.value()
    if url is None:
        return False
    if time.monotonic() - _hung.get(url, -inf) < _QUIET:
        return True
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=_ANSWER):
            return False
    except (urllib.error.URLError, OSError) as silence:
        if TimeoutError in {type(silence), type(getattr(silence, "reason", None))}:
            _hung[url] = time.monotonic()
        return True


@contextmanager
def outlived(doing: str) -> Iterator[None]:
    """Have the server show something: what it does not take is logged, and the campaign goes on.

    A server answers that it is well while its database is locked, or its disk is full.
    """
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}):
            yield
    except (HTTPError, ObjectNotFound) as refused:
        get_run_logger().warning("%s: the server did not take it: %s", doing, refused)


def shown(what: str, show: Callable[[], object]) -> None:
    """Have the server show what is shown again soon: nothing is asked of one that is gone."""
    if gone():
        _log.debug("%s is not shown: no server answers", what)
        return
    with outlived(what):
        show()


@contextmanager
def kept(lease: UUID, seconds: float, **_: bool) -> Iterator[None]:
    """Hold a deployment's slot while the server lets us, by a lease of so many seconds, and go on where it does not.

    Prefect would throw an error into whatever runs then, a trial perhaps, whose measurement is lost. What keeps two
    runs from one instrument is the instrument's own lease.
    """
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(lease, seconds, over), daemon=True, name="slot")
    thread.start()
    try:
        yield
    finally:
        over.set()


def _renew(lease: UUID, seconds: float, over: threading.Event) -> None:
    """Several times before it runs out, so that a server may be away in between."""
    with get_client(sync_client=True) as client:
        while not over.is_set():  # at once too: a server may lend for less at first
            try:
                client.renew_concurrency_lease(lease, seconds)
            except (HTTPError, ObjectNotFound) as refused:
                _log.warning("the deployment's slot was not kept: %s", refused)
            over.wait(seconds / RENEWALS)


flow_engine.maintain_concurrency_lease = kept  # type: ignore[attr-defined, assignment]


@contextmanager
def heeded() -> Iterator[None]:
    """Run a campaign in a flow run, which after it asks a server that is gone for nothing twice.

    A runner's process, which nobody attends, ends within `GRACE` seconds then, by force if it has to.
    """
    try:
        yield
    finally:
        _hung.clear()  # it may be well again
        if gone():
            _leave()


def _leave() -> None:
    now = get_settings_context()
    once = now.settings.copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})
    SettingsContext(profile=now.profile, settings=once).__enter__()  # for the rest of this flow run
    if _RUNNERS in os.environ and not audience.attended():
        leaving = threading.Timer(GRACE, os._exit, (1,))
        leaving.daemon = True
        leaving.start()


def reason(error: TransportError) -> BaseException | None:
    """What a campaign ended by, where an error of the goodbye to Prefect hides it; None: the goodbye alone failed."""
    for cause in _before(error):
        if isinstance(cause, (ZboError, KeyboardInterrupt)):
            return cause
        if isinstance(cause, TerminationSignal):  # Prefect's word for SIGTERM, which it would send again
            return KeyboardInterrupt()
    return None


def _before(error: BaseException) -> Iterator[BaseException]:
    """An error, and what was being handled when it was raised, back to the first."""
    met: BaseException | None = error
    while met is not None:
        yield met
        met = met.__cause__ or met.__context__
