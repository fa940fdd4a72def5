"""Blocks of up to `LANES` lattices, laid out for the kernels, and the threads that run many blocks at once.

Lanes never meet, unused ones hold zeros, and a block is one thread's: so a lattice's numbers are the same alone,
anywhere in a batch, and on any number of threads. Threads are plain ones around kernels that release the interpreter's
lock: safe beside torch's OpenMP and from several callers at once, which Numba's own threading layers are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt

from zbo_ferrosim.kernel import advance, advance_published
from zbo_ferrosim.lanes import LANES
from zbo_orchestrator.model import Array, frozen

LIMIT = 10.0
"""The polarisation at which the original clips its state: here the lattice has blown up."""

CACHE_LINE = 64
CHUNK = 4_000_000
"""Sites x steps between two looks at the world: some 30 ms."""
HEARTBEAT = 0.5
"""Seconds between two ticks for blocks that take long."""

Watch = Callable[[int, Array], None]
"""watch(step, polarization[LANES, 2, n, n]): shown the state after a step."""


def aligned(*shape: int) -> Array:
    """Zeros that start on a cache line: a vector that straddles two costs half as much again."""
    size = math.prod(shape)
    spare = np.zeros(size + CACHE_LINE // 8)
    start = -spare.ctypes.data % CACHE_LINE // 8
    return spare[start : start + size].reshape(shape)


def by_lane(rows: npt.ArrayLike) -> Array:
    """[row, ...] -> [..., LANES]: rows become lanes, the missing ones zeros."""
    rows = np.asarray(rows, np.float64)
    block = aligned(*rows.shape[1:], LANES)
    block[..., : len(rows)] = np.moveaxis(rows, 0, -1)
    return block


@lru_cache(maxsize=8)
def published_moves(n: int, steps: int) -> Array:
    """Which sites [step, n*n] the original moves: all in step 1, then a random quarter, always from its seed 512."""
    draw = np.random.RandomState(512)  # the original's own generator
    moves = np.zeros((steps, n * n), np.uint8)
    moves[:2] = 1
    for step in range(2, steps):
        moves[step, draw.choice(np.arange(n * n), n * n // 4, replace=False)] = 1
    return frozen(moves, np.uint8)


def cores() -> int:
    """How many threads to use: the processors this process may run on, or what NUMBA_NUM_THREADS says."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class Lattices:
    """Up to `LANES` lattices as the kernels want them; many blocks may read one.

    constants[5, LANES] (b, c, mobility x, mobility y, dep / n^2), springs[n*n, 2, LANES] (a + k, k / 4),
    forces[n*n, 2, LANES], initial[n, n, 2, LANES], total[2, LANES] (the initial state's)
    """

    constants: Array
    springs: Array
    forces: Array
    initial: Array
    total: Array

    @classmethod
    def of(cls, constants: Array, springs: Array, forces: Array, initial: Array) -> Lattices:
        """From rows [lattice, ...] of the same."""
        # a running sum has one order; NumPy's sum picks one by the shape of the batch
        total = initial.reshape(len(initial), -1, 2).cumsum(axis=1)[:, -1]
        return cls(*(by_lane(rows) for rows in (constants, springs, forces, initial, total)))


class Block:
    """Up to `LANES` lattices on their way through the same time steps.

    fields[lane, step, 2], intervals[step]
    moves[step, n*n]     the published rule's mask, None where every site moves in every step
    watched, watch       after which steps the state is shown
    """

    def __init__(
        self,
        lattices: Lattices,
        fields: Array,
        intervals: Array,
        *,
        moves: Array | None = None,
        watched: Sequence[int] = (),
        watch: Watch | None = None,
    ) -> None:
        self.lanes, self.n, self.steps = len(fields), len(lattices.initial), len(intervals)
        self.step = 0
        """The last step taken; other threads may read it."""
        self.cancelled = False
        self._watched, self._watch = frozenset(watched), watch
        self._source = aligned(self.n + 2, self.n + 2, 2, LANES)
        self._source[1:-1, 1:-1] = lattices.initial
        self._target = aligned(self.n + 2, self.n + 2, 2, LANES)
        self._totals = aligned(self.steps, 2, LANES)
        self._totals[0] = lattices.total
        self._peaks = aligned(self.steps, LANES)
        shared = lattices.forces, lattices.springs, lattices.constants, by_lane(fields), np.ascontiguousarray(intervals)
        rule = () if moves is None else (lattices.initial.copy(), np.zeros_like(lattices.initial), moves)
        self._kernel = advance if moves is None else advance_published
        self._arguments = tuple(array.reshape(-1) for array in (*rule, *shared, self._totals, self._peaks))

    def run(self) -> None:
        """Take all steps, or as many as there is time for before `cancelled` is seen."""
        self._show()
        for stop in self._stops():
            if self.cancelled:
                return
            self._kernel(
                self._source.reshape(-1), self._target.reshape(-1), *self._arguments, self.n, self.step + 1, stop + 1
            )
            if (stop - self.step) % 2:
                self._source, self._target = self._target, self._source
            self.step = stop
            self._show()

    def _stops(self) -> list[int]:
        """The steps after which the kernel comes back."""
        last, chunk = self.steps - 1, max(1, CHUNK // self.n**2)
        return sorted({*(step for step in self._watched if step > 0), *range(chunk, last, chunk), last})

    def _show(self) -> None:
        if self._watch is not None and self.step in self._watched:
            self._watch(self.step, self.polarization)

    @property
    def polarization(self) -> Array:
        """The newest state [LANES, 2, n, n]."""
        return np.ascontiguousarray(self._source[1:-1, 1:-1].transpose(3, 2, 0, 1))

    @property
    def totals(self) -> Array:
        """The polarisation summed over the sites after each step, [LANES, 2, step]."""
        return np.ascontiguousarray(self._totals.transpose(2, 1, 0))

    @property
    def blown_up(self) -> Array:
        """The first step [LANES] at which |p| exceeded `LIMIT` anywhere or was no number; `steps` where none was."""
        last = np.abs(self._source).max(axis=(0, 1, 2)) <= LIMIT  # false where it is NaN, which no step mends
        if last.all() and self._peaks.max() <= LIMIT**2:
            return np.full(LANES, self.steps)
        bad = np.asarray(~np.isfinite(self._totals).all(axis=1))
        bad[:-1] |= self._peaks[1:] > LIMIT**2
        bad[-1] |= ~last
        return np.asarray(np.where(bad.any(axis=0), bad.argmax(axis=0), self.steps))


AnyBlock = TypeVar("AnyBlock", bound=Block)


def no_tick(block: Block) -> None:
    """Do nothing every half second."""


def finish(
    blocks: Iterable[AnyBlock], threads: int | None = None, tick: Callable[[AnyBlock], None] = no_tick
) -> Iterator[AnyBlock]:
    """Run blocks on threads (all cores by default) and yield each as it ends; closing the generator cancels the rest.

    A block is asked for only when a thread is about to be free. `tick` is called, in the caller's thread, for each
    block in flight whenever none has ended for `HEARTBEAT` seconds.
    """
    threads = threads or cores()
    waiting = iter(blocks)
    running: dict[Future[None], AnyBlock] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="ferrosim") as pool:
        try:
            while True:
                running |= {pool.submit(block.run): block for block in islice(waiting, threads + 1 - len(running))}
                if not running:
                    return
                done, _ = wait(running, HEARTBEAT, FIRST_COMPLETED)
                for future in done:
                    future.result()
                    yield running.pop(future)
                for block in [] if done else list(running.values()):
                    tick(block)
        finally:
            for block in running.values():
                block.cancelled = True
