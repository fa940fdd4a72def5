"""The closed loop: plan, decode, execute, evaluate, record, repeat (Biswas et al. 2023, Table 1)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from zbo_orchestrator.model import (
    Attempt,
    Budget,
    Decoder,
    Evaluator,
    Evidence,
    ExecutionError,
    HistoryError,
    Job,
    Measurement,
    Plan,
    Planner,
    Proposal,
    Score,
    Stop,
    Stopped,
    Trajectory,
    TransientError,
    Trial,
    Vetoed,
    Workers,
)


class Ledger(Protocol):
    """What the loop asks of a history: every plan is written before it is acted on, every outcome after."""

    @property
    def repeatable(self) -> bool: ...
    def waiting(self) -> Sequence[Proposal]: ...
    def evidence(self) -> Evidence: ...
    def propose(self, plan: Plan) -> Sequence[Proposal]: ...
    def start(self, number: int) -> None: ...
    def check(self, measurement: Measurement) -> None: ...
    def record(self, trial: Trial) -> None: ...
    def transaction(self) -> AbstractContextManager[None]: ...
    def finish(self, reason: str) -> None: ...


class Oversight(Protocol):
    """What stands between a plan and its trial: people, and rules that ask for people."""

    @property
    def stopped(self) -> str:
        """Why somebody ended the campaign; empty while nobody did."""
        ...

    def admit(self, waiting: deque[Proposal], *, idle: bool) -> tuple[Proposal, Vetoed | None] | None:
        """Take the next proposal from those waiting, with the veto it ends by; None: nothing may start now.

        May put others before them, and waits where nothing is under way (`idle`).
        """
        ...

    def recorded(self, trial: Trial) -> None: ...


class Unseen:
    """An oversight that lets everything run."""

    stopped = ""

    def admit(self, waiting: deque[Proposal], *, idle: bool) -> tuple[Proposal, None] | None:  # noqa: ARG002
        return (waiting.popleft(), None) if waiting else None

    def recorded(self, trial: Trial) -> None:
        """Let it be."""


def run(
    history: Ledger,
    planner: Planner,
    decoder: Decoder,
    evaluator: Evaluator,
    workers: Workers,
    *,
    width: int = 1,
    batches: bool = False,
    retries: int = 0,
    seed_of: Callable[[int], int] = lambda number: number,
    oversight: Oversight | None = None,
) -> Generator[Trial]:
    """Yield each trial once it is recorded, until the planner stops and nothing is in flight.

    Up to `width` trials are in flight; each one that ends is replaced by a plan that knows what is pending, those that
    ended while another was planned for by one plan together, and, in `batches`, all of them once the last has ended.
    A `TransientError` is tried again up to `retries` times; every attempt is recorded.
    Closing the generator stops what is in flight and records it. After any other interruption, trials of a
    repeatable executor are left proposed, to be run again when the campaign goes on.
    """
    if width < 1:
        raise ValueError(f"width is {width}; wanted at least 1")
    waiting, seen_by = deque(history.waiting()), oversight or Unseen()
    loop = _Loop(history, planner, decoder, evaluator, workers, width, batches, retries, seed_of, seen_by, waiting)
    try:
        loop.plan()
        while True:
            yield from loop.launch()
            for number, result in workers.results():
                if loop.try_again(number, result):
                    loop.plan()  # for those that ended just before it
                    yield from loop.launch()
                    continue
                with loop.one_commit():
                    trial = loop.record(number, result)
                    loop.plan()
                workers.forget(number)
                vetoed = list(loop.launch(patient=False)) if loop.flights else []  # places stay full while others look
                yield trial
                yield from vetoed
                yield from loop.launch()
            if not loop.goes_on():
                break
    except GeneratorExit:
        loop.land("the campaign was closed", deliberate=True)
        raise
    except BaseException as cause:
        loop.land(f"the campaign was interrupted ({type(cause).__name__})", deliberate=False)
        raise
    history.finish(loop.stopped)


@dataclass(slots=True)
class _Flight:
    """A trial under way."""

    proposal: Proposal
    trajectory: Trajectory
    started: float
    attempts: tuple[Attempt, ...] = ()


@dataclass(slots=True)
class _Loop:
    history: Ledger
    planner: Planner
    decoder: Decoder
    evaluator: Evaluator
    workers: Workers
    width: int
    batches: bool
    retries: int
    seed_of: Callable[[int], int]
    oversight: Oversight
    waiting: deque[Proposal]
    flights: dict[int, _Flight] = field(default_factory=dict)
    stopped: str = ""
    stopped_at: Budget | None = None
    refused: HistoryError | None = None

    def one_commit(self) -> AbstractContextManager[None]:
        """A record and the next plan share a commit, unless losing the record would lose an experiment."""
        return self.history.transaction() if self.history.repeatable else nullcontext()

    @property
    def free(self) -> int:
        return self.width - len(self.flights) - len(self.waiting)

    def plan(self) -> None:
        """Fill the free places with proposals: once nothing else has ended, in batches once all are free."""
        if self.workers.ready() or (self.batches and self.free < self.width):
            return
        while not self.stopped and self.free > 0:  # a planner may answer with fewer points than asked
            evidence = self.history.evidence()
            plan = self.planner.plan(evidence, self.free)
            if isinstance(plan, Stop):
                self.stopped, self.stopped_at = plan.reason, evidence.budget
            else:
                self.waiting.extend(self.history.propose(plan))

    def launch(self, *, patient: bool = True) -> Iterator[Trial]:
        """Hand the waiting proposals to the workers; yields those that are vetoed instead.

        Waits for people where it is patient and nothing is under way.
        """
        while len(self.flights) < self.width and self.refused is None:
            admitted = self.oversight.admit(self.waiting, idle=patient and not self.flights)
            self.stopped = self.stopped or self.oversight.stopped
            if admitted is None:
                return
            proposal, veto = admitted
            trajectory = self.decoder.decode(proposal.z[None])[0]
            if veto is not None:
                yield self.withdraw(Trial(proposal, trajectory, veto))
                continue
            if not self._noted(proposal):
                return
            self.flights[proposal.number] = _Flight(proposal, trajectory, time.time())
            self.workers.start([self._job(proposal.number)])

    def _noted(self, proposal: Proposal) -> bool:
        """Write down that a trial begins. Where that is refused, those under way end first: nobody can repeat them."""
        try:
            if not self.history.repeatable:
                self.history.start(proposal.number)
        except HistoryError as refused:
            if not self.flights:
                raise
            self.refused, self.stopped = refused, str(refused)
            self.waiting.appendleft(proposal)
            return False
        return True

    def goes_on(self) -> bool:
        """Nothing is under way any more: whether people, who were asked meanwhile, want more than the planner knew of.

        Raises what refused a trial its start.
        """
        if self.refused is not None:
            raise self.refused
        if self.oversight.stopped or (not self.waiting and self.history.evidence().budget == self.stopped_at):
            return False
        self.stopped = ""
        self.plan()
        return bool(self.waiting)

    def withdraw(self, vetoed: Trial) -> Trial:
        """Write down that a trial is not to run, and plan another."""
        with self.one_commit():
            self.history.record(vetoed)
            self.oversight.recorded(vetoed)
            self.plan()
        return vetoed

    def try_again(self, number: int, result: Measurement | ExecutionError) -> bool:
        """Start another attempt after a passing failure, where one is left."""
        flight = self.flights[number]
        if not isinstance(result, TransientError) or len(flight.attempts) >= self.retries:
            return False
        flight.attempts += (self._attempt(flight, result),)
        flight.started = time.time()
        self.workers.start([self._job(number)])
        return True

    def record(self, number: int, result: Measurement | ExecutionError) -> Trial:
        """Score what came back and write it down."""
        flight = self.flights.pop(number)
        measurement, outcome = self._judge(flight.trajectory, result)
        error = outcome if isinstance(outcome, ExecutionError) else None
        attempts = (*flight.attempts, self._attempt(flight, error))
        trial = Trial(flight.proposal, flight.trajectory, outcome, measurement, attempts)
        self.history.record(trial)
        self.oversight.recorded(trial)
        return trial

    def land(self, reason: str, *, deliberate: bool) -> None:
        """Stop what is in flight and wait for it; record what ended for good, and what was stopped on purpose."""
        for number in self.flights:
            self.workers.stop(number, reason)
        for number, result in self.workers.results():
            if deliberate or not self.history.repeatable or not isinstance(result, Stopped | TransientError):
                self.record(number, result)

    def _judge(
        self, trajectory: Trajectory, result: Measurement | ExecutionError
    ) -> tuple[Measurement | None, Score | ExecutionError]:
        if isinstance(result, ExecutionError):
            return None, result
        try:
            self.history.check(result)
        except ExecutionError as misfit:
            return None, misfit
        try:
            return result, self.evaluator.evaluate(trajectory, result)
        except ExecutionError as unscorable:
            return result, unscorable

    def _job(self, number: int) -> Job:
        flight = self.flights[number]
        return Job(number, len(flight.attempts) + 1, self.seed_of(number), flight.trajectory)

    def _attempt(self, flight: _Flight, error: ExecutionError | None) -> Attempt:
        seed = self.seed_of(flight.proposal.number)
        message = f"{type(error).__name__}: {error}" if error else ""
        return Attempt(len(flight.attempts) + 1, seed, flight.started, time.time(), message)
