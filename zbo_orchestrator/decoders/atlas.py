"""The atlas: which latent points a planner may ask for, certified by decoding each and measuring every limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.model import Array, ConfigurationError, Decoder, Space

_BLOCK = 256
"""Points decoded at a time: 10,000 long trajectories never stand in memory at once."""

_GRIDS = {1: (1000,), 2: (100, 100)}
"""Grid by dimension where none is asked for; above these, Sobol points."""


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The part of the latent space that a library speaks of: no further than `reach` from one of its codes[n, d].

    Distances are Euclidean, in shares of the latent box's sides. Between and beyond the codes a decoder extrapolates.
    """

    codes: Array
    reach: float

    def __post_init__(self) -> None:
        if not len(self.codes):
            raise ConfigurationError(f"atlas support is {self.reach}; wanted none, since this decoder has no library")

    def margin(self, z: Array, lower: Array, upper: Array) -> Array:
        """reach - distance to the nearest code, [m]."""
        nearest, _ = cKDTree((self.codes - lower) / (upper - lower)).query((z - lower) / (upper - lower))
        return np.asarray(self.reach - nearest)


@dataclass(frozen=True, slots=True, eq=False)
class Certifier:
    """z[m, d] -> margins[m, limit] of the decoded trajectories, block by block, and of the support where one is set."""

    decoder: Decoder
    envelope: Envelope
    support: Support | None = None

    def __call__(self, z: Array) -> Array:
        points = np.asarray(z, dtype=np.float64)
        blocks = [self.envelope.margins(self.decoder.decode(block)) for block in _blocks(points)]
        margins = np.concatenate(blocks)
        if self.support is None:
            return margins
        return np.column_stack([margins, self.support.margin(points, *self.decoder.box)])

    @property
    def limits(self) -> tuple[str, ...]:
        lower, upper = self.decoder.box
        names = self.envelope.names(self.decoder.decode((lower + upper)[None] / 2))
        return names if self.support is None else (*names, "support")


def chart(
    decoder: Decoder,
    envelope: Envelope,
    *,
    shape: Sequence[int] | None = None,
    candidates: int = 4096,
    support: Support | None = None,
    seed: int = 0,
) -> Space:
    """Every candidate in the decoder's box with its margin to every limit, `certify` attached for further points.

    A grid of `shape` (100 x 100 in two dimensions, 1000 in one, unless stated); above two dimensions, without a
    `shape`, that many scrambled Sobol `candidates`. Raises `ConfigurationError` naming the limits that leave nothing.
    """
    lower, upper = (np.asarray(side, dtype=np.float64) for side in decoder.box)
    grid = tuple(shape) if shape is not None else _GRIDS.get(len(lower))
    points = _sobol(lower, upper, candidates, seed) if grid is None else _grid(lower, upper, grid)
    certify = Certifier(decoder, envelope, support)
    space = Space(lower, upper, points, certify(points), certify.limits, grid, certify)
    if not space.feasible.any():
        raise ConfigurationError(f"no point of the atlas is feasible: {_culprits(space)}")
    return space


def certificate(space: Space) -> str:
    """The atlas in words: its box, the share that is feasible, and for each limit how many points break it."""
    count, feasible = len(space.candidates), int(space.feasible.sum())
    layout = "Sobol points" if space.shape is None else f"grid {' x '.join(map(str, space.shape))}"
    axes = [f"  z{k + 1}  {a:.4g} .. {b:.4g}" for k, (a, b) in enumerate(zip(space.lower, space.upper, strict=True))]
    head = [f"Atlas: {count:,} candidates ({layout}) over the latent box", *axes]
    share = f"Feasible: {feasible:,} of {count:,} ({feasible / count:.1%})"
    return "\n".join([*head, share, *_limit_table(space), *_warning(space)])


def _warning(space: Space) -> Iterator[str]:
    limits = [name for name in space.limits if name not in {"finite", "support"}]
    if all(np.isposinf(space.margins[:, space.limits.index(name)]).all() for name in limits):
        how = "near the library" if "support" in space.limits else "beyond the library's bounds too"
        yield f"No limit is set: whatever the decoder makes is run, {how}; wanted an envelope"


def _limit_table(space: Space) -> Iterator[str]:
    """One line a limit that is set; "alone" counts the points that this limit alone rules out."""
    broken = space.margins < 0
    alone = broken & (broken.sum(axis=1, keepdims=True) == 1)
    rows = [("limit", "broken by", "alone", "least margin", "tightest feasible")]
    for index, name in enumerate(space.limits):
        margins = space.margins[:, index]
        if np.isposinf(margins).all() and name != "finite":
            continue
        kept = margins[space.feasible]
        tightest = f"{kept.min():.4g}" if len(kept) else "-"
        share = f"{broken[:, index].sum():,} ({broken[:, index].mean():.1%})"
        rows.append((name, share, f"{alone[:, index].sum():,}", f"{margins.min():.4g}", tightest))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = (
            f"{cell:<{w}}" if c == 0 else f"{cell:>{w}}" for c, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(["", first, *rest])


def _blocks(points: Array) -> Iterator[Array]:
    for start in range(0, max(len(points), 1), _BLOCK):
        yield points[start : start + _BLOCK]


def _grid(lower: Array, upper: Array, shape: tuple[int, ...]) -> Array:
    if len(shape) != len(lower) or min(shape) < 2:
        raise ConfigurationError(
            f"atlas grid is {list(shape)}; wanted {len(lower)} numbers of at least 2, one a latent axis"
        )
    axes = [np.linspace(a, b, n) for a, b, n in zip(lower, upper, shape, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))


def _sobol(lower: Array, upper: Array, count: int, seed: int) -> Array:
    if count < 1:
        raise ConfigurationError(f"atlas has {count} candidates; wanted at least 1")
    sequence = qmc.Sobol(len(lower), scramble=True, rng=np.random.default_rng([seed, len(lower)]))
    unit = sequence.random_base2(int(np.ceil(np.log2(count))))[:count]
    return np.asarray(lower + unit * (upper - lower))


def _culprits(space: Space) -> str:
    """The smallest set of limits that no candidate meets together, and how near the best one comes."""
    broken = [index for index in range(len(space.limits)) if (space.margins[:, index] < 0).any()]
    for size in range(1, len(broken) + 1):
        for chosen in combinations(broken, size):
            worst = space.margins[:, chosen].min(axis=1)
            if (worst < 0).all():
                names = " and ".join(space.limits[index] for index in chosen)
                together = "" if size == 1 else " together"
                nearest = f"the nearest misses by {-worst.max():.4g}"
                return f"none of {len(worst):,} candidates keeps {names}{together} ({nearest})"
    raise AssertionError("an infeasible atlas has broken limits")
