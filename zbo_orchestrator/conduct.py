"""One sitting of a campaign: its history opened, its workers hired, its trials run while somebody watches."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from zbo_orchestrator.arming import Arming
from zbo_orchestrator.breaker import Breaker
from zbo_orchestrator.campaign import Campaign
from zbo_orchestrator.certification import cards
from zbo_orchestrator.executors.dask_cluster import on_cluster
from zbo_orchestrator.executors.guarded import bare, guarded
from zbo_orchestrator.executors.interlocked import interlocked
from zbo_orchestrator.executors.supervised import Supervised, drives
from zbo_orchestrator.history import History, Record
from zbo_orchestrator.hopeless import Peers, Rule, curve
from zbo_orchestrator.interlocks import Monitor
from zbo_orchestrator.model import ConfigurationError, Goal, Status, Stopped, Trial, Workers
from zbo_orchestrator.oversight import Oversight
from zbo_orchestrator.place import Address, Place
from zbo_orchestrator.planners.sentinels import Sentinels
from zbo_orchestrator.workers import Inline, Progress, Threads, sweep

WorkersKind = Literal["inline", "threads", "processes", "dask"]
BREAKER = 5
"""Failures in a row after which a campaign with an instrument is paused, where its file says nothing else."""


class Watcher:
    """Sees a campaign go by; override what you care for."""

    def training(self, step: int, of: int, **values: float) -> None:
        """The decoder is learning."""

    def opened(self, history: History) -> None:
        """The history stands; nothing of this sitting has run yet."""

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:
        """Trial `number` is at `step`; called in the trial's own thread."""

    def recorded(self, history: History, trial: Trial) -> None:
        """A trial has been written down. A `Stopped` raised here ends the campaign, and the trials under way."""

    def interlocked(self, why: str) -> None:
        """An interlock keeps trials from starting or going on; "" once they do. Called in the trial's own thread."""

    def held(self, history: History, why: str) -> None:
        """Nothing may start until people answer; told several times a second, and once with "" when it goes on."""


@dataclass(frozen=True, slots=True)
class Watchers(Watcher):
    """Several watchers as one."""

    watchers: tuple[Watcher, ...]

    def training(self, step: int, of: int, **values: float) -> None:
        for watcher in self.watchers:
            watcher.training(step, of, **values)

    def opened(self, history: History) -> None:
        for watcher in self.watchers:
            watcher.opened(history)

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:
        for watcher in self.watchers:
            watcher.running(number, step, of, values)

    def recorded(self, history: History, trial: Trial) -> None:
        for watcher in self.watchers:
            watcher.recorded(history, trial)

    def interlocked(self, why: str) -> None:
        for watcher in self.watchers:
            watcher.interlocked(why)

    def held(self, history: History, why: str) -> None:
        for watcher in self.watchers:
            watcher.held(history, why)


class Hopeless(Watcher):
    """Ends hopeless trials by a rule, from the curves of trials that the history holds."""

    def __init__(self, rule: Rule, goal: Goal) -> None:
        self._name, self._peers = rule.value, Peers(rule, goal)

    def opened(self, history: History) -> None:
        for number in np.flatnonzero(history.status == Status.SCORED):
            self.recorded(history, history.trial(int(number)))

    def running(self, number: int, step: int, of: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        reason = self._peers.verdict(step, of, values[self._name]) if self._name in values else ""
        if reason:
            raise Stopped(reason)

    def recorded(self, history: History, trial: Trial) -> None:  # noqa: ARG002 (a watcher is given the history too)
        if trial.status is Status.SCORED and trial.measurement is not None:
            self._peers.add(*curve(trial.measurement, self._name))


def conduct(
    campaign: Campaign,
    path: Address,
    watcher: Watcher,
    *,
    workers: WorkersKind = "inline",
    cluster: str = "",
    live: bool = False,
    patience: float | None = None,
    dressed: Callable[[Campaign], Campaign] = lambda campaign: campaign,
) -> None:
    """Open the history at `path` and run the campaign on it until the planner stops, or somebody does.

    cluster   the address of the Dask scheduler whose workers run the trials; empty: processes of this machine
    live      arms the instrument that the campaign names (see `arming`)
    patience  seconds to wait for people where the campaign is paused, or a trial needs their leave; None: for ever
    dressed   wraps the roles that run trials for an observer; the history is opened with the bare ones
    """
    Place.of(path).folder.parent.mkdir(parents=True, exist_ok=True)
    if campaign.hopeless is not None:  # after the watcher, which so sees what a trial is ended for
        watcher = Watchers((watcher, Hopeless(campaign.hopeless, campaign.goal)))
    breaker = campaign.breaker or Breaker(BREAKER if drives(campaign.executor) else None)
    with (
        placed(campaign, workers, cluster, live=live) as campaign,  # noqa: PLR1704 (the same campaign, as it will run)
        campaign.open(path, watcher.training) as history,
        _overseen(campaign, history, watcher, breaker, patience) as (oversight, progress),
        _interlocked(campaign, history, watcher) as (campaign, noted),
        hired(campaign, workers, path, progress, dressed) as (crew, watched),
        _followed(watched.run(history, crew, oversight)) as trials,
    ):
        if history.state == "finished":
            oversight.attend(deque())  # more budget may be asked for
        sweep(scratch_folder(path), {proposal.number for proposal in history.waiting()})
        watcher.opened(history)
        for trial in trials:
            noted()
            watcher.recorded(history, trial)


@contextmanager
def _followed(trials: Generator[Trial]) -> Iterator[Iterator[Trial]]:
    """The trials of a loop that ends as whoever follows it does: closed by a `Stopped`, interrupted by all else."""
    try:
        yield trials
    except Stopped:
        trials.close()
        raise
    except BaseException as error:
        trials.throw(error)
        raise


@contextmanager
def _interlocked(
    campaign: Campaign, history: History, watcher: Watcher
) -> Iterator[tuple[Campaign, Callable[[], None]]]:
    """The campaign with its executor under its interlocks, and what writes down how those changed meanwhile."""
    monitor = Monitor(campaign.interlocks)

    def noted() -> None:
        for change in monitor.changes():
            history.event("interlock", **asdict(change))

    if not campaign.interlocks:
        yield campaign, noted
        return
    try:
        with monitor:
            yield replace(campaign, executor=interlocked(campaign.executor, monitor, watcher.interlocked)), noted
    finally:
        noted()


@contextmanager
def _overseen(
    campaign: Campaign, history: History, watcher: Watcher, breaker: Breaker, patience: float | None
) -> Iterator[tuple[Oversight, Progress]]:
    """What people and rules have to say, and who hears of a trial's progress."""
    sentinels = campaign.planner if isinstance(campaign.planner, Sentinels) else None
    oversight = Oversight(history, campaign.approval, breaker, sentinels, patience, watcher.held)

    def progress(number: int, step: int, of: int, values: Mapping[str, float]) -> None:
        watcher.running(number, step, of, values)
        oversight.running(number, step, of, values)

    yield oversight, progress


@contextmanager
def placed(campaign: Campaign, kind: WorkersKind, cluster: str = "", *, live: bool = False) -> Iterator[Campaign]:
    """The campaign with its executor where its trials will run; raises `ConfigurationError` where it may not be there.

    On a cluster's workers an envelope stands on both sides too, and nothing ends a trial by force.
    """
    if cluster and kind != "dask":
        raise ConfigurationError(f"cluster {cluster} with workers {kind}; wanted workers dask")
    if live and not (drives(campaign.executor) and not campaign.simulated):
        why = "the campaign file says `simulated: true`" if campaign.simulated else "the executor drives no instrument"
        warnings.warn(f"live arms nothing here: {why}", stacklevel=4)
    if kind != "dask":
        with supervised(campaign, kind, live=live) as campaign:  # noqa: PLR1704
            yield campaign
        return
    _check_travels(campaign)
    with on_cluster(campaign.executor, campaign.width, cluster) as executor:
        yield replace(campaign, executor=guarded(executor, campaign.envelope))


def _check_travels(campaign: Campaign) -> None:
    if drives(campaign.executor):
        raise ConfigurationError("workers dask: the executor drives an instrument, which stays here; wanted inline")
    if not campaign.travels:
        raise ConfigurationError("workers dask: travels is false; wanted `travels: true` in the campaign file")
    if campaign.timeouts.trial is not None:
        seconds = f"{campaign.timeouts.trial:g}"
        raise ConfigurationError(f"workers dask: timeouts.trial is {seconds}; wanted null: no worker is ended by force")


@contextmanager
def supervised(campaign: Campaign, kind: WorkersKind, *, live: bool = False) -> Iterator[Campaign]:
    """The campaign with its executor in a child process, guarded on both sides of its boundary.

    Where that is asked for, where a trial's time is limited or an interlock may end it, and always where it drives an
    instrument: which then is connected, and whose own envelope counts from the atlas on. Raises `ConfigurationError`
    where it is to drive two at once, is not armed or certified, or is another than was armed, and `FatalError` where
    it is taken or cannot be made safe.
    """
    instrument = drives(campaign.executor)
    aborts = any(interlock.action == "abort" for interlock in campaign.interlocks)
    if kind != "processes" and campaign.timeouts.trial is None and not instrument and not aborts:
        yield campaign
        return
    if instrument and campaign.width > 1:
        raise ConfigurationError(f"width is {campaign.width}; wanted 1: an instrument runs one trial at a time")
    arming = Arming(campaign.instrument, campaign.simulated, live) if instrument else None
    if arming is not None:
        arming.check(bare(campaign.executor))
        if campaign.instrument is not None and not campaign.simulated:
            cards.require(campaign.executor, campaign.instrument)
    children = Supervised(campaign.executor, campaign.timeouts, f"campaign {campaign.name}", arming)
    with closing(children):
        if instrument:
            children.start()
        envelope = campaign.envelope
        if children.description is not None:
            envelope = envelope.stricter(children.description.envelope)
        executor = guarded(children, envelope, children.description)
        yield replace(campaign, executor=executor, envelope=envelope)


@contextmanager
def hired(
    campaign: Campaign,
    kind: WorkersKind,
    path: Address,
    progress: Progress,
    dressed: Callable[[Campaign], Campaign] = lambda campaign: campaign,
) -> Iterator[tuple[Workers, Campaign]]:
    """Workers for a campaign's executor."""
    scratch = scratch_folder(path)
    watched = dressed(campaign)
    try:
        if kind == "inline" or watched.width == 1:
            yield Inline(watched.executor, scratch, progress), watched
        else:
            yield Threads(watched.executor, watched.width, scratch, progress), watched
    finally:
        if scratch.is_dir() and not any(scratch.iterdir()):
            scratch.rmdir()


def budgeted(
    campaign: Campaign,
    path: Address,
    *,
    trials: int | None = None,
    add: int | None = None,
    until: int | None = None,
    reopen: bool | None = None,
) -> Campaign:
    """The campaign with a budget of `trials` in all, or of `add` more than the history holds, never beyond `until`.

    reopen   whether one that a person stopped goes on; None: with `add`, or a larger budget than it has
    """
    if trials is not None and add is not None:
        raise ConfigurationError(f"trials {trials} and add {add}: wanted one of them")
    found = Record.read(path) if History.exists(path) else None
    if add is not None:
        trials = add + (found.ended if found is not None else 0)
    if until is not None:
        trials = min(campaign.budget.total if trials is None else trials, until)
    asked = campaign if trials is None else campaign.with_budget(trials)
    if found is None or not found.stopped:
        return asked if add is None else replace(asked, budget_by="run")
    more = asked.budget.total > found.budget.total
    if reopen or (reopen is None and (add is not None or more)):
        budget = found.budget if trials is None and not more else asked.budget
        return replace(asked, budget=budget, budget_by="run")
    return replace(campaign, budget=found.budget, budget_by="history")


def history_path(campaign: Campaign, given: Address = "") -> Place:
    """Where a campaign's history is kept: as given, or under its name in `histories/`."""
    return Place.of(given if str(given) else Path("histories") / campaign.name)


def scratch_folder(path: Address) -> Path:
    """Where running trials of the history at `path` keep their files, each in a folder named by its number."""
    return Place.of(path).beside(".scratch")
