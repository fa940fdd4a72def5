"""Choosing the points of one plan from an outlook, one after the other, and saying why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from zbo_orchestrator.model import Array
from zbo_orchestrator.planners.acquisition import Acquisition, acquire, weigh
from zbo_orchestrator.planners.candidates import distance
from zbo_orchestrator.planners.outlook import Outlook, Scale

Distance = Annotated[float, Ge(0)] | Literal["length-scale"]
"""A length in the unit box, or the surrogate's length scale along each axis."""
SMALLEST = 1e-6
"""A distance relaxed below this is given up."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What points of a batch keep between them: a distance, in a unit [d] along each axis of the unit box."""

    wanted: float
    unit: tuple[float, ...]
    name: str = ""

    @classmethod
    def of(cls, wanted: Distance, lengthscales: tuple[float, ...]) -> Gap:
        if wanted == "length-scale":
            return cls(1.0, lengthscales, " length scales")
        return cls(wanted, (1.0,) * len(lengthscales))

    def kept(self, outlook: Outlook, apart: Array) -> tuple[Array, float]:
        """The open points [m] that keep the distance from others, and that distance: halved until some do."""
        away = distance(outlook.points / self.unit, apart / self.unit)
        kept = self.wanted
        while kept > SMALLEST and not (outlook.open & (away >= kept)).any():
            kept /= 2
        if kept <= SMALLEST:
            return outlook.open, 0.0
        return outlook.open & (away >= kept), kept

    def relaxation(self, kept: float) -> str:
        if kept >= self.wanted:
            return ""
        return f"; distance within the batch relaxed from {self.wanted:.3g} to {kept:.3g}{self.name}"


@dataclass(frozen=True, slots=True)
class Taste:
    """What makes a point worth asking: an acquisition, the distance it keeps, the chance of success it needs."""

    acquisition: Acquisition = "log-ei"
    xi: float = 0.0
    factor: float = 2.0
    distance: Distance = 0.05
    caution: float = 0.7

    def worth(self, outlook: Outlook, draw: Array | None = None) -> Array:
        """The acquisition [m] given the chance of success; of Thompson sampling, the drawn function itself."""
        posterior = outlook.posterior
        value = draw
        if value is None:
            value = acquire(
                self.acquisition, posterior.mean, posterior.deviation, outlook.best, xi=self.xi, factor=self.factor
            )
        return weigh(self.acquisition, value, outlook.success, self.caution)


@dataclass(frozen=True, slots=True)
class Choice:
    """A point's index in the outlook it was chosen from, and why."""

    index: int
    reason: str


def choose(
    outlook: Outlook, scale: Scale, taste: Taste, draws: list[Array | None], *, apart: Array, gap: Gap
) -> Iterator[Choice]:
    """One choice for each draw (None where the acquisition has a closed form), best first, as long as points are open.

    Each choice is expected to score its prediction before the next is made. `apart` [p, d] are the pending points:
    choices keep the gap from them as from one another.
    """
    for left, draw in zip(range(len(draws), 0, -1), draws, strict=True):
        if not outlook.open.any():
            return
        keeping, kept = gap.kept(outlook, apart)
        value = np.where(keeping, np.nan_to_num(taste.worth(outlook, draw), nan=-np.inf), -np.inf)
        index = int(value.argmax()) if np.isfinite(value).any() else int(keeping.argmax())
        yield Choice(index, reason(outlook, scale, index) + gap.relaxation(kept))
        if left == 1:
            return
        apart = np.concatenate([apart, outlook.points[index : index + 1]])
        taken = outlook.open.copy()
        taken[distance(outlook.points, outlook.points[index : index + 1]) <= 1e-9] = False
        outlook = outlook.expecting(index).only(taken)


def reason(outlook: Outlook, scale: Scale, index: int) -> str:
    """Why a point is worth asking: exploit where its predicted rise above the average score exceeds the deviation."""
    mean, deviation = float(outlook.posterior.mean[index]), float(outlook.posterior.deviation[index])
    purpose = "exploit" if mean > deviation else "explore"
    text = (
        f"{purpose}: predicted {float(scale.score(mean)):.4g} ± {scale.spread * deviation:.2g} "
        f"where the best is {float(scale.score(outlook.best)):.4g}, "
        f"expected improvement {scale.spread * float(outlook.promise[index]):.2g}, "
        f"nearest trial {outlook.fresh[index]:.2g} of the box away"
    )
    chance = float(outlook.success[index])
    text = text if chance == 1.0 else f"{text}, succeeds with {chance:.0%}"
    basis = outlook.posterior.basis
    return f"{text}; judged {basis}" if basis else text
