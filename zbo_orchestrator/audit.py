"""A history looked at again: its plans recomputed, its measurements scored by another evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from zbo_orchestrator.campaign import part
from zbo_orchestrator.campaign.complaints import refuse
from zbo_orchestrator.campaign.parts import check
from zbo_orchestrator.campaign.settings import EnvelopeSection, SentinelsSection
from zbo_orchestrator.decoders import atlas
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Certify, DecoderRecipe, Evaluator, ExecutionError, Planner, Stop
from zbo_orchestrator.standing import Standing


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one plan when it was made again."""

    plan: int
    difference: str
    """Empty where every bit agrees."""


def replay(record: Record, planner: Planner, certify: Certify) -> Iterator[Replayed]:
    """Recompute each of the planner's plans from the evidence it was made of and compare the points bit for bit."""
    people = Standing.of(record.events).injected
    for plan in record.plans:
        if plan.number in people:
            continue
        evidence = record.evidence(plan=plan.number)
        evidence = replace(evidence, space=replace(evidence.space, certify=certify))
        again = planner.plan(evidence, plan.size)
        yield Replayed(plan.number, _difference(plan.z, again.reason if isinstance(again, Stop) else again.z))


def replayable(record: Record, *, allow_code: bool = False) -> tuple[Planner, Certify]:
    """What plans are made by, built again from a history without its executor, whose images or GPU need not be here."""
    document = record.charter.campaign
    seed = int(document.get("seed", 0))
    planner: Planner = part("planners", document["planner"], seed=seed, allow_code=allow_code)
    sentinels = check(SentinelsSection, document.get("sentinels") or {})
    if isinstance(sentinels, list):
        refuse("the history's sentinels", sentinels)
    if document.get("sentinels"):
        planner = sentinels.around(planner)
    recipe: DecoderRecipe = part("decoders", document["decoder"], seed=seed, allow_code=allow_code)
    envelope = check(EnvelopeSection, document.get("envelope", {}))
    if isinstance(envelope, list):
        refuse("the history's envelope", envelope)
    arrays, share = record.charter.decoder, document.get("atlas", {}).get("support")
    support = None if share is None else atlas.Support(arrays["codes"], share)
    return planner, atlas.Certifier(recipe.restore(arrays), envelope.value(), support)


def _difference(z: np.ndarray, again: np.ndarray | str) -> str:
    if isinstance(again, str):
        return f"stored {z.tolist()}, recomputed a stop: {again}"
    same = z.shape == again.shape and z.tobytes() == again.tobytes()
    return "" if same else f"stored {z.tolist()}, recomputed {again.tolist()}"


@dataclass(frozen=True, slots=True)
class Rescored:
    """A trial's stored score beside another evaluator's."""

    number: int
    stored: float
    value: float
    terms: dict[str, float]
    error: str = ""


def rescore(record: Record, evaluator: Evaluator) -> Iterator[Rescored]:
    """Score every trial that has a measurement; the history stays as it is."""
    for trial in record.trials():
        if trial.measurement is None:
            continue
        try:
            score = evaluator.evaluate(trial.trajectory, trial.measurement)
        except ExecutionError as error:
            yield Rescored(trial.number, trial.value, nan, {}, str(error))
        else:
            yield Rescored(trial.number, trial.value, score.value, dict(score.terms))
