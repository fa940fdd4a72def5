"""Final trainings: each one keyed by all that determines it, kept as soon as it ends, never run twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zbo_orchestrator.campaign import Campaign
from zbo_orchestrator.campaign.founding import sources, versions
from zbo_orchestrator.comparison.arms import Arm
from zbo_orchestrator.comparison.keeping import keeper, measurement_of
from zbo_orchestrator.history.charter import form_of
from zbo_orchestrator.model import (
    ExecutionError,
    Executor,
    Job,
    Json,
    Measurement,
)
from zbo_orchestrator.workers import Inline, Progress

Size = Literal["campaign", "final"]
"""As large as a trial of the campaign, or at full size."""

Dressed = Callable[[Executor, Mapping[int, str]], Executor]
"""Wraps an executor for an observer, who is told the name of every job by its number."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """One arm trained with one seed at one size; the digest names all that determines it."""

    arm: Arm
    seed: int
    size: Size
    digest: str

    @property
    def number(self) -> int:
        """The same for the same training, so that what it left in its scratch folder is found again."""
        return int(self.digest[:12], 16)

    @property
    def name(self) -> str:
        return f"{self.arm.name}, seed {self.seed}"


def seeds_of(campaign: Campaign, count: int) -> tuple[int, ...]:
    """Training seeds, the same ones for every arm and no trial's own: the best found was chosen by its luck with that.

    More of them begin with the same ones.
    """
    spawned = (np.random.SeedSequence(campaign.seed, spawn_key=(n,)) for n in range(count))
    return tuple(int(each.generate_state(1)[0]) for each in spawned)


def trainings_of(campaign: Campaign, arms: Sequence[Arm], seeds: Sequence[int], size: Size) -> list[list[Training]]:
    """Every arm with every seed, [arm][seed]."""
    options = campaign.identity["executor"]
    return [[Training(arm, seed, size, _digest(options, arm, seed, size)) for seed in seeds] for arm in arms]


def _digest(options: Json, arm: Arm, seed: int, size: Size) -> str:
    known = {
        "executor": options,
        "variant": arm.variant,
        "size": size,
        "seed": seed,
        "form": form_of(arm.trajectory),
        **_made_of(type(arm.executor)),
    }
    seal = sha256(json.dumps(known, sort_keys=True).encode())
    seal.update(np.ascontiguousarray(arm.trajectory.values).tobytes())
    return seal.hexdigest()


@cache
def _made_of(executor: type) -> dict[str, Any]:
    """The code of an executor and the packages beneath it, as they were when first asked for."""
    code = sha256(b"".join(source.read_bytes() for source in sources(executor))).hexdigest()
    return {"code": code, "versions": versions()}


def results(
    trainings: Sequence[Training], folder: Path, progress: Progress, dressed: Dressed
) -> Iterator[tuple[Training, Measurement | ExecutionError]]:
    """Yield what came of each training once, the kept ones first; the others are run now, and kept as each ends.

    Trainings of one executor go to it together, so that one that takes batches gets them. A failure is not kept.
    """
    missing: dict[int, Training] = {}
    scratch = folder / "scratch"
    for training in {each.number: each for each in trainings}.values():
        measurement = measurement_of(folder, training.digest)
        if measurement is None:
            missing[training.number] = training
        else:
            yield training, measurement
    names = {number: training.name for number, training in missing.items()}
    for executor, mine in _by_executor(missing.values()):
        keeping = keeper(executor, folder, {each.number: each.digest for each in mine})
        workers = Inline(dressed(keeping, names), scratch, progress)
        workers.start([Job(each.number, 1, each.seed, each.arm.trajectory) for each in mine])
        for number, result in workers.results():
            workers.forget(number)
            yield missing[number], result
    if scratch.is_dir() and not any(scratch.iterdir()):
        scratch.rmdir()


def _by_executor(trainings: Iterable[Training]) -> list[tuple[Executor, list[Training]]]:
    groups: dict[int, tuple[Executor, list[Training]]] = {}
    for training in trainings:
        executor = training.arm.executor  # told apart by being the same object: equal ones need not be hashable
        groups.setdefault(id(executor), (executor, []))[1].append(training)
    return list(groups.values())
