"""What is compared: the best found schedule, what is used in practice, and what other campaigns found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zbo_orchestrator.campaign import Campaign
from zbo_orchestrator.executors.guarded import Guarded
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Channel, Comparable, ConfigurationError, Executor, Trajectory, Trial
from zbo_orchestrator.place import Address

FOUND = "best found"


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One schedule under comparison, and what runs it.

    variant   names the executor where it is not the campaign's own; empty where it is
    alike     counts for the range over schedules: trained under the best found's settings, or all arms have others
    """

    name: str
    executor: Executor
    trajectory: Trajectory
    variant: str = ""
    alike: bool = True

    @property
    def note(self) -> str:
        """What a reader has to know of this arm's scores, as its executor has it; mostly nothing."""
        return str(getattr(self.executor, "note", "")) if self.variant else ""


def comparable(campaign: Campaign) -> Comparable:
    """The campaign's executor, without its envelope; raises `ConfigurationError` where it knows no rivals."""
    executor = campaign.executor.inner if isinstance(campaign.executor, Guarded) else campaign.executor
    name = campaign.document["executor"]["use"]
    if not isinstance(executor, Comparable):
        raise ConfigurationError(
            f"executor {name} does not say what its best trajectory has to beat; wanted one with final() and rivals()"
        )
    if not getattr(executor, "repeatable", False):
        raise ConfigurationError(f"executor {name} is not repeatable; wanted one that may be run over many seeds")
    return executor


def full_size(executor: Comparable) -> Comparable:
    """The executor at full size."""
    final = executor.final()
    if not isinstance(final, Comparable):
        raise ConfigurationError(f"final() gave {type(final).__name__}; wanted an executor with final() and rivals()")
    return final


def best_of(record: Record) -> Trial:
    """The best scored trial of a history."""
    values = record.values
    if not np.isfinite(values).any():
        raise ConfigurationError(f"{record.path} holds no scored trial; wanted a best one to compare")
    return record.trial(int(np.nanargmax(record.goal.gain(values))))


def found_elsewhere(paths: Sequence[Address], form: Trajectory) -> dict[str, Trajectory]:
    """The best found of other histories, by name, each brought to the form of this campaign's trajectories."""
    found: dict[str, Trajectory] = {}
    for path in paths:
        record = Record.read(path)
        name = f"best of {record.name}"
        found[f"{name} ({path})" if name in found else name] = resampled(
            best_of(record).trajectory, form, origin=str(path)
        )
    return found


def resampled(trajectory: Trajectory, form: Trajectory, origin: str) -> Trajectory:
    """A trajectory stretched to the steps and dt of another one, linear in between; channels must be the same."""
    if trajectory.channels != form.channels:
        raise ConfigurationError(
            f"{origin} has the channels {_listed(trajectory.channels)}; wanted {_listed(form.channels)}"
        )
    if trajectory.steps == form.steps:
        return replace(trajectory, dt=form.dt)
    at, known = (np.linspace(0.0, 1.0, steps) for steps in (form.steps, trajectory.steps))
    values = np.stack([np.interp(at, known, channel) for channel in trajectory.values.T], axis=-1)
    return replace(trajectory, values=values, dt=form.dt)


def arms_of(executor: Comparable, found: Trajectory, others: Mapping[str, Trajectory]) -> tuple[Arm, ...]:
    """The best found first, then the executor's rivals, then what other campaigns found."""
    arms = [Arm(FOUND, executor, found)]
    for name, (runs, trajectory) in executor.rivals(found).items():
        if trajectory.values.shape != found.values.shape or trajectory.channels != found.channels:
            raise ConfigurationError(
                f"rival {name!r} has shape {trajectory.values.shape} and channels {_listed(trajectory.channels)}; "
                f"wanted the found trajectory's, {found.values.shape} and {_listed(found.channels)}"
            )
        arms.append(Arm(name, runs, trajectory, variant="" if runs is executor else name))
    arms += [Arm(name, executor, trajectory) for name, trajectory in others.items()]
    if all(arm.variant for arm in arms[1:]):
        return tuple(arms)
    return tuple(replace(arm, alike=not arm.variant) for arm in arms)


def chosen(arms: Sequence[Arm], names: Sequence[str]) -> tuple[Arm, ...]:
    """The best found and the named arms ("best" is the best found); all of them where no name is given."""
    wanted = {FOUND, *(FOUND if name == "best" else name for name in names)}
    known = [arm.name for arm in arms]
    if unknown := wanted.difference(known):
        raise ConfigurationError(f"schedules {', '.join(sorted(unknown))}: wanted some of {', '.join(known)}")
    picked = tuple(arm for arm in arms if not names or arm.name in wanted)
    if len(picked) < 2:
        raise ConfigurationError(f"schedules: got the best found alone; wanted one of {', '.join(known[1:]) or 'none'}")
    return picked


def refuse_unlike(one: Sequence[Arm], *others: Sequence[Arm]) -> None:
    """Raise `ConfigurationError` unless the arms are the same at every size."""
    for other in others:
        if [arm.name for arm in other] != [arm.name for arm in one]:
            at_full, at_first = (", ".join(arm.name for arm in arms) for arms in (other, one))
            raise ConfigurationError(f"final() has the rivals {at_full}; wanted the same as at first, {at_first}")


def _listed(channels: Sequence[Channel]) -> str:
    return ", ".join(f"{channel.name} ({channel.unit})" if channel.unit else channel.name for channel in channels)
