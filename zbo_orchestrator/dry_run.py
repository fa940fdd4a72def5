"""What a campaign would do next, without doing it: trajectories beside their limits, commands, the time it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from zbo_orchestrator.campaign import Campaign, silent
from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.rehearsed import exchange
from zbo_orchestrator.history import History, Record
from zbo_orchestrator.instrument import Addressed
from zbo_orchestrator.model import Array, Evidence, HistoryError, Report, Status, Stop, Trajectory
from zbo_orchestrator.place import Address
from zbo_orchestrator.workers import Handle


@dataclass(frozen=True, slots=True, eq=False)
class Coming:
    """A trial that would run next."""

    number: int
    z: Array
    reason: str
    trajectory: Trajectory


def dry_run(campaign: Campaign, path: Address, trials: int = 1, report: Report = silent) -> Iterator[str]:
    """Lines about the next `trials` of the history at `path`, or the first ones where there is none.

    Nothing is connected and nothing is written there. Raises `HistoryError` where the history is another campaign's.
    """
    device = bare(campaign.executor)
    told = exchange(device, campaign.instrument or "")
    yield f"dry run of {campaign.name}: nothing is connected, nothing is recorded"
    if isinstance(device, Addressed):
        yield f"instrument  {device.resource}"
    yield from told.begin()
    if told.description is not None:
        campaign = replace(campaign, envelope=campaign.envelope.stricter(told.description.envelope))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        record = _record(campaign, path, folder, report, stack)
        coming = _coming(campaign, record, trials)
        if isinstance(coming, Stop):
            yield f"\nno trial would run: {coming.reason}"
            return
        for each in coming:
            yield from _summary(each, campaign.envelope)
            run = Handle(each.number, 1, campaign.seed_of(each.number), folder)
            yield from told.trial(each.trajectory, run, campaign.envelope)
        yield from told.end()
        yield from _expected(campaign, record, coming, told.seconds)


# --- what comes next ------------------------------------------------------------------------------


def _record(campaign: Campaign, path: Address, folder: Path, report: Report, stack: ExitStack) -> Record:
    """The history as it stands, or a new one that is thrown away."""
    if not History.exists(path):
        return stack.enter_context(campaign.open(folder / "history", report))
    record = Record.read(path)
    if not campaign.founded(record):
        raise HistoryError(f"{path} is the history of another campaign")
    return record


def _coming(campaign: Campaign, record: Record, trials: int) -> list[Coming] | Stop:
    """What waits, then what the planner asks for."""
    decoder = campaign.decoder(record)
    cut = () if record.repeatable else np.flatnonzero(record.status == Status.STARTED)
    asked = [(each.number, each.z, record.reasons[each.number]) for each in record.waiting() if each.number not in cut]
    asked = asked[:trials]
    if len(asked) < trials:
        plan = campaign.planner.plan(_evidence(campaign, record), trials - len(asked))
        if isinstance(plan, Stop) and not asked:
            return plan
        if not isinstance(plan, Stop):
            asked += zip(count(len(record)), plan.z, plan.reasons)
    return [Coming(number, z, reason, decoder.decode(z[None])[0]) for number, z, reason in asked]


def _evidence(campaign: Campaign, record: Record) -> Evidence:
    """As the planner will see it once the history is open."""
    evidence = record.evidence()
    space = replace(evidence.space, certify=campaign.certify(record))
    return replace(evidence, space=space, budget=campaign.budget)


# --- in words -------------------------------------------------------------------------------------


def _summary(coming: Coming, envelope: Envelope) -> Iterator[str]:
    """The trajectory's extremes beside their limits."""
    trajectory = coming.trajectory
    place = ", ".join(f"{x:.4g}" for x in coming.z)
    yield from ["", f"trial {coming.number} at z = [{place}]: {coming.reason}"]
    yield f"  {'':<24}{'reached':>12}{'limit':>12}"
    for index, channel in enumerate(trajectory.channels):
        rows = _extremes(trajectory.values[:, index], trajectory.dt, envelope.channels.get(channel.name, Limits()))
        for name, reached, limit in rows:
            yield _row(f"{channel.name} {name}", reached, limit, channel.unit if name in ("lower", "upper") else "")
    yield _row("duration", trajectory.duration, envelope.duration, f"{trajectory.steps} steps of {trajectory.dt:.6g}")


def _extremes(curve: Array, dt: float, limits: Limits) -> list[tuple[str, float, float]]:
    """(limit's name, what curve[step] reaches, limit)."""
    step = float(np.abs(np.diff(curve)).max(initial=0.0))
    reached = {
        "lower": float(curve.min()),
        "upper": float(curve.max()),
        "slew": step / dt,
        "step": step,
        "energy": float(np.square(curve).sum() * dt),
    }
    return [(name, value, getattr(limits, name)) for name, value in reached.items()]


def _row(name: str, reached: float, limit: float, note: str) -> str:
    allowed = f"{limit:.6g}" if np.isfinite(limit) else "none"
    return f"  {name:<24}{reached:>12.6g}{allowed:>12}  {note}".rstrip()


def _expected(campaign: Campaign, record: Record, coming: Sequence[Coming], seconds: float | None) -> Iterator[str]:
    """How long a trial takes and how long the campaign, by what trials took so far or else by their trajectories."""
    left = max(campaign.budget.total - int((~np.isin(record.status, (Status.PROPOSED, Status.STARTED))).sum()), 0)
    lasts = float(np.mean([each.trajectory.duration for each in coming])) * (seconds or 1.0)
    took = [each["ended"] - each["started"] for each in record.attempts if not each["error"]]
    unit = " s" if seconds else " in the campaign's unit of time"
    yield ""
    if took:
        each = float(np.median(took))
        yield f"expected    {each:.4g} s a trial, the median of {len(took)}; its trajectory lasts {lasts:.6g}{unit}"
        yield f"            {_long(each * left)} for the {left} trials to come"
    else:
        yield f"expected    {lasts:.6g}{unit} a trial: its trajectory; setting up and reading back come on top"
        total = _long(lasts * left) if seconds else f"{lasts * left:.6g}{unit}"
        yield f"            {total} for the {left} trials to come"
    if campaign.budget.seconds is not None:
        yield f"            at most {_long(campaign.budget.seconds)}: the campaign's budget"


def _long(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds < 100 else str(timedelta(seconds=round(seconds)))
