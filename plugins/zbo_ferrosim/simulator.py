"""FerroSIM: a square lattice of ferroelectric cells under an electric field that changes with time.

Each cell carries a polarisation p = (x, y) in a Landau double well w, is pulled towards its four neighbours, driven by
the applied field E less the depolarising field of the whole lattice, and pinned by a random field d:

    dp/dt = -gamma [ dw/dp + k (p - sum over neighbours / 4) - (E - dep sum(P) / n^2 + d) ]

with w as in `physics`, integrated by explicit Euler: step s uses E(s) and dt = t(s) - t(s-1), so that the first field
is never felt. The equations, their order and their oddities (a missing neighbour at an open edge counts as zero, the
curl wraps around, the `published` update) are those of FerroSIM (github.com/ramav87/FerroSim), whose runs this
reproduces to 1e-12; the lattice is that of Ricinschi et al., J. Phys.: Condens. Matter 10 (1998) 477.

    sim = FerroSim(20, "tetragonal", coupling=100.0, depolarization=0.3)
    time = np.arange(950) / 300
    polarization = sim.final_polarization(fields, time)          # fields[..., step, 2] in Ec -> [..., 2, 20, 20]
    score = np.abs(curl(polarization)).sum((-1, -2))

Unlike the original, which clips a polarisation at 10 and goes on, a lattice that gets there has blown up: an
`ExecutionError` that says when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from zbo_ferrosim.batch import Batch, Outcome
from zbo_ferrosim.block import LIMIT, finish
from zbo_ferrosim.lanes import LANES
from zbo_ferrosim.physics import LANDAU, MODES, Mode, coercive_field, neighbours, polynomial, remnant
from zbo_orchestrator.model import Array, ConfigurationError, ExecutionError, frozen

Update = Literal["all", "published"]
UPDATES: tuple[Update, ...] = get_args(Update)

NO_FRAMES: Final[Sequence[int]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evolution:
    """A batch of runs, the leading axes those of the fields.

    polarization[..., 2, n, n], total_polarization[..., 2, step], frames[..., frame, 2, n, n], energies [..., step]
    """

    polarization: Array
    total_polarization: Array
    frames: Array
    energies: Mapping[str, Array]


class FerroSim:
    """A lattice of n x n cells, ready to be run under any number of fields; immutable.

    mode                  the Landau polynomial; in `uniaxial` only y moves
    coupling              k, one for all or one a site [n*n] (random bonds)
    depolarization        how strongly the mean polarisation opposes the field
    gamma                 kinetic coefficient
    landau                alpha1, alpha2, alpha3; where None, the original's for the mode
    defects               random field [n*n, 2] in units of Ec
    initial_polarization  the start [n, n, 2]; where None, the remnant state that minimises the Landau energy
    update                "all" sites in every step, or the original's "published" rule: from the second step on a
                          random quarter moves; the others show their neighbours what they would have become

    Derived: coercive_field (Ec, the unit of every field), couplings[n*n], forces[n*n, 2] (the defects in absolute
    units), springs[n*n, 2] and constants[5] as the kernel wants them. Raises `ConfigurationError` for what cannot work.
    """

    def __init__(  # noqa: PLR0917  the public signature
        self,
        n: int,
        mode: Mode,
        coupling: float | npt.ArrayLike,
        depolarization: float,
        gamma: float = 1.0,
        landau: npt.ArrayLike | None = None,
        defects: npt.ArrayLike | None = None,
        initial_polarization: npt.ArrayLike | None = None,
        update: Update = "all",
    ) -> None:
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
            raise ConfigurationError(f"n is {n!r}; wanted a whole number of at least 2")
        if mode not in MODES:
            raise ConfigurationError(f"mode is {mode!r}; wanted one of {', '.join(MODES)}")
        if update not in UPDATES:
            raise ConfigurationError(f"update is {update!r}; wanted one of {', '.join(UPDATES)}")
        self.n: Final = int(n)
        self.mode: Final = mode
        self.update: Final = update
        self.coupling: Final = _checked("coupling", coupling, (), (n * n,), (n, n))
        self.depolarization: Final = float(_checked("depolarization", depolarization, ()))
        self.gamma: Final = float(_checked("gamma", gamma, ()))
        self.landau: Final = _checked("landau", LANDAU[mode] if landau is None else landau, (3,))
        if not self.gamma > 0:
            raise ConfigurationError(f"gamma is {self.gamma}; wanted a positive number")
        if not self.landau[1] > 0:
            raise ConfigurationError(f"landau has alpha2 = {self.landau[1]}; wanted a positive number")
        if self.landau[0] == 0:
            raise ConfigurationError(
                "landau has alpha1 = 0, so that Ec, the unit of field, is 0; wanted another number"
            )
        self.defects: Final = _checked("defects", np.zeros((n * n, 2)) if defects is None else defects, (n * n, 2))
        start = np.broadcast_to(remnant(mode, self.landau), (n, n, 2))
        self.initial_polarization: Final = _checked(
            "initial_polarization", start if initial_polarization is None else initial_polarization, (n, n, 2)
        )
        if np.abs(self.initial_polarization).max() > LIMIT:
            largest = np.abs(self.initial_polarization).max()
            raise ConfigurationError(f"initial_polarization reaches {largest:g}; wanted at most {LIMIT:g}")
        self.coercive_field: Final = coercive_field(self.landau)
        self.couplings: Final = frozen(np.broadcast_to(self.coupling.reshape(-1), n * n))
        self.forces: Final = frozen(self.defects * self.coercive_field)
        (a, b, c), still = polynomial(mode, self.landau), 0.0 if mode == "uniaxial" else self.gamma
        self.springs: Final = frozen(np.stack([a + self.couplings, self.couplings / 4], axis=-1))
        self.constants: Final = frozen([b, c, still, self.gamma, self.depolarization / n**2])

    def final_polarization(self, fields: npt.ArrayLike, time: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """The polarisation [..., 2, n, n] after fields[..., step, 2] (in Ec) at time[step]; on all cores by default.

        Raises `ExecutionError` where a lattice blows up, `ValueError` for fields or times that do not fit.
        """
        fields, time = checked_drive(fields, time)
        final = np.empty((int(np.prod(fields.shape[:-2])), 2, self.n, self.n))
        for number, outcome in self._outcomes(fields, time, threads=threads):
            final[number] = outcome.polarization
        return final.reshape(*fields.shape[:-2], 2, self.n, self.n)

    def run(
        self,
        fields: npt.ArrayLike,
        time: npt.ArrayLike,
        *,
        frames: Sequence[int] = NO_FRAMES,
        energies: bool = False,
        threads: int | None = None,
    ) -> Evolution:
        """As `final_polarization`, with all that happened: totals over time, states after chosen steps, energies."""
        fields, time = checked_drive(fields, time)
        batch, steps = fields.shape[:-2], len(time)
        for frame in frames:
            if not -steps <= frame < steps:
                raise ValueError(f"frame {frame} of a run of {steps} steps; wanted {-steps} .. {steps - 1}")
        chosen = [frame % steps for frame in frames]
        ended = dict(self._outcomes(fields, time, frames=chosen, energies=energies, threads=threads))
        runs = [ended[number] for number in range(len(ended))]
        names = list(runs[0].energies) if runs else []

        def stacked(of: Callable[[Outcome], Array], *shape: int) -> Array:
            return np.array([of(run) for run in runs], np.float64).reshape(*batch, *shape)

        return Evolution(
            stacked(lambda run: run.polarization, 2, self.n, self.n),
            stacked(lambda run: run.total_polarization, 2, steps),
            stacked(lambda run: run.frames, len(chosen), 2, self.n, self.n),
            {name: stacked(lambda run, name=name: run.energies[name], steps) for name in names},  # type: ignore[misc]
        )

    def energies(self, polarization: npt.ArrayLike, field: npt.ArrayLike) -> dict[str, Array]:
        """The free energy [...] of states [..., 2, n, n] under fields [..., 2] in Ec, by term and in total.

        With one coupling for all sites, dp/dt is -gamma times its gradient, so that it falls under a constant field.
        Random bonds pull two neighbours unequally: then no such energy exists, and the coupling term is only a measure.
        """
        p, ec = np.asarray(polarization, np.float64), self.coercive_field
        applied = np.asarray(field, np.float64) * ec
        x, y = p[..., 0, :, :] ** 2, p[..., 1, :, :] ** 2
        a, b, c = polynomial(self.mode, self.landau)
        k = self.couplings.reshape(self.n, self.n)
        forces = np.moveaxis(self.forces.reshape(self.n, self.n, 2), -1, 0)
        sites, lattice, total = (-2, -1), (-3, -2, -1), p.sum((-2, -1))
        terms = {
            "landau": (a / 2 * (x + y) + b / 4 * (x**2 + y**2) + c / 2 * x * y).sum(sites),
            "coupling": (k * p * (p / 2 - neighbours(p) / 8)).sum(lattice),
            "depolarization": self.depolarization / (2 * self.n**2) * (total**2).sum(-1),
            "field": -(applied * total).sum(-1),
            "defects": -(forces * p).sum(lattice),
        }
        return {**terms, "total": np.asarray(sum(terms.values()))}

    def _outcomes(
        self,
        fields: Array,
        time: Array,
        *,
        frames: Sequence[int] = NO_FRAMES,
        energies: bool = False,
        threads: int | None = None,
    ) -> Iterator[tuple[int, Outcome]]:
        """(number, outcome) of each member of the batch, as it ends; raises for the first that blew up."""
        rows = fields.reshape(-1, *fields.shape[-2:])
        blocks = (range(len(rows))[start : start + LANES] for start in range(0, len(rows), LANES))
        batches = (
            Batch(each, [self] * len(each), rows[each.start : each.stop], time, frames=frames, energies=energies)
            for each in blocks
        )
        for batch in finish(batches, threads):
            for number, outcome in zip(batch.numbers, batch.outcomes(), strict=True):
                if isinstance(outcome, ExecutionError):
                    where = (
                        f"member {tuple(map(int, np.unravel_index(number, fields.shape[:-2])))} of the batch: "
                        if len(rows) > 1
                        else ""
                    )
                    raise type(outcome)(f"{where}{outcome}")
                yield number, outcome


def _checked(name: str, values: npt.ArrayLike, *shapes: tuple[int, ...]) -> Array:
    """Finite float64 of one of the shapes, read-only."""
    try:
        array = frozen(values)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} is {values!r}; wanted numbers") from error
    if array.shape not in shapes:
        raise ConfigurationError(f"{name} has shape {array.shape}; wanted {' or '.join(map(str, shapes))}")
    if not np.isfinite(array).all():
        raise ConfigurationError(f"{name} holds {array[~np.isfinite(array)].flat[0]}; wanted finite numbers")
    return array


def checked_drive(fields: npt.ArrayLike, time: npt.ArrayLike) -> tuple[Array, Array]:
    """fields[..., step, 2] and time[step] as arrays; raises `ValueError` where they do not fit each other."""
    fields, time = np.asarray(fields, np.float64), np.asarray(time, np.float64)
    if time.ndim != 1 or len(time) < 2:
        raise ValueError(f"time has shape {time.shape}; wanted [step] with at least 2 steps")
    if fields.ndim < 2 or fields.shape[-2:] != (len(time), 2):
        raise ValueError(f"fields have shape {fields.shape}; wanted [..., {len(time)}, 2], one pair a step of time")
    if not (np.isfinite(time).all() and (np.diff(time) > 0).all()):
        raise ValueError(
            f"time runs from {time[0]} to {time[-1]} with steps down to {np.diff(time).min()}; wanted it to rise"
        )
    if not np.isfinite(fields).all():
        raise ValueError(f"fields hold {fields[~np.isfinite(fields)].flat[0]}; wanted finite numbers")
    return fields, time
