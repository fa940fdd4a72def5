"""How fast FerroSIM runs, what it is measured against, and what limits it.

    python benchmarks/ferrosim.py [--curves 10000]

Every ratio is of times taken in this one run, each the best of several: processor time where one core works, so that a
busy machine distorts little, and time on the wall where all do. The lattice is the process study's: 20 x 20
cells, tetragonal, 950 steps. NumPy appears twice: as one writes the equations, whole lattice at once, and with every
trick that NumPy leaves (in place, one padded array, powers as products).
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from zbo_ferrosim import FerroSim
from zbo_ferrosim.batch import Batch
from zbo_ferrosim.block import aligned, cores
from zbo_ferrosim.executor import FieldExecutor
from zbo_ferrosim.lanes import LANES, load, splat, store
from zbo_ferrosim.physics import curl, defect_fields, polynomial
from zbo_orchestrator.model import Array, Channel, Measurement, Trajectory

N, STEPS, DT = 20, 950, 4 / 1199
OPERATIONS = 2 * 17
"""Additions, products and comparisons a site and step in `kernel.advance`, seventeen for each component."""

COLD = """
import time
start = time.perf_counter()
import numpy as np
from zbo_ferrosim import FerroSim
loaded = time.perf_counter()
FerroSim(20, "tetragonal", 100.0, 0.3).final_polarization(np.zeros((950, 2)), np.arange(950) / 300)
print(loaded - start, time.perf_counter() - loaded)
"""


def best(work: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.process_time) -> float:
    """The shortest of several times, in seconds."""
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def curves(count: int) -> Array:
    """Modulated sines [count, step] within -1 .. 1, the last 50 steps held."""
    rng, t = np.random.default_rng(0), np.arange(1200) * DT
    growth, pitch = rng.uniform(-2.75, 2.75, (count, 1)), rng.uniform(2 * np.pi, 8 * np.pi / 3, (count, 1))
    waves = np.exp(growth * t) * np.cos(pitch * t)
    low, high = waves.min(1, keepdims=True), waves.max(1, keepdims=True)
    scaled = (2 * (waves - low) / (high - low) - 1)[:, : STEPS - 50]
    return np.concatenate([scaled, np.repeat(scaled[:, -1:], 50, axis=1)], axis=1)


def written(sim: FerroSim, fields: Array, instants: Array) -> Array:
    """One run in NumPy as one writes it."""
    a, b, c = polynomial(sim.mode, sim.landau)
    depolarization, p = sim.depolarization / N**2, np.moveaxis(sim.initial_polarization, -1, 0).copy()
    defects = np.moveaxis(sim.forces.reshape(N, N, 2), -1, 0)
    k, applied = float(sim.coupling), fields * sim.coercive_field
    for step in range(1, len(instants)):
        near = np.zeros_like(p)
        near[:, 1:] += p[:, :-1]
        near[:, :-1] += p[:, 1:]
        near[:, :, 1:] += p[:, :, :-1]
        near[:, :, :-1] += p[:, :, 1:]
        slope = a * p + b * p**3 + c * p[::-1] ** 2 * p
        field = applied[step][:, None, None] - depolarization * p.sum((1, 2), keepdims=True) + defects
        p = p + (instants[step] - instants[step - 1]) * (field - slope - k * (p - near / 4))
    return p


def polished(sim: FerroSim, fields: Array, instants: Array) -> Array:
    """One run in NumPy, in place and with as few operations as it goes."""
    (a, b, c), depolarization = polynomial(sim.mode, sim.landau), sim.depolarization / N**2
    defects = np.moveaxis(sim.forces.reshape(N, N, 2), -1, 0)
    k, applied, intervals = float(sim.coupling), fields * sim.coercive_field, np.diff(instants, prepend=0.0)
    padded = np.zeros((2, N + 2, N + 2))
    p = padded[:, 1:-1, 1:-1]
    p[:] = np.moveaxis(sim.initial_polarization, -1, 0)
    up, down, left, right = padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]
    for step in range(1, len(instants)):
        square = p * p
        drive = (applied[step] - depolarization * p.sum((1, 2)))[:, None, None] + defects
        p += intervals[step] * (
            drive + k / 4 * (up + down + left + right) - p * (a + k + b * square + c * square[::-1])
        )
    return p.copy()


@njit(nogil=True)  # type: ignore[misc]
def arithmetic(memory: Array, rounds: int) -> None:
    """Twelve chains of products and sums in registers: as many plain vector operations a second as there can be."""
    scale, shift = splat(0.999), splat(0.001)
    a, b, c, d = load(memory, 0), load(memory, LANES), load(memory, 2 * LANES), load(memory, 3 * LANES)
    e, f, g, h = load(memory, 4 * LANES), load(memory, 5 * LANES), load(memory, 6 * LANES), load(memory, 7 * LANES)
    i, j, k, m = load(memory, 8 * LANES), load(memory, 9 * LANES), load(memory, 10 * LANES), load(memory, 11 * LANES)
    for _ in range(rounds):
        a, b, c, d = a * scale + shift, b * scale + shift, c * scale + shift, d * scale + shift
        e, f, g, h = e * scale + shift, f * scale + shift, g * scale + shift, h * scale + shift
        i, j, k, m = i * scale + shift, j * scale + shift, k * scale + shift, m * scale + shift
    store(memory, 0, ((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + m)))


def ceiling() -> float:
    """Plain additions and products that this core does in a second, in vectors of LANES."""
    memory, rounds = aligned(12 * LANES), 100_000
    arithmetic(memory, 1)
    return rounds * 24 * LANES / best(lambda: arithmetic(memory, rounds), 40)


def cold_starts() -> list[tuple[str, float]]:
    """Seconds for the import and for the first run in a fresh process, machine code compiled and then cached."""
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for state in ("compiling", "from the cache"):
            out = subprocess.run(
                [sys.executable, "-c", COLD],
                env={**os.environ, "NUMBA_CACHE_DIR": cache},
                capture_output=True,
                text=True,
                check=True,
            )
            imported, first = map(float, out.stdout.split())
            rows += [(f"import, {state}", imported), (f"first run, {state}", first)]
    return rows


class Silent:
    """A run that nobody listens to."""

    number, attempt, seed, scratch = 0, 1, 0, Path()

    def report(self, step: int, of: int, **values: float) -> None:
        """Say nothing."""


def scan(waves: Array) -> int:
    """Run curves through the executor as a scan does; how many were measured."""
    executor, channels = FieldExecutor(hold_steps=0), (Channel("field"),)
    measured = 0
    for start in range(0, len(waves), executor.capacity):
        block = waves[start : start + executor.capacity]
        trajectories = [Trajectory(wave[:, None], DT, channels) for wave in block]
        outcomes = executor.execute_many(trajectories, [Silent()] * len(block))
        measured += sum(isinstance(outcome, Measurement) for _, outcome in outcomes)
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=10_000, help="size of the scan")
    count = parser.parse_args().curves

    start = np.zeros((N, N, 2))
    sim = FerroSim(N, "tetragonal", 100.0, 0.3, defects=defect_fields(N, 35.0, 0.05, 0), initial_polarization=start)
    published = FerroSim(
        N, "tetragonal", 100.0, 0.3, defects=sim.defects, initial_polarization=start, update="published"
    )
    instants, waves = np.arange(STEPS) * DT, curves(count)
    fields = np.zeros((400, STEPS, 2))
    fields[..., 0] = 150 * waves[np.arange(400) % count]
    final = sim.final_polarization(fields[0], instants)
    published.final_polarization(fields[0], instants)
    for other in (written, polished):
        difference = np.abs(other(sim, fields[0], instants) - final).max()
        if not difference < 1e-12:
            raise SystemExit(f"{other.__name__} NumPy differs by {difference}: there is nothing to compare")

    numpy_written = best(lambda: written(sim, fields[0], instants))
    numpy_polished = best(lambda: polished(sim, fields[0], instants))
    alone = best(lambda: sim.final_polarization(fields[0], instants), 20)
    one = best(lambda: sim.final_polarization(fields, instants, threads=1)) / len(fields)
    every = best(lambda: sim.final_polarization(fields, instants), clock=time.perf_counter) / len(fields)
    rule = best(lambda: published.final_polarization(fields, instants, threads=1)) / len(fields)
    block = Batch(range(LANES), [sim] * LANES, fields[:LANES], instants)

    def kernel() -> None:
        block.step = 0
        block.run()

    inner, top = best(kernel, 30) / LANES, ceiling()
    speed = OPERATIONS * N * N * (STEPS - 1) / inner

    print(f"{platform.processor() or platform.machine()}, {cores()} cores; {N} x {N} cells, {STEPS} steps\n")
    print(f"{'':44}{'ms a run':>10}{'faster than NumPy':>20}{'than polished':>15}")
    for name, seconds in (
        ("NumPy, as one writes it", numpy_written),
        ("NumPy, polished", numpy_polished),
        ("FerroSim, one run", alone),
        ("FerroSim, batch of 400, one core", one),
        (f"FerroSim, batch of 400, {cores()} cores", every),
        ("FerroSim, published rule, batch, one core", rule),
        ("kernel alone, one core", inner),
    ):
        print(f"{name:44}{seconds * 1e3:10.3f}{numpy_written / seconds:20.0f}{numpy_polished / seconds:15.1f}")
    share = f"{speed / top:.0%} of the {top / 1e9:.1f} G/s that the core does unfused"
    print(f"\nkernel: {speed / 1e9:.1f} G operations/s, {share}")
    print(f"memory a block of {LANES}: {2 * (N + 2) ** 2 * 2 * LANES * 8 / 1024:.0f} KiB of states, both buffers\n")

    begin = time.perf_counter()
    done = scan(waves)
    taken = time.perf_counter() - begin
    print(f"scan of {done} curves through the executor, everything measured, {cores()} cores: {taken:.1f} s")
    begin = time.perf_counter()
    scores = [np.abs(curl(sim.final_polarization(_fields(part), instants))).sum((-1, -2)) for part in _parts(waves)]
    largest, taken = np.concatenate(scores).max(), time.perf_counter() - begin
    print(f"the same, total |curl| only: {taken:.1f} s (largest {largest:.2f})\n")
    for name, seconds in cold_starts():
        print(f"{name:44}{seconds:10.2f} s")


def _parts(waves: Array) -> list[Array]:
    return [waves[start : start + 1000] for start in range(0, len(waves), 1000)]


def _fields(waves: Array) -> Array:
    return np.stack([150 * waves, np.zeros_like(waves)], axis=-1)


if __name__ == "__main__":
    main()
