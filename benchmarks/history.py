"""What a trial's commits cost, how that grows, and what a trial leaves on disk.

A serial campaign of the demo's size: 900 steps, lattices of 20 x 20, 10,000 candidates. Record and next plan share a
commit. Beside it: a plain Zarr append of the same arrays on the same disk, which promises nothing; and the same commits
to a bucket of a moto server in this process, which answers in a few milliseconds. A trial is some 35 objects put and 5
requests more: what a network takes for each comes on top.

    python -m benchmarks.history [TRIALS] [--durability power]
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import numpy as np
import zarr
from moto.server import ThreadedMotoServer

from zbo_orchestrator.history import Charter, History, Record
from zbo_orchestrator.model import (
    Attempt,
    Budget,
    Channel,
    Goal,
    Measurement,
    Plan,
    Proposal,
    Score,
    Space,
    Trajectory,
    Trial,
)
from zbo_orchestrator.place import Address

STEPS, SIDE, GRID = 900, 20, 100
CHANNELS = (Channel("field", "Ec"),)
_MAP_BYTES = 30_000


def charter() -> Charter:
    axis = np.linspace(-1, 1, GRID)
    candidates = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    space = Space([-1, -1], [1, 1], candidates, np.ones((len(candidates), 5)), tuple("abcde"), (GRID, GRID))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    return Charter(
        name="benchmark",
        goal=Goal(),
        budget=Budget(20, 100_000),
        identity={"seed": 0},
        campaign={"width": 1},
        decoder={"weights": rng.normal(size=300_000).astype("f4"), "codes": rng.normal(size=(7500, 2))},
        space=space,
        library=Trajectory(rng.normal(size=(256, STEPS, 1)), 0.003, CHANNELS),
        families=("modulated-sine",) * 256,
    )


def plans(rng: np.random.Generator) -> Iterator[Plan]:
    """One point a plan; maps smooth as a posterior's are, to the last bits of float32."""
    while True:
        wave = np.sin(np.linspace(0, 9, GRID) + rng.random())
        smooth = np.outer(wave, wave).ravel() + 1e-5 * rng.normal(size=GRID * GRID)
        maps = {"mean": smooth, "deviation": 1 - smooth**2, "acquisition": np.exp(smooth)}
        memory = {"lengthscales": rng.random(2).tolist(), "noise": rng.random(), "best": rng.random(20).tolist()}
        reason = f"explore: predicted {rng.random():.4g} ± {rng.random():.2g}, improvement expected {rng.random():.3g}"
        yield Plan(rng.random((1, 2)), (reason,), maps, memory)


def trial(proposal: Proposal, rng: np.random.Generator) -> Trial:
    field = Trajectory(np.cumsum(rng.normal(size=(STEPS, 1)), axis=0), 0.003, CHANNELS)
    arrays = {
        "polarization": rng.normal(size=(2, SIDE, SIDE)),
        "curl": rng.normal(size=(SIDE, SIDE)),
        "total_polarization": rng.normal(size=(STEPS, 2)),
    }
    now = time.time()
    score = Score(rng.random(), {"curl": rng.random(), "mean": rng.random()}, 0.1)
    return Trial(proposal, field, score, Measurement(arrays, executed=field), (Attempt(1, 0, now, now),))


def run(path: Address, trials: int, durability: str) -> tuple[np.ndarray, dict[int, tuple[int, int, int]]]:
    """Seconds a trial, and on disk (bytes, bytes without maps, files) after a quarter, a half, and all of them."""
    rng = np.random.default_rng(1)
    asked = plans(rng)
    seconds, sizes = np.zeros(trials), {}
    with History.create(path, charter(), durability=durability) as history:  # type: ignore[arg-type]
        (proposal,) = history.propose(next(asked))
        for number in range(trials):
            done, plan = trial(proposal, rng), next(asked)
            start = time.perf_counter()
            with history.transaction():
                history.record(done)
                (proposal,) = history.propose(plan)
            seconds[number] = time.perf_counter() - start
            if isinstance(path, Path) and number + 1 in (trials // 4, trials // 2, trials):
                sizes[number + 1] = weight(path)
    return seconds, sizes


@contextmanager
def bucket() -> Iterator[str]:
    """The address of an empty bucket on a server of our own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "benchmark")
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_REGION": "us-east-1", **keys}
    boto3.client("s3").create_bucket(Bucket="benchmark")
    yield "s3://benchmark/history"
    server.stop()


def weight(path: Path) -> tuple[int, int, int]:
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    maps = sum(size for size in sizes if _MAP_BYTES / 2 < size < _MAP_BYTES * 2)
    return sum(sizes), sum(sizes) - maps, len(sizes)


def plain_zarr(path: Path, trials: int) -> np.ndarray:
    """Seconds a trial of appending the same large arrays and five scalars to plain Zarr."""
    rng = np.random.default_rng(1)
    done = trial(Proposal(0, [0.0, 0.0]), rng)  # type: ignore[arg-type]
    assert done.measurement is not None
    rows = {"trajectory": done.trajectory.values, "executed": done.trajectory.values, **done.measurement.arrays}
    rows |= {name: np.zeros(()) for name in ("value", "noise", "status", "at", "plan")}
    group = zarr.open_group(path, mode="w")
    for name, row in rows.items():
        group.create_array(name, shape=(0, *row.shape), chunks=(1, *row.shape), dtype="f8")
    arrays = {name: group[name] for name in rows}
    seconds = np.zeros(trials)
    for number in range(trials):
        start = time.perf_counter()
        for name, array in arrays.items():
            array.append(rows[name][None])  # type: ignore[union-attr]
        seconds[number] = time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", nargs="?", type=int, default=2000)
    parser.add_argument("--durability", choices=("process", "power"), default="process")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="zbo-benchmark-"))
    try:
        seconds, sizes = run(folder / "history", options.trials, options.durability)
        plain = plain_zarr(folder / "plain.zarr", 100)
        start = time.perf_counter()
        Record.read(folder / "history")
        opening = time.perf_counter() - start
        os.chdir(folder)  # what stands beside a history in a bucket goes there
        with bucket() as there:
            stored, _ = run(there, 100, "process")
    finally:
        shutil.rmtree(folder)
    first, last = np.median(seconds[:100]), np.median(seconds[-100:])
    unmapped = seconds[200:300] if len(seconds) >= 300 else seconds
    print(f"commits of a trial, median of all       {np.median(seconds) * 1e3:8.1f} ms   (wanted: under 80)")
    print(f"  first 100 (maps kept)                 {first * 1e3:8.1f} ms   mean {seconds[:100].mean() * 1e3:.1f}")
    print(f"  trials 200 to 300 (every 10th map)    {np.median(unmapped) * 1e3:8.1f} ms")
    print(f"  last 100                              {last * 1e3:8.1f} ms   mean {seconds[-100:].mean() * 1e3:.1f}")
    print(f"  last 100 / first 100                  {last / first:8.2f}      (wanted: at most 1.3)")
    print(f"  last 100 / trials 200 to 300          {last / np.median(unmapped):8.2f}")
    times = np.median(seconds) / np.median(plain)
    print(f"  times a plain Zarr append             {times:8.2f}      ({np.median(plain) * 1e3:.1f} ms)")
    print(f"  first 100 to object storage           {np.median(stored) * 1e3:8.1f} ms")
    print(f"  times the first 100 on disk           {np.median(stored) / first:8.2f}")
    print(f"opening to read at the end              {opening * 1e3:8.1f} ms")
    print("trials      MB     MB without maps   kB a trial without maps   files")
    for number, (total, bare, files) in sizes.items():
        print(f"{number:6d}  {total / 1e6:7.1f}  {bare / 1e6:14.1f}  {bare / number / 1e3:20.1f}  {files:12d}")


if __name__ == "__main__":
    main()
