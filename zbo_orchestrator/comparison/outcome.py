"""What a comparison found, kept beside the history it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zbo_orchestrator.comparison.statistics import Difference, Spread, differences, spread
from zbo_orchestrator.comparison.trainings import Size
from zbo_orchestrator.history import Record
from zbo_orchestrator.history.charter import to_json
from zbo_orchestrator.kept import fingerprint, keep, kept
from zbo_orchestrator.model import Array, Channel, Goal, Trajectory
from zbo_orchestrator.place import Address, Place

_NAME, _PARTIAL = "comparison2", "part2"
"""Both hold the number of the layout: one of another layout is not read."""


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """Every arm trained with every seed at one size: values, digests and errors, each [arm, seed].

    values   scores, NaN where a training failed; terms of the scores by name, likewise
    digests  under which the measurements are kept
    errors   what went wrong, empty where nothing did
    alike    mask [arm]: trained under the best found's settings, so that only the schedule differs; all of them where
             no rival has the same settings
    """

    size: Size
    values: Array
    terms: Mapping[str, Array]
    digests: Array
    errors: Array
    alike: Array

    @property
    def spread(self) -> Spread:
        """Over schedules under the same settings: another model is not another schedule."""
        return spread(self.values[self.alike])


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A campaign's best found schedule against others, over the same seeds.

    identity   of the campaign, as a digest
    trial      the number of the best found
    arms       names, the best found first
    schedules  [arm, step, channel]
    rounds     one at the campaign's size, then one at full size unless that was left out
    notes      what has to be known of an arm's scores, by arm; mostly empty
    """

    campaign: str
    identity: str
    goal: Goal
    trial: int
    arms: tuple[str, ...]
    schedules: Trajectory
    seeds: tuple[int, ...]
    rounds: tuple[Round, ...]
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> Round:
        """The round that decides."""
        return self.rounds[-1]

    @property
    def differences(self) -> list[Difference]:
        return differences(self.arms, self.last.values)

    @property
    def term_differences(self) -> dict[str, list[Difference]]:
        """The same of every term of the score."""
        return {name: differences(self.arms, values) for name, values in self.last.terms.items()}

    def median_seed(self, arm: int) -> int | None:
        """The index of the seed with the median score under an arm (of two in the middle the worse); None without."""
        values = self.last.values[arm]
        ranked = np.argsort(self.goal.gain(values), kind="stable")[: int(np.isfinite(values).sum())]
        return int(ranked[(len(ranked) - 1) // 2]) if len(ranked) else None


def folder_of(history: Address) -> Path:
    """Where final trainings are kept: beside the history."""
    return Place.of(history).beside(".final")


def identity_of(record: Record) -> str:
    """Names the campaign that a history is of."""
    return fingerprint({"identity": np.array(to_json(record.charter.identity))})


def write(comparison: Comparison, folder: Path, *, partial: bool = False) -> None:
    """Keep a comparison in place of the one before; a partial one takes no whole one's place."""
    schedules = comparison.schedules
    arrays = {
        "campaign": np.array([comparison.campaign, comparison.identity]),
        "maximize": np.array(comparison.goal.maximize),
        "trial": np.array(comparison.trial),
        "arms": np.array(comparison.arms),
        "notes": np.array(comparison.notes, dtype=np.str_),
        "schedules": schedules.values,
        "dt": np.array(schedules.dt),
        "channels": np.array([[channel.name, channel.unit] for channel in schedules.channels]),
        "seeds": np.array(comparison.seeds),
        "sizes": np.array([each.size for each in comparison.rounds]),
    }
    for each in comparison.rounds:
        arrays |= {f"{each.size} {name}": getattr(each, name) for name in ("values", "digests", "errors", "alike")}
        arrays[f"{each.size} terms"] = np.array(list(each.terms), dtype=np.str_)
        arrays |= {f"{each.size} term {name}": values for name, values in each.terms.items()}
    keep(_PARTIAL if partial else _NAME, arrays, folder)


def read(history: Address, *, partial: bool = False) -> Comparison | None:
    """The newest whole (or partial) comparison beside a history, None where there is none."""
    arrays = kept(_PARTIAL if partial else _NAME, folder_of(history))
    if arrays is None:
        return None
    campaign, identity = map(str, arrays["campaign"])
    channels = tuple(Channel(str(name), str(unit)) for name, unit in arrays["channels"])
    return Comparison(
        campaign=campaign,
        identity=identity,
        goal=Goal(bool(arrays["maximize"])),
        trial=int(arrays["trial"]),
        arms=tuple(map(str, arrays["arms"])),
        schedules=Trajectory(arrays["schedules"], float(arrays["dt"]), channels),
        seeds=tuple(map(int, arrays["seeds"])),
        rounds=tuple(_round("final" if size == "final" else "campaign", arrays) for size in arrays["sizes"]),
        notes=tuple(map(str, arrays["notes"])),
    )


def _round(size: Size, arrays: Mapping[str, Array]) -> Round:
    return Round(
        size,
        arrays[f"{size} values"],
        {name: arrays[f"{size} term {name}"] for name in map(str, arrays[f"{size} terms"])},
        arrays[f"{size} digests"],
        arrays[f"{size} errors"],
        arrays[f"{size} alike"],
    )
