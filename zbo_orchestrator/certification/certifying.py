"""From an executor to its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zbo_orchestrator.arming import Arming, Stranger
from zbo_orchestrator.certification import trajectories
from zbo_orchestrator.certification.cards import Card, part_of, signed
from zbo_orchestrator.certification.examination import Examination, rehearsal
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.supervised import Supervised, drives
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import ConfigurationError, Executor, Trajectory

WITHIN = 60.0
"""Seconds that one check may take."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is put to the test, and how.

    options     what its card says of how it was built
    trajectory  what it is tested with; None: a gentle one within its own limits
    duration    of the gentle one, in the executor's unit of time
    still       whether only what moves nothing but into the safe state is to be tested
    instrument  the identity that has to answer, None: any
    live        whether an instrument that is not simulated may be moved
    """

    executor: Executor
    options: Mapping[str, Any] = field(default_factory=dict)
    trajectory: Trajectory | None = None
    duration: float = trajectories.DURATION
    still: bool = False
    instrument: str | None = None
    live: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def arming(self) -> Arming | None:
        """None where whatever answers may be moved."""
        if not drives(self.executor) or (self.live and self.instrument is None):
            return None
        return Arming(self.instrument, simulated=not self.live, live=self.live)


def certify(subject: Subject, begun: Callable[[str], object]) -> Card:
    """Put a subject through the routine; `begun` is told each check's name.

    Raises `ConfigurationError` where the instrument that answers may not be moved, and whatever keeps it from being
    connected at all.
    """
    executor = bare(subject.executor)
    timeouts = replace(subject.timeouts, trial=subject.timeouts.trial or WITHIN)
    supervised = Supervised(rehearsal(executor), timeouts, "zbo certify", subject.arming)
    try:
        description = _met(supervised, subject)
        examination = Examination(supervised, executor, _trajectory(subject, description), still=subject.still)
        checks = [*examination.checks(begun)]
    except BaseException:
        supervised.close()
        raise
    checks.append(examination.end())
    identity, simulated = (description.identity, description.simulated) if description else ("", False)
    return signed(executor, subject.options, identity, tuple(checks), simulated=simulated)


def _met(supervised: Supervised, subject: Subject) -> Description | None:
    try:
        supervised.start()
    except Stranger as stranger:
        wanted = "the campaign's instrument" if subject.live else "a simulator, or --live: certifying moves it"
        raise ConfigurationError(f"{stranger}; wanted {wanted}") from stranger
    return supervised.description


def _trajectory(subject: Subject, description: Description | None) -> Trajectory:
    if subject.trajectory is not None:
        return subject.trajectory
    if description is None:
        name = part_of(subject.executor)
        raise ConfigurationError(f"{name} does not describe itself; wanted a campaign, for a curve of its library")
    return trajectories.still(description) if subject.still else trajectories.gentle(description, subject.duration)
