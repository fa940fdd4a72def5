"""Who watches a flow run besides Prefect, such as a terminal: too alive to be a flow's parameter.

They stand in a module of their own: a runner pickles a flow's function with all that it names, and these cannot be.
(Nor can annotations that are texts, whose names it leaves behind: the flows' modules postpone none.)
"""

from __future__ import annotations

from contextvars import ContextVar

from zbo_orchestrator.comparison import Audience
from zbo_orchestrator.conduct import Watcher

AUDIENCE: ContextVar[Watcher] = ContextVar("AUDIENCE", default=Watcher())  # noqa: B039 (a Watcher holds no state)
COMPARISON: ContextVar[Audience] = ContextVar("COMPARISON", default=Audience())  # noqa: B039 (nor does an Audience)


def watcher() -> Watcher:
    """Of a campaign."""
    return AUDIENCE.get()


def attended() -> bool:
    """Whether somebody watches a campaign besides Prefect, and sees to the process once the flow run is over."""
    return AUDIENCE.get(None) is not None


def listener() -> Audience:
    """Of a comparison."""
    return COMPARISON.get()
