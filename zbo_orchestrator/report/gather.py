"""From a history's record to the findings that the report shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Array, Decoder, Measurement, Status, Trajectory
from zbo_orchestrator.report.attended import said, watched
from zbo_orchestrator.report.findings import Best, Findings, Maps, Measured, Trials
from zbo_orchestrator.report.wording import moment

LAYERS = ("mean", "deviation", "acquisition")


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What stands beside a record: the scanned truth and the decoder, or remarks on why they do not."""

    truth: Array | None = None
    decoder: Decoder | None = None
    remarks: tuple[str, ...] = ()


def gather(record: Record, beside: Beside = Beside()) -> Findings:
    """Read what the report needs; of the large arrays only the best trial's and the maps are loaded."""
    trials = _trials(record)
    best = _best(record, trials)
    form = _form(record, best, beside.decoder)
    return Findings(
        name=record.name,
        goal=record.goal,
        budget=record.budget,
        state=record.state,
        stop_reason=record.stop_reason or "",
        trials=trials,
        space=record.charter.space,
        maps=_maps(record),
        channels=() if form is None else form.channels,
        steps=0 if form is None else form.steps,
        elapsed=record.elapsed,
        best=best,
        codes=_codes(record),
        library=record.charter.library,
        families=record.charter.families,
        truth=beside.truth,
        parameters=_parameters(trials, form, beside.decoder),
        decoder=beside.decoder,
        remarks=beside.remarks,
        watch=watched(record),
        said=tuple(said(record)),
        document=dict(record.charter.campaign),
        provenance=_provenance(record),
    )


def _trials(record: Record) -> Trials:
    tries: dict[int, list[int]] = {}
    for attempt in record.attempts:
        tries.setdefault(attempt["trial"], []).append(attempt["seed"])
    numbers = range(len(record))
    return Trials(
        number=np.arange(len(record)),
        z=record.z,
        value=record.values,
        noise=record.noise,
        status=tuple(Status(int(status)).name.lower() for status in record.status),
        plan=record.plan_of,
        attempts=np.array([len(tries.get(number, ())) for number in numbers], dtype=int),
        seed=tuple(tries[number][-1] if number in tries else None for number in numbers),
        proposed_at=record.proposed_at,
        recorded_at=record.recorded_at,
        reason=tuple(record.reasons),
        error=tuple(record.errors),
        terms=record.terms,
    )


def _maps(record: Record) -> Maps:
    """The layers of every plan whose maps were kept and say something."""
    kept = [(plan.number, record.maps(plan.number)) for plan in record.plans if plan.map >= 0]
    kept = [(number, maps) for number, maps in kept if any(np.isfinite(values).any() for values in maps.values())]
    empty = np.full(len(record.charter.space.candidates), np.nan, np.float32)
    layers = {name: np.stack([maps.get(name, empty) for _, maps in kept]) for name in LAYERS if kept}
    known = {name: values for name, values in layers.items() if np.isfinite(values).any()}
    return Maps(np.array([number for number, _ in kept], dtype=int), known)


def _best(record: Record, trials: Trials) -> Best | None:
    """The first trial with the best score, None where nothing was scored."""
    if not trials.scored.any():
        return None
    row = int(np.argmax(np.where(trials.scored, record.goal.gain(trials.value), -np.inf)))
    trial = record.trial(row)
    measurement = trial.measurement
    if measurement is None:
        return Best(row, trial.trajectory, None)
    return Best(row, trial.trajectory, measurement.executed, tuple(_measured(measurement)))


def _measured(measurement: Measurement) -> list[Measured]:
    return [
        Measured(name, values, measurement.dims[name], measurement.units.get(name, ""))
        for name, values in measurement.arrays.items()
    ]


def _form(record: Record, best: Best | None, decoder: Decoder | None) -> Trajectory | None:
    """Any one trajectory of the campaign, for its channels and its length."""
    if best is not None:
        return best.proposed
    if record.charter.library is not None:
        return record.charter.library
    return None if decoder is None else decoder.decode(record.charter.space.candidates[:1])


def _codes(record: Record) -> Array | None:
    """The library's latent codes [curve, d]; None where the decoder learnt from no library."""
    codes = record.charter.decoder.get("codes")
    d = record.charter.space.dimension
    return codes if codes is not None and codes.ndim == 2 and codes.shape[1] == d and len(codes) else None


def _parameters(trials: Trials, form: Trajectory | None, decoder: Decoder | None) -> Array | None:
    """Where trajectories have one step: what every trial asked for, [n, channel]."""
    if form is None or form.steps != 1 or decoder is None or not len(trials):
        return None
    known = np.isfinite(trials.z).all(axis=1)
    values = np.full((len(trials), len(form.channels)), np.nan)
    values[known] = decoder.decode(trials.z[known]).values[:, 0]
    return values


def _provenance(record: Record) -> dict[str, str]:
    """Where and on what it ran, as facts in words."""
    facts = {"History": record.path.name, "Commit": record.commit}
    facts |= {
        key.capitalize().replace("_", " "): str(record.charter.campaign[key])
        for key in ("seed", "trial_seed")
        if key in record.charter.campaign
    }
    weights = record.charter.identity.get("weights")
    if weights:
        facts["Decoder weights"] = str(weights)
    facts |= {str(key).capitalize(): str(value) for key, value in record.notes.items()}
    return facts | _sessions(record)


def _sessions(record: Record) -> dict[str, str]:
    """The openings of the history, and what the last of them ran on."""
    if not record.sessions:
        return {}
    last = record.sessions[-1]
    versions = ", ".join(f"{name} {version}" for name, version in last.get("versions", {}).items())
    return {
        "Sessions": f"{len(record.sessions)}, the last from {moment(float(last['at']))}",
        "Host": str(last.get("host", "")),
        "Platform": f"{last.get('platform', '')}, Python {last.get('python', '')}, {last.get('cpus', '?')} processors",
        "Versions": versions,
    }
