"""What lies where in a store of this schema: tables, their columns, and how often maps are kept."""

from __future__ import annotations

from zbo_orchestrator.history.tables import Layout

SCHEMA = 1
MAPS_ALL, MAPS_EVERY = 200, 10
"""Maps are kept of every plan up to the first, of every so many-th after."""

_SECONDS = "s"
_EPOCH = {"proposed_at": _SECONDS, "started_at": _SECONDS, "recorded_at": _SECONDS}

Z = Layout("z", ("trial", "latent"), "f8", 256)
NUMBERS = Layout(
    "numbers",
    ("trial", "number"),
    "f8",
    128,
    ("value", "noise", "proposed_at", "started_at", "recorded_at", "executed_dt"),
    _EPOCH,
)
COUNTS = Layout(
    "counts",
    ("trial", "count"),
    "i8",
    256,
    ("status", "plan", "attempts", "started", "recorded", "measured", "executed_steps"),
)
WORDS = Layout("words", ("trial", "word"), "str", 32, ("reason", "error"))
TERMS = Layout("terms", ("trial", "term"), "f8", 256)
PLAN_COUNTS = Layout(
    "plans/counts", ("plan", "count"), "i8", 256, ("sequence", "seen", "first", "size", "initial", "total", "map")
)
PLAN_NUMBERS = Layout(
    "plans/numbers", ("plan", "number"), "f8", 256, ("at", "elapsed", "seconds"), {"at": _SECONDS, "elapsed": _SECONDS}
)
PLAN_WORDS = Layout("plans/words", ("plan", "word"), "str", 16, ("memory",))
EVENTS = Layout("events", ("event", "field"), "str", 64, ("json",))
SESSIONS = Layout("sessions", ("session", "field"), "str", 64, ("json",))
ATTEMPTS = Layout("attempts", ("attempt", "field"), "str", 64, ("json",))
TABLES = (Z, NUMBERS, COUNTS, WORDS, TERMS, PLAN_COUNTS, PLAN_NUMBERS, PLAN_WORDS, EVENTS, SESSIONS, ATTEMPTS)
OPTIONAL = frozenset({TERMS.path})

MAPS = "plans/maps"
TRAJECTORY = "trajectory"
EXECUTED = "executed"
MEASURED = "measured"
DOCUMENT = "charter/document"
CANDIDATES, MARGINS, DECODER, LIBRARY = (
    "charter/candidates",
    "charter/margins",
    "charter/decoder",
    "charter/library",
)


def map_is_kept(plan: int) -> bool:
    return plan < MAPS_ALL or plan % MAPS_EVERY == 0
