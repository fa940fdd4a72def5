"""A block with physics: several FerroSIM lattices under their fields, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from zbo_ferrosim.block import LIMIT, Block, Lattices, published_moves
from zbo_orchestrator.model import Array, ExecutionError

if TYPE_CHECKING:
    from zbo_ferrosim.simulator import FerroSim


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One lattice at its end.

    polarization[2, n, n], total_polarization[2, step], frames[frame, 2, n, n], energies by name [step]
    """

    polarization: Array
    total_polarization: Array
    frames: Array
    energies: Mapping[str, Array] = field(default_factory=dict)


@lru_cache(maxsize=16)
def laid_out(simulations: tuple[FerroSim, ...]) -> Lattices:
    """The simulations side by side; kept, since blocks of one scan share theirs."""
    return Lattices.of(
        np.stack([sim.constants for sim in simulations]),
        np.stack([sim.springs for sim in simulations]),
        np.stack([sim.forces for sim in simulations]),
        np.stack([sim.initial_polarization for sim in simulations]),
    )


class Batch(Block):
    """Up to `LANES` simulations of one lattice size and update rule, each with its own physics and fields in Ec.

    numbers      which members of the whole the lanes are
    frames       the steps whose states are kept
    energies     whether the energies of every step are kept
    """

    def __init__(
        self,
        numbers: Sequence[int],
        simulations: Sequence[FerroSim],
        fields: Iterable[Array],
        time: Array,
        *,
        frames: Sequence[int] = (),
        energies: bool = False,
    ) -> None:
        first, steps = simulations[0], len(time)
        self.numbers = tuple(numbers)
        self._simulations, self._time = simulations, time
        self._fields = np.stack([each * sim.coercive_field for each, sim in zip(fields, simulations, strict=True)])
        self._frames = list(frames)
        self._kept: dict[int, Array] = {}
        self._energies: list[dict[str, list[float]]] = [{} for _ in simulations]
        super().__init__(
            laid_out(tuple(simulations)),
            self._fields,
            np.diff(time, prepend=time[0]),
            moves=published_moves(first.n, steps) if first.update == "published" else None,
            watched=range(steps) if energies else self._frames,
            watch=self._keep_energies if energies else self._keep,
        )

    def _keep(self, step: int, polarization: Array) -> None:
        if step in self._frames:
            self._kept[step] = polarization

    def _keep_energies(self, step: int, polarization: Array) -> None:
        self._keep(step, polarization)
        for lane, (sim, energies) in enumerate(zip(self._simulations, self._energies, strict=True)):
            for name, value in sim.energies(polarization[lane], self._fields[lane, step] / sim.coercive_field).items():
                energies.setdefault(name, []).append(float(value))

    def outcomes(self) -> list[Outcome | ExecutionError]:
        """What became of each lane; an error where its lattice blew up."""
        states, totals = self.polarization, self.totals
        return [
            self._explain(lane, int(step)) if step < self.steps else self._outcome(lane, states[lane], totals[lane])
            for lane, step in enumerate(self.blown_up[: self.lanes])
        ]

    def _outcome(self, lane: int, state: Array, totals: Array) -> Outcome:
        frames = [self._kept[step][lane] for step in self._frames]
        kept = np.stack(frames) if frames else np.empty((0, *state.shape))
        return Outcome(state, totals, kept, {name: np.array(values) for name, values in self._energies[lane].items()})

    def _explain(self, lane: int, step: int) -> ExecutionError:
        """Where a lattice blew up, and the knob to turn."""
        simulation, field_there = (
            self._simulations[lane],
            self._fields[lane, step] / self._simulations[lane].coercive_field,
        )
        stiffness = simulation.gamma * 2 * np.abs(simulation.couplings).max() * np.diff(self._time).max()
        knob = (
            f"gamma x 2 x coupling x dt is {stiffness:.3g}, wanted below 2: take a smaller dt or coupling"
            if stiffness >= 2
            else f"the field there is ({field_there[0]:.3g}, {field_there[1]:.3g}) Ec, defects reach "
            f"{np.abs(simulation.defects).max():.3g} Ec: take a smaller dt or field, or weaker defects"
        )
        return ExecutionError(
            f"the lattice blew up: at step {step} of {self.steps} (t = {self._time[step]:.6g}) a polarisation left "
            f"-{LIMIT:g} .. {LIMIT:g}; {knob}"
        )
