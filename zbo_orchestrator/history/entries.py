"""One row after another: a plan and its trials, a start, an outcome, put into tables and large arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zbo_orchestrator.history import schema
from zbo_orchestrator.history.charter import to_json
from zbo_orchestrator.history.contents import Contents
from zbo_orchestrator.model import (
    Array,
    Attempt,
    Evidence,
    ExecutionError,
    HistoryError,
    Measurement,
    Plan,
    Score,
    Status,
    Trial,
)


class Entries:
    """Enters rows into memory and into the session of the store; nothing is committed here.

    Whatever is refused is refused before the first change.
    """

    def __init__(self, contents: Contents, now: Callable[[], float]) -> None:
        self._charter, self._store = contents.charter, contents.store
        self._state, self._large = contents.state, contents.large
        self._now = now

    # --- plans ---

    def plan(self, plan: Plan, evidence: Evidence, seen: int) -> list[int]:
        """A plan that saw some evidence at a tick, and its trials; returns their numbers."""
        self._refuse_plan(plan)
        row = self._append_plan(plan, to_json(plan.memory), evidence, seen)
        return [self._append_trial(row, z, why) for z, why in zip(plan.z, plan.reasons, strict=True)]

    def _refuse_plan(self, plan: Plan) -> None:
        m, d = self._charter.space.candidates.shape
        if plan.z.shape[1] != d or not np.isfinite(plan.z).all():
            raise HistoryError(f"plan asks for {plan.z.tolist()}; wanted finite points of {d} dimensions")
        for name, values in plan.maps.items():
            if np.shape(values) != (m,):
                raise HistoryError(f"map {name!r} has shape {np.shape(values)}; wanted [{m}], one value a candidate")

    def _append_plan(self, plan: Plan, memory: str, evidence: Evidence, seen: int) -> int:
        counts, number = self._state[schema.PLAN_COUNTS], self._state.plans
        kept = bool(plan.maps) and schema.map_is_kept(number)
        row = self._next_map_row() if kept else -1
        if kept:
            self._large.write_maps(row, plan.maps)
        seconds = evidence.budget.seconds
        self._state[schema.PLAN_NUMBERS].append(
            at=self._now(), elapsed=evidence.elapsed, seconds=np.nan if seconds is None else seconds
        )
        self._state[schema.PLAN_WORDS].append(memory=memory)
        return counts.append(
            sequence=self._state.tick(),
            seen=seen,
            first=self._state.trials,
            size=len(plan.z),
            initial=evidence.budget.initial,
            total=evidence.budget.total,
            map=row,
        )

    def _next_map_row(self) -> int:
        return int(self._state[schema.PLAN_COUNTS].column("map").max(initial=-1)) + 1

    def _append_trial(self, plan: int, z: Array, reason: str) -> int:
        state = self._state
        latent = dict(zip(state[schema.Z].columns, z.tolist(), strict=True))
        state[schema.Z].append(**latent)
        state[schema.NUMBERS].append(proposed_at=self._now())
        state[schema.WORDS].append(reason=reason)
        return state[schema.COUNTS].append(status=int(Status.PROPOSED), plan=plan, attempts=0)

    # --- trials ---

    def start(self, number: int, attempt: int) -> None:
        self._refuse_recorded(number)
        tick = self._state.tick()
        self._state[schema.COUNTS].set(number, status=int(Status.STARTED), started=tick, attempts=attempt)
        self._state[schema.NUMBERS].set(number, started_at=self._now())

    def outcome(self, trial: Trial) -> None:
        """All of a trial; raises `ExecutionError` where a scored one's measurement does not fit."""
        self._refuse_recorded(trial.number)
        measurement, error = self._storable(trial)
        self._write_large(trial, measurement)
        if isinstance(trial.outcome, Score):
            self._write_score(trial.number, trial.outcome)
        self._append_attempts(trial.number, trial.attempts)
        self.close(trial.number, trial.status, error)

    def _storable(self, trial: Trial) -> tuple[Measurement | None, str]:
        measurement = trial.measurement
        if isinstance(trial.outcome, Score):
            if measurement is not None:
                self._large.check(measurement)
            return measurement, ""
        if measurement is None:
            return None, str(trial.outcome)
        if self._large.forms() is None:
            return None, f"{trial.outcome} (its measurement is not kept: no trial is scored yet)"
        try:
            self._large.check(measurement)
        except ExecutionError as misfit:
            return None, f"{trial.outcome} (its measurement is not kept: {misfit})"
        return measurement, str(trial.outcome)

    def _write_large(self, trial: Trial, measurement: Measurement | None) -> None:
        self._large.write_trajectory(trial.number, trial.trajectory)
        if measurement is None:
            return
        if self._large.forms() is None:
            self._large.fix(measurement)
        self._large.write_measurement(trial.number, measurement)
        self._state[schema.COUNTS].set(trial.number, measured=1)
        if measurement.executed is not None:
            self._state[schema.COUNTS].set(trial.number, executed_steps=measurement.executed.steps)
            self._state[schema.NUMBERS].set(trial.number, executed_dt=measurement.executed.dt)

    def _write_score(self, number: int, score: Score) -> None:
        noise = np.nan if score.noise is None else score.noise
        self._state[schema.NUMBERS].set(number, value=score.value, noise=noise)
        if score.terms:
            self._state.write_terms(self._store, number, score.terms)

    def _append_attempts(self, number: int, attempts: tuple[Attempt, ...]) -> None:
        for attempt in attempts:
            row = {
                "trial": number,
                "attempt": attempt.number,
                "seed": int(attempt.seed),
                "started": attempt.started,
                "ended": attempt.ended,
                "error": attempt.error,
            }
            self._state[schema.ATTEMPTS].append(json=to_json(row))
        if attempts:
            self._state[schema.COUNTS].set(number, attempts=attempts[-1].number)

    def close(self, number: int, status: Status, error: str) -> None:
        """The trial is recorded, now."""
        self._state[schema.COUNTS].set(number, status=int(status), recorded=self._state.tick())
        self._state[schema.NUMBERS].set(number, recorded_at=self._now())
        if error:
            self._state[schema.WORDS].set(number, error=error)

    def _refuse_recorded(self, number: int) -> None:
        if not 0 <= number < self._state.trials:
            raise HistoryError(f"trial {number} was never proposed; the history holds {self._state.trials} trials")
        if not self._state.waiting[number]:
            status = Status(int(self._state.status[number])).name.lower()
            raise HistoryError(f"trial {number} is {status} already; wanted one without a record")
