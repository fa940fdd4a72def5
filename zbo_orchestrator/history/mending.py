"""Making salvaged tables agree again: rows that were lost in part are told from what is left, or given up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.state import State
from zbo_orchestrator.history.tables import Table
from zbo_orchestrator.model import Array, Status

_LOST = "what became of it could not be read"


def mend(tables: dict[str, Table], *, repeatable: bool) -> tuple[State, list[str]]:
    """The state that the tables still tell, and in words what had to be given up."""
    _drop_blank_journal_rows(tables)
    for layout in schema.TABLES:
        if layout.path in tables and layout.dims[0] in ("trial", "plan"):
            _fit(tables, layout.dims[0])
    given_up = [*_mend_plans(tables), *_mend_trials(tables, repeatable=repeatable)]
    return State(tables), given_up


def _drop_blank_journal_rows(tables: dict[str, Table]) -> None:
    for layout in (schema.EVENTS, schema.SESSIONS, schema.ATTEMPTS):
        kept = Table(layout)
        for text in tables[layout.path].column("json"):
            if text:
                kept.append(json=text)
        tables[layout.path] = kept


def _fit(tables: dict[str, Table], axis: str) -> None:
    """All tables of one axis end with the last row that any of them knows."""
    ours = [table for table in tables.values() if table.layout.dims[0] == axis]
    count = max(_used(table) for table in ours)
    for table in ours:
        table.trim(count)


def _used(table: Table) -> int:
    values = table.values
    if table.layout.kind == "f8":
        used = np.isfinite(values).any(axis=1)
    else:
        used = (values != ("" if table.layout.kind == "str" else -1)).any(axis=1)
    rows = np.flatnonzero(used)
    return int(rows[-1]) + 1 if len(rows) else 0


def _tick_at(tables: dict[str, Table], at: float) -> int:
    """The tick that something took at a time: one more than the last one known before."""
    counts, numbers = tables[schema.COUNTS.path], tables[schema.NUMBERS.path]
    ticks = [tables[schema.PLAN_COUNTS.path].column("sequence"), counts.column("started"), counts.column("recorded")]
    times = [tables[schema.PLAN_NUMBERS.path].column("at"), numbers.column("started_at"), numbers.column("recorded_at")]
    known, when = np.concatenate(ticks), np.concatenate(times)
    return int(known[(known >= 0) & (when < at)].max(initial=0)) + 1


# --- plans ---


def _mend_plans(tables: dict[str, Table]) -> Iterator[str]:
    counts, numbers = tables[schema.PLAN_COUNTS.path], tables[schema.PLAN_NUMBERS.path]
    owners = tables[schema.COUNTS.path].column("plan")
    for plan in range(counts.count):
        row = counts.row(plan)
        if row["sequence"] < 0:
            first, size = _owned(owners, plan, int(counts.column("first")[plan - 1 : plan].sum()))
            proposed_at = tables[schema.NUMBERS.path].column("proposed_at")[first : first + 1]
            tick = _tick_at(tables, float(proposed_at.min(initial=np.inf)))
            counts.set(plan, sequence=tick, seen=tick - 1, first=first, size=size, initial=0, total=0, map=-1)
            yield f"plan {plan}: its tick is inferred, its budget and maps are lost"
        if np.isnan(numbers.row(plan)["elapsed"]):
            numbers.set(plan, at=_some(numbers.row(plan)["at"]), elapsed=0.0)
            yield f"plan {plan}: when it was made is lost"


def _owned(owners: Array, plan: int, default: int) -> tuple[int, int]:
    rows = np.flatnonzero(owners == plan)
    return (int(rows[0]), len(rows)) if len(rows) else (default, 0)


def _some(value: float) -> float:
    return 0.0 if np.isnan(value) else value


# --- trials ---


def _mend_trials(tables: dict[str, Table], *, repeatable: bool) -> Iterator[str]:
    counts = tables[schema.COUNTS.path]
    for number in range(counts.count):
        if counts.row(number)["plan"] < 0:
            yield _infer_counts(tables, number)
        yield from _settle(tables, number, repeatable=repeatable)


def _infer_counts(tables: dict[str, Table], number: int) -> str:
    plans, numbers = tables[schema.PLAN_COUNTS.path], tables[schema.NUMBERS.path].row(number)
    first = plans.column("first")
    plan = max(0, int(np.searchsorted(first, number, side="right")) - 1)
    scored, recorded = np.isfinite(numbers["value"]), np.isfinite(numbers["recorded_at"])
    status = Status.SCORED if scored else Status.FAILED if recorded else Status.PROPOSED
    tick = _tick_at(tables, numbers["recorded_at"]) if recorded else -1
    tables[schema.COUNTS.path].set(number, status=int(status), plan=plan, attempts=0, recorded=tick)
    return f"trial {number}: its status is inferred ({status.name.lower()})"


def _settle(tables: dict[str, Table], number: int, *, repeatable: bool) -> Iterator[str]:
    """A row whose parts are of different commits is as far along as the least of them."""
    counts, numbers = tables[schema.COUNTS.path], tables[schema.NUMBERS.path]
    status, value = counts.row(number)["status"], numbers.row(number)["value"]
    known = bool(np.isfinite(tables[schema.Z.path].values[number]).all())
    if status in (Status.PROPOSED, Status.STARTED) and known:
        _forget_outcome(tables, number)
    elif (status == Status.SCORED and np.isnan(value)) or not known:
        yield _give_up(tables, number, again=repeatable and known)


def _forget_outcome(tables: dict[str, Table], number: int) -> None:
    tables[schema.COUNTS.path].set(number, recorded=-1, measured=-1, executed_steps=-1)
    tables[schema.NUMBERS.path].set(number, value=np.nan, noise=np.nan, recorded_at=np.nan, executed_dt=np.nan)
    tables[schema.WORDS.path].set(number, error="")


def _give_up(tables: dict[str, Table], number: int, *, again: bool) -> str:
    tick = tables[schema.COUNTS.path].row(number)["recorded"]
    _forget_outcome(tables, number)
    if again:
        tables[schema.COUNTS.path].set(number, status=int(Status.PROPOSED))
        return f"trial {number}: {_LOST}; it waits to be run again"
    latest = int(max(tables[schema.COUNTS.path].column("recorded").max(), 0))
    recorded = tick if tick >= 0 else latest + 1
    tables[schema.COUNTS.path].set(number, status=int(Status.INTERRUPTED), recorded=recorded)
    tables[schema.WORDS.path].set(number, error=_LOST)
    return f"trial {number}: {_LOST}; it counts as interrupted"
