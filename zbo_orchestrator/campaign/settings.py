"""The sections of a campaign file that are not parts, as pydantic models; field texts end up in `zbo schema`."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import BaseModel, FiniteFloat, StringConstraints

from zbo_orchestrator.breaker import Breaker
from zbo_orchestrator.campaign.complaints import Problem, brief, meant
from zbo_orchestrator.campaign.parts import STRICT
from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.hopeless import Rule
from zbo_orchestrator.interlocks import Interlock, Reading
from zbo_orchestrator.model import Budget, Channel, Goal, Planner
from zbo_orchestrator.planners.sentinels import Sentinels

Pair = tuple[FiniteFloat, FiniteFloat]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^\w[\w .+-]*$")]


class Section(BaseModel):
    model_config = STRICT


class GoalSection(Section):
    direction: Literal["maximize", "minimize"] = "maximize"
    target: FiniteFloat | None = None
    """The value at which to stop asking for more; null for none."""

    def value(self) -> Goal:
        return Goal(self.direction == "maximize", self.target)


class BudgetSection(Section):
    initial: Annotated[int, Ge(1)] = 20
    """Trials before the model takes over."""
    total: Annotated[int, Ge(1)] = 80
    """Trials in all, the initial ones included."""
    seconds: Annotated[FiniteFloat, Gt(0)] | None = None
    """Wall-clock time over all sessions; null for no limit."""

    def value(self) -> Budget:
        return Budget(self.initial, self.total, self.seconds)


class ChannelSection(Section):
    name: Annotated[str, StringConstraints(min_length=1)]
    unit: str = ""
    """Empty for a dimensionless quantity."""


class LibrarySection(Section):
    """The curves that the decoder learns from."""

    steps: Annotated[int, Ge(2)]
    """Steps of every curve."""
    dt: Annotated[FiniteFloat, Gt(0)]
    """Time between steps, in the campaign's unit of time."""
    channels: Annotated[list[ChannelSection], Len(1)]
    bounds: Pair | Annotated[list[Pair], Len(1)]
    """[lower, upper] that curves are scaled into; one pair for all channels or one for each."""
    families: Annotated[list[Any], Len(1)]
    """Parts of the group zbo.families, each with its count and options."""

    def channel_values(self) -> tuple[Channel, ...]:
        return tuple(Channel(channel.name, channel.unit) for channel in self.channels)


class AtlasSection(Section):
    """How the latent space is charted."""

    grid: Annotated[list[Annotated[int, Ge(2)]], Len(1)] | None = None
    """Points along each latent dimension; null for the default: 100 x 100 in two dimensions, Sobol points above."""
    candidates: Annotated[int, Ge(16)] = 10_000
    """Sobol points where there is no grid."""
    support: Annotated[FiniteFloat, Gt(0)] | None = None
    """How far from the library's nearest code a point may lie, in shares of the latent box; null: anywhere in it."""


class LimitsSection(Section):
    lower: FiniteFloat | None = None
    upper: FiniteFloat | None = None
    slew: Annotated[FiniteFloat, Gt(0)] | None = None
    """Largest change per unit of time."""
    step: Annotated[FiniteFloat, Gt(0)] | None = None
    """Largest change from one value to the next."""
    energy: Annotated[FiniteFloat, Gt(0)] | None = None
    """Largest signal energy: the sum of the squared values, times dt."""

    def value(self) -> Limits:
        return Limits(**{name: limit for name, limit in self.model_dump().items() if limit is not None})


class EnvelopeSection(Section):
    """What a trajectory may do; a quantity without a limit is unbounded."""

    channels: dict[str, LimitsSection] = {}
    """Limits by channel name, in the channel's unit."""
    duration: Annotated[FiniteFloat, Gt(0)] | None = None
    """Longest duration, steps x dt."""

    def value(self) -> Envelope:
        limits = {name: section.value() for name, section in self.channels.items()}
        return Envelope(limits, inf if self.duration is None else self.duration)


class HopelessSection(Section):
    """Ends a running trial that reports worse, by the goal's direction, than most scored trials had at the same step.

    Its status is `stopped`: it has no score, no planner learns from it, and its point is not asked again.
    """

    value: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")]
    """What is judged: the name of a reported value, and of the measured array [report] that holds all reports of it.

    The steps of the reports stand in the array `<value>_step`; without one they are 1, 2, 3 and so on. An executor that
    keeps checkpoints reports a step before it keeps it, so that a trial that is resumed is judged as any other.
    """
    quantile: Annotated[FiniteFloat, Gt(0), Lt(1)] = 0.25
    """Of the scored trials' values at the step, from the worst: 0.25 stops what is among their worst quarter."""
    after: Annotated[FiniteFloat, Ge(0), Lt(1)] = 0.5
    """Share of a trial's steps before which nothing is judged."""
    trials: Annotated[int, Ge(1)] = 10
    """Scored trials that there must be to judge by."""
    direction: Literal["maximize", "minimize"] | None = None
    """Which way the value is better, such as minimize for a loss; null: as the campaign's goal."""

    def rule(self) -> Rule:
        return Rule(self.value, self.quantile, self.after, self.trials, self.direction)


class BreakerSection(Section):
    """Pauses the campaign, for people to look, where too many trials fail; each rule is off where it is null."""

    failures: Annotated[int, Ge(1)] | None = 5
    """So many in a row."""
    share: Annotated[FiniteFloat, Gt(0), Lt(1)] | None = None
    """More than this share of the last `of` trials."""
    of: Annotated[int, Ge(2)] = 20

    def value(self) -> Breaker:
        return Breaker(self.failures, self.share, self.of)


class SentinelsSection(Section):
    """Runs one trajectory again and again, to see whether the apparatus still answers as it did."""

    every: Annotated[int, Ge(1)] = 10
    """Other trials between two sentinels; the first trial is one too. They count as trials of the budget."""
    z: Annotated[tuple[FiniteFloat, ...], Len(1)] | None = None
    """The latent point; null: the feasible one nearest to the middle of the latent box."""
    limit: Annotated[FiniteFloat, Gt(0)] | None = None
    """How far its score may drift from the first one before the campaign is paused; null: however far."""

    def around(self, planner: Planner) -> Planner:
        return Sentinels(planner, self.every, self.z, self.limit)


Seconds = Annotated[FiniteFloat, Gt(0)]


class TimeoutsSection(Section):
    """How long each layer of supervision waits, in seconds, before the next one acts."""

    trial: Seconds | None = None
    """A whole trial, which fails then; null: as long as it takes. It makes any executor run in a child process."""
    heartbeat: Seconds = 5.0
    """A process that was silent for so long counts as hung."""
    ask: Seconds = 2.0
    """For a trial that was asked to stop to end at its next report."""
    abort: Seconds = 2.0
    """For a trial to end once it was aborted."""
    safe: Seconds = 10.0
    """For the instrument to reach its safe state and read it back."""
    terminate: Seconds = 2.0
    """For a process to end by SIGTERM before it is killed."""
    start: Seconds = 120.0
    """For an executor to connect and stage."""
    lease: Seconds = 30.0
    """For whoever still makes the instrument safe to be done with it."""

    def value(self) -> Timeouts:
        return Timeouts(**self.model_dump())


class InterlockSection(Section):
    """A number that has to stay within limits: nothing starts while one does not, or cannot be read."""

    reading: Any
    """Part of the group zbo.interlocks: where the number comes from."""
    name: str = ""
    """Empty: that of the part."""
    lower: FiniteFloat | None = None
    upper: FiniteFloat | None = None
    hysteresis: Annotated[FiniteFloat, Ge(0)] = 0.0
    """How far inside the limits it has to be to be clear again."""
    settle: Annotated[FiniteFloat, Ge(0)] = 0.0
    """Seconds that it has to be there before."""
    every: Seconds = 1.0
    """Seconds between two looks."""
    action: Literal["hold", "abort"] = "hold"
    """What becomes of a running trial: held at its next report until all is clear, or ended."""

    def value(self, reading: Reading, use: str) -> Interlock:
        lower = -inf if self.lower is None else self.lower
        upper = inf if self.upper is None else self.upper
        return Interlock(self.name or use, reading, lower, upper, self.hysteresis, self.settle, self.every, self.action)


class CampaignFile(Section):
    """A campaign: what to optimise, within which limits, by whom."""

    name: Name
    """Also the name of the default history folder."""
    goal: GoalSection = GoalSection()
    seed: Seed = 0
    """Every random number of the campaign follows from it."""
    trial_seed: Literal["fixed", "per-trial"] = "fixed"
    """The seed an executor is given: the campaign's for every trial, or one derived for each."""
    budget: BudgetSection = BudgetSection()
    width: Annotated[int, Ge(1)] = 1
    """Trials in flight at once; only 1 repeats exactly."""
    batches: bool = False
    """Whether the planner waits until all `width` trials have ended, and then plans as many: any width repeats then."""
    retries: Annotated[int, Ge(0)] = 0
    """Further attempts at a trial that failed for a passing reason."""
    interrupted: Literal["go-on", "ask"] = "go-on"
    """What to do with a trial whose process died and whose executor may not repeat it: record it and go on, or ask."""
    durability: Literal["process", "power"] = "process"
    """What a committed trial survives: the end of the process, or a power cut too (slower)."""
    simulated: bool = False
    """Whether nothing can be harmed: an instrument that does not say so itself is refused."""
    travels: bool = False
    """Whether trials may run on other machines (`--workers dask`): the executor finds there all that it needs."""
    instrument: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The identity that the instrument has to give, such as its answer to *IDN?; it is driven with `--live` only."""
    approval: bool = False
    """Whether every trial waits until a person approves it (`zbo approve`) or vetoes it."""
    breaker: BreakerSection | None = None
    """When to pause because trials fail; null: after 5 in a row where an instrument is driven, else never."""
    sentinels: SentinelsSection | None = None
    """Watches for drift; null: nothing is run twice."""
    notes: dict[str, Any] = {}
    """Anything worth keeping: sample, operator, purpose."""
    timeouts: TimeoutsSection = TimeoutsSection()
    interlocks: list[InterlockSection] = []
    """What else has to hold while trials run."""
    hopeless: HopelessSection | None = None
    """Which running trials are not worth finishing; null finishes all: what looks bad early may end well."""
    library: LibrarySection | None = None
    """Not needed where the decoder learns nothing."""
    decoder: Any
    """Part of the group zbo.decoders: latent point to trajectory."""
    atlas: AtlasSection = AtlasSection()
    envelope: EnvelopeSection = EnvelopeSection()
    planner: Any
    """Part of the group zbo.planners: where to look next."""
    executor: Any
    """Part of the group zbo.executors: runs a trajectory."""
    evaluator: Any
    """Part of the group zbo.evaluators: measurement to score."""


def contradictions(file: CampaignFile) -> Iterator[Problem]:
    """What is wrong between values that are each fine alone."""
    if file.budget.initial > file.budget.total:
        yield "budget.initial", f"got {file.budget.initial}; wanted no more than total, {file.budget.total}"
    for index, lock in enumerate(file.interlocks):
        lower, upper = (-inf if lock.lower is None else lock.lower), (inf if lock.upper is None else lock.upper)
        if lower == -inf and upper == inf:
            yield f"interlocks.{index}", "got neither limit; wanted lower, upper or both"
        elif not lower + lock.hysteresis < upper - lock.hysteresis:
            said = f"got lower {lower:g}, upper {upper:g}, hysteresis {lock.hysteresis:g}"
            yield f"interlocks.{index}", f"{said}; wanted room between the limits"
    for name, limits in file.envelope.channels.items():
        if limits.lower is not None and limits.upper is not None and not limits.lower < limits.upper:
            yield f"envelope.channels.{name}", f"got lower {limits.lower}, upper {limits.upper}; wanted lower < upper"
    if file.library is not None:
        yield from _of_library(file.library)
        known = [channel.name for channel in file.library.channels]
        for name in file.envelope.channels:
            if name not in known:
                yield (
                    f"envelope.channels.{name}",
                    f"no such channel; wanted one of {', '.join(known)}{meant(name, known)}",
                )


def _of_library(library: LibrarySection) -> Iterator[Problem]:
    names = [channel.name for channel in library.channels]
    if len(set(names)) < len(names):
        yield "library.channels", f"got {brief(names)}; wanted every name once"
    pairs = library.bounds if isinstance(library.bounds, list) else [library.bounds]
    if isinstance(library.bounds, list) and len(pairs) != len(names):
        yield "library.bounds", f"got {len(pairs)} pairs for {len(names)} channels; wanted one pair, or one for each"
    for lower, upper in pairs:
        if not lower < upper:
            yield "library.bounds", f"got [{lower}, {upper}]; wanted lower < upper"
