"""The small state of a history, whole in memory: who was proposed and recorded when, by a logical clock.

Every propose, start and record takes the next tick; events and sessions note the last one, so that a campaign
that was interrupted counts like one that was not. A plan stores the tick it had seen, so what it saw can be told at
any time: the rows recorded by then, the proposals pending by then, the memory of the last plan made by then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.store import Store
from zbo_orchestrator.history.tables import Layout, Table
from zbo_orchestrator.model import Array, Attempt, Budget, Evidence, Goal, HistoryError, Json, Space, Status

_OPEN = (Status.PROPOSED, Status.STARTED)


@dataclass(frozen=True, eq=False)
class PlanRow:
    """One plan as committed: which trials it proposed and why, and what it had seen (tick, budget, elapsed)."""

    number: int
    first: int
    size: int
    z: Array
    reasons: tuple[str, ...]
    memory: Json
    at: float
    sequence: int
    seen: int
    budget: Budget
    elapsed: float
    map: int
    """Row of the stored maps, -1 where they were not kept."""


class State:
    """All tables, and what follows from them."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = dict(tables)
        self._parsed: dict[str, list[dict[str, Any]]] = {}
        self.clock = self._last_tick()

    @classmethod
    def blank(cls, dimension: int) -> State:
        latent = tuple(f"z{index}" for index in range(dimension))
        layouts = [layout for layout in schema.TABLES if layout.path not in schema.OPTIONAL]
        return cls({layout.path: Table(layout, latent if layout is schema.Z else ()) for layout in layouts})

    @classmethod
    def load(cls, store: Store, present: set[str]) -> State:
        """From a store in which those paths are present."""
        counts = {layout.path: Table.load(layout, store) for layout in (schema.COUNTS, schema.PLAN_COUNTS)}
        ends = ends_of(counts)
        rest = [layout for layout in schema.TABLES if layout.path in present and layout.path not in counts]
        tables = {layout.path: Table.load(layout, store, ends.get(layout.dims[0])) for layout in rest}
        return cls(trimmed({**counts, **tables}, ends))

    def create(self, store: Store) -> None:
        for table in self.tables.values():
            table.create(store)

    def write(self, store: Store) -> None:
        for table in self.tables.values():
            table.write(store)

    def rewrite(self, store: Store) -> None:
        """Write every row."""
        for table in self.tables.values():
            table.touch()
        self.write(store)

    @property
    def changed(self) -> bool:
        return any(table.changed for table in self.tables.values())

    def __getitem__(self, layout: Layout) -> Table:
        return self.tables[layout.path]

    # --- the clock ---

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def _last_tick(self) -> int:
        ticks, _ = self._stamps()
        return int(ticks.max(initial=0))

    def _stamps(self) -> tuple[Array, Array]:
        """Every tick that was taken, and the time at which."""
        counts, numbers, plans = self[schema.COUNTS], self[schema.NUMBERS], self[schema.PLAN_COUNTS]
        ticks = [plans.column("sequence"), counts.column("started"), counts.column("recorded")]
        times = [self[schema.PLAN_NUMBERS].column("at"), numbers.column("started_at"), numbers.column("recorded_at")]
        taken = np.concatenate(ticks)
        return taken[taken >= 0], np.concatenate(times)[taken >= 0]

    def spent(self) -> float:
        """Seconds worked over all sessions: from each one's opening to the last stamp it left."""
        ticks, times = self._stamps()
        sessions = self.journal(schema.SESSIONS)
        bounds = [*(row["sequence"] for row in sessions), self.clock]
        total = 0.0
        for index, row in enumerate(sessions):
            within = times[(ticks > bounds[index]) & (ticks <= bounds[index + 1])]
            events = [event["at"] for event in self.journal(schema.EVENTS) if event["session"] == index]
            total += float(np.max([*within, *events], initial=row["at"])) - row["at"]
        return total

    # --- trials ---

    @property
    def trials(self) -> int:
        return self[schema.COUNTS].count

    @property
    def z(self) -> Array:
        return self[schema.Z].values

    @property
    def status(self) -> Array:
        return self[schema.COUNTS].column("status")

    @property
    def waiting(self) -> Array:
        """Mask [trial]: proposed or started, not recorded."""
        return np.isin(self.status, _OPEN)

    def terms(self, number: int) -> dict[str, float]:
        table = self.tables.get(schema.TERMS.path)
        if table is None or number >= table.count:
            return {}
        return {name: value for name, value in table.row(number).items() if not np.isnan(value)}

    def write_terms(self, store: Store, number: int, terms: Mapping[str, float]) -> None:
        """The terms of one score; a term met for the first time gets a column."""
        table = self.tables.get(schema.TERMS.path)
        new = tuple(name for name in terms if table is None or name not in table.columns)
        if table is None:
            table = Table(schema.TERMS, new)
            table.create(store)
        elif new:
            table = table.widen(new)
        self.tables[schema.TERMS.path] = table
        table.pad(self.trials)
        table.set(number, **{name: float(value) for name, value in terms.items()})

    def attempts(self, number: int) -> tuple[Attempt, ...]:
        """Every recorded attempt at a trial."""
        rows = (row for row in self.journal(schema.ATTEMPTS) if row["trial"] == number)
        return tuple(Attempt(row["attempt"], row["seed"], row["started"], row["ended"], row["error"]) for row in rows)

    # --- journals ---

    def journal(self, layout: Layout) -> list[dict[str, Any]]:
        """All rows, parsed once: a journal only grows."""
        parsed = self._parsed.setdefault(layout.path, [])
        parsed += [json.loads(row) for row in self[layout].column("json")[len(parsed) :]]
        return parsed

    def budget(self, founding: Budget) -> Budget:
        """The one in force: the latest of the campaign file's and of a person's."""
        return self._latest("budget", asdict(founding), _budget)  # type: ignore[no-any-return]

    def filed_budget(self, founding: Budget) -> Budget:
        """The campaign file's latest."""
        filed = [
            row["data"] for row in self.journal(schema.EVENTS) if row["kind"] == "budget" if "by" not in row["data"]
        ]
        return _budget(filed[-1]) if filed else founding

    def name(self, founding: str) -> str:
        return str(self._latest("name", {"to": founding}, lambda data: data["to"]))

    def notes(self, founding: Json) -> Json:
        return dict(self._latest("notes", {"to": founding}, lambda data: data["to"]))

    def _latest(self, kind: str, founding: Json, read: Any) -> Any:
        data = founding
        for row in self.journal(schema.EVENTS):
            data = row["data"] if row["kind"] == kind else data
        return read(data)

    def stop_reason(self) -> str | None:
        """Why the campaign is finished, None while it runs."""
        reason = None
        for row in self.journal(schema.EVENTS):
            if row["kind"] == "finish":
                reason = str(row["data"]["reason"])
            elif row["kind"] == "reopen":
                reason = None
        return reason

    # --- plans and what they saw ---

    @property
    def plans(self) -> int:
        return self[schema.PLAN_COUNTS].count

    def plan(self, number: int) -> PlanRow:
        if not 0 <= number < self.plans:
            raise HistoryError(f"plan {number} does not exist; the history holds plans 0 to {self.plans - 1}")
        counts, numbers = self[schema.PLAN_COUNTS].row(number), self[schema.PLAN_NUMBERS].row(number)
        rows = slice(counts["first"], counts["first"] + counts["size"])
        seconds = None if np.isnan(numbers["seconds"]) else numbers["seconds"]
        return PlanRow(
            number=number,
            first=counts["first"],
            size=counts["size"],
            z=self.z[rows].copy(),
            reasons=tuple(self[schema.WORDS].column("reason")[rows]),
            memory=self._memory(number),
            at=numbers["at"],
            sequence=counts["sequence"],
            seen=counts["seen"],
            budget=Budget(counts["initial"], counts["total"], seconds),
            elapsed=numbers["elapsed"],
            map=counts["map"],
        )

    def _memory(self, plan: int) -> dict[str, Any]:
        text = self[schema.PLAN_WORDS].column("memory")[plan]
        return dict(json.loads(text)) if text else {}

    def evidence(self, space: Space, goal: Goal, budget: Budget, elapsed: float, seen: int | None = None) -> Evidence:
        """What could be known at tick `seen` (None: now)."""
        seen = self.clock if seen is None else seen
        counts, numbers = self[schema.COUNTS], self[schema.NUMBERS]
        planned = self[schema.PLAN_COUNTS].column("sequence")
        made = int(np.searchsorted(planned, seen, side="right"))
        proposed = counts.column("plan") < made
        recorded = counts.column("recorded")
        known = proposed & (recorded >= 0) & (recorded <= seen)
        known_z = np.isfinite(self.z).all(axis=1)
        rows, pending = known & known_z, proposed & ~known & known_z
        return Evidence(
            space=space,
            z=self.z[rows],
            y=numbers.column("value")[rows],
            noise=numbers.column("noise")[rows],
            status=self.status[rows],
            pending=self.z[pending],
            proposed=int(proposed.sum()),
            memory=self._memory(made - 1) if made else {},
            goal=goal,
            budget=budget,
            elapsed=elapsed,
        )


def _budget(data: Json) -> Budget:
    return Budget(data["initial"], data["total"], data["seconds"])


def ends_of(tables: Mapping[str, Table]) -> dict[str, int]:
    """How many rows the axes of trials and plans have: a trial has a plan, a plan a tick."""
    return {
        "trial": _used(tables[schema.COUNTS.path].column("plan") >= 0),
        "plan": _used(tables[schema.PLAN_COUNTS.path].column("sequence") >= 0),
    }


def trimmed(tables: Mapping[str, Table], ends: Mapping[str, int]) -> dict[str, Table]:
    """Tables cut to the rows that are; a journal row has text."""
    for table in tables.values():
        row = table.layout.dims[0]
        table.trim(ends[row] if row in ends else _used(table.column("json") != ""))
    return dict(tables)


def _used(mask: Array) -> int:
    """One more than the last row that is used."""
    rows = np.flatnonzero(mask)
    return int(rows[-1]) + 1 if len(rows) else 0
