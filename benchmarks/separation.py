"""How fast the separation of class manifolds is computed, against a loop over scikit-image, and where the time goes.

    OMP_NUM_THREADS=1 python benchmarks/separation.py

Ten classes of 144 images each, as published (12 x 12 cells); 45 pairs of classes and 1000 pairs of cells a class make
16,480 pairs of images. Times are processor time, the best of several; the loop is run once, over the same pairs.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity

from zbo_orchestrator import similarity
from zbo_orchestrator.evaluators.separation import ManifoldSeparation
from zbo_orchestrator.model import Array, Channel, Measurement, Trajectory

CLASSES, CELLS, PAIRS, WINDOW = 10, 144, 1000, 5
COMPARED = CLASSES * (CLASSES - 1) // 2 * CELLS + CLASSES * PAIRS
TRAJECTORY = Trajectory(np.ones((1, 1)), 1.0, (Channel("beta_c"),))


def best(work: Callable[[], object], repeats: int = 7) -> float:
    """The shortest of several times, in seconds of the processor."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def dissimilarity(one: Array, other: Array) -> float:
    """DSSIM of two images by scikit-image."""
    alike = structural_similarity(one, other, win_size=WINDOW, data_range=1.0)
    return float(np.clip((1 - alike) / 2, 0, 1))


def looped(manifolds: Array) -> float:
    """The score, one pair of images after another."""
    l1 = sum(
        dissimilarity(manifolds[i, cell], manifolds[j, cell])
        for i, j in combinations(range(CLASSES), 2)
        for cell in range(CELLS)
    )
    first, second = np.triu_indices(CELLS, 1)
    drawn = np.sort(np.random.default_rng(0).choice(len(first), PAIRS, replace=False))
    l2 = sum(
        dissimilarity(images[first[pair]], images[second[pair]]) for images in manifolds for pair in drawn.tolist()
    )
    return l1 / CELLS - l2 / (CLASSES * PAIRS)


def stages(manifolds: Array) -> list[tuple[str, float]]:
    """Seconds in each part of the work, and in two of the steps that every pair takes."""
    prepared = similarity.moments(manifolds, WINDOW)
    rng, block = np.random.default_rng(0), max(1, similarity.BLOCK // manifolds[0, 0].size)
    chosen, images = rng.integers(0, CELLS, block), manifolds[0, :block]
    share = COMPARED / len(images)
    few = prepared[0, : len(images)]
    return [
        ("each image's moments", best(lambda: similarity.moments(manifolds, WINDOW))),
        ("between classes", best(lambda: similarity.between(prepared))),
        ("within classes", best(lambda: similarity.within(prepared, PAIRS, rng))),
        ("in these: window means of products", share * best(lambda: similarity.window_means(images, WINDOW), 50)),
        ("  (by scipy's uniform_filter)", share * best(lambda: uniform_filter(images, WINDOW, axes=(1, 2)), 50)),
        ("in these: SSIM, window means included", share * best(lambda: similarity.ssim(few, few), 50)),
        ("in these: gathering cells", 2 * CLASSES * PAIRS / block * best(lambda: prepared[0, chosen], 50)),
    ]


def measure(side: int) -> None:
    """Print one table, for images of side x side pixels."""
    rng = np.random.default_rng(side)
    manifolds = rng.random((CLASSES, 1, side, side)) * rng.random((CLASSES, CELLS, side, side))
    measurement, evaluator = Measurement({"manifolds": manifolds}), ManifoldSeparation(pairs=PAIRS, window=WINDOW)
    start = time.process_time()
    wanted = looped(manifolds)
    one_by_one = time.process_time() - start
    difference = abs(evaluator.evaluate(TRAJECTORY, measurement).value - wanted)
    if not difference < 1e-9:
        raise SystemExit(f"the score differs from the loop's by {difference}: there is nothing to compare")
    whole = best(lambda: evaluator.evaluate(TRAJECTORY, measurement))

    print(f"\n{CLASSES} classes of {CELLS} images, {side} x {side}; the scores differ by {difference:.0e}\n")
    print(f"{'':44}{'ms':>10}{'us a pair':>12}{'faster':>10}")
    for name, seconds in (("loop over scikit-image", one_by_one), ("manifold-separation", whole)):
        print(f"{name:44}{seconds * 1e3:10.1f}{seconds / COMPARED * 1e6:12.2f}{one_by_one / seconds:10.0f}")
    for name, seconds in stages(manifolds):
        print(f"  {name:42}{seconds * 1e3:10.1f}{seconds / COMPARED * 1e6:12.2f}")


def main() -> None:
    """Measure and print."""
    print(f"{platform.processor() or platform.machine()}, {COMPARED} pairs of images")
    for side in (28, 8):
        measure(side)


if __name__ == "__main__":
    main()
