"""Any order of steps, deaths and openings, against a plain list."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import annals
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from zbo_orchestrator.history import History, Record, verify
from zbo_orchestrator.model import Budget, Evidence, Proposal, Status, Trial

OUTCOMES = st.sampled_from([None, None, *annals.OUTCOMES])


class Annals(RuleBasedStateMachine):
    """The list holds what was acknowledged; the history must hold just that, however it is left and opened."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="annals-"))
        self.path = self.folder / "history"
        self.seed = 0
        self.proposals: list[Proposal] = []
        self.trials: dict[int, Trial] = {}
        self.started: set[int] = set()
        self.interrupted: set[int] = set()
        self.seen: list[Evidence] = []
        self.budget = Budget(4, 20)
        self.finished = False
        self.past: dict[str, dict[int, Trial]] = {}

    def teardown(self) -> None:
        self.history.close()
        assert verify(self.path) == []
        shutil.rmtree(self.folder)

    def rng(self) -> np.random.Generator:
        self.seed += 1
        return np.random.default_rng(self.seed)

    @initialize(repeatable=st.booleans())
    def found(self, repeatable: bool) -> None:
        self.repeatable = repeatable
        self.history = annals.found(self.path, repeatable=repeatable)

    # --- steps ---

    def _propose(self, n: int, maps: bool) -> None:
        self.seen.append(self.history.evidence())
        plan = annals.plan(self.rng(), n, maps=maps)
        made = self.history.propose(plan)
        assert [proposal.number for proposal in made] == list(range(len(self.proposals), len(self.proposals) + n))
        self.proposals += made

    def _record(self, which: int, outcome: type | None) -> None:
        waiting = self.waiting
        trial = annals.trial(waiting[which % len(waiting)], self.rng(), outcome)
        self.history.record(trial)
        self.trials[trial.number] = trial
        self.started.discard(trial.number)

    @property
    def waiting(self) -> list[Proposal]:
        return [p for p in self.proposals if p.number not in self.trials and p.number not in self.interrupted]

    @rule(n=st.integers(1, 3), maps=st.booleans())
    def propose(self, n: int, maps: bool) -> None:
        self._propose(n, maps)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9), outcome=OUTCOMES)
    def record(self, which: int, outcome: type | None) -> None:
        self._record(which, outcome)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9), outcome=OUTCOMES, n=st.integers(1, 2))
    def record_and_propose(self, which: int, outcome: type | None, n: int) -> None:
        with self.history.transaction():
            self._record(which, outcome)
            self._propose(n, maps=True)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9))
    def start(self, which: int) -> None:
        number = self.waiting[which % len(self.waiting)].number
        self.history.start(number)
        if not self.repeatable:
            self.started.add(number)

    @rule(total=st.integers(5, 50))
    def finish_and_grow(self, total: int) -> None:
        self.history.finish("enough")
        self.finished = True
        grew = total > self.budget.total
        self.budget = Budget(4, total)
        self.history.resume(annals.IDENTITY, budget=self.budget)
        self.finished = not grew
        self._interrupt()

    # --- ends and beginnings ---

    @rule(resume=st.booleans())
    def close_and_open(self, resume: bool) -> None:
        self.history.close()
        self._open(resume)

    @rule(resume=st.booleans(), inside=st.booleans())
    def die_and_open(self, resume: bool, inside: bool) -> None:
        """Nothing is closed: what was not committed is gone, as after a kill."""
        if inside and self.repeatable:
            transaction = self.history.transaction()
            transaction.__enter__()
            self.history.propose(annals.plan(self.rng()))
        self.history._commits.end("dead")
        self.history._lock.release()
        self._open(resume)

    def _open(self, resume: bool) -> None:
        self.history = History.open(self.path)
        if resume:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.history.resume(annals.IDENTITY, budget=self.budget)
            self._interrupt()

    def _interrupt(self) -> None:
        self.interrupted |= self.started
        self.started = set()

    @rule()
    def remember(self) -> None:
        self.past[self.history.commit] = dict(self.trials)

    # --- what must hold ---

    @invariant()
    def the_writer_agrees(self) -> None:
        self._agrees(self.history)

    @invariant()
    def a_reader_agrees(self) -> None:
        self._agrees(Record.read(self.path))

    def _agrees(self, record: Record) -> None:
        assert [p.number for p in record.waiting()] == [p.number for p in self.waiting]
        assert len(record) == len(self.proposals)
        for proposal, z in zip(self.proposals, record.z, strict=True):
            annals.same(proposal.z, z)
        for number, trial in self.trials.items():
            assert record.status[number] == trial.status
            assert np.array_equal(record.values[number], trial.value, equal_nan=True)
        assert set(np.flatnonzero(record.status == Status.INTERRUPTED)) == self.interrupted
        assert set(np.flatnonzero(record.status == Status.STARTED)) == self.started
        assert (record.budget, record.state == "finished") == (self.budget, self.finished)
        if self.trials:
            number = list(self.trials)[self.seed % len(self.trials)]
            annals.assert_same_trial(record.trial(number), self.trials[number])
        if self.seen:
            plan = self.seed % len(self.seen)
            annals.assert_same_evidence(record.evidence(plan=plan), self.seen[plan])

    @precondition(lambda self: self.past)
    @rule(which=st.integers(0, 9))
    def the_past_is_unchanged(self, which: int) -> None:
        commit = list(self.past)[which % len(self.past)]
        read = {trial.number: trial for trial in Record.read(self.path, commit=commit).trials()}
        for number, trial in self.past[commit].items():
            annals.assert_same_trial(read[number], trial)


Annals.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a failure of this machine is short enough to read unshrunk
    suppress_health_check=list(HealthCheck),
)
TestAnnals = Annals.TestCase
