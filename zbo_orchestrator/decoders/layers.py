"""Dense layers in float64 whose result for a row depends on that row alone.

A matrix product from BLAS may sum in another order when the batch, the row's place in it or the number of threads
changes, and then the last bits differ. Here every output is summed over its inputs one after another, without
reassociation, so a point decoded alone, among others, on any thread count, or twice, has the same bits: what was
certified is what is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import tanh

import numba
import numpy as np

from zbo_orchestrator.model import Array


def _affine(x: Array, weight: Array, bias: Array, squash: bool) -> Array:
    """x[n, i] @ weight[i, o] + bias[o], through tanh if asked.

    Outputs run innermost, to fill the vector units; four inputs are added per pass, strictly left to right.
    """
    rows, inputs = x.shape
    outputs = weight.shape[1]
    result = np.empty((rows, outputs))
    fours = inputs - inputs % 4
    for row in range(rows):
        out = result[row]
        out[:] = bias
        for i in range(0, fours, 4):
            a, b, c, d = x[row, i], x[row, i + 1], x[row, i + 2], x[row, i + 3]
            for o in range(outputs):
                out[o] = (((out[o] + a * weight[i, o]) + b * weight[i + 1, o]) + c * weight[i + 2, o]) + d * weight[
                    i + 3, o
                ]
        for i in range(fours, inputs):
            for o in range(outputs):
                out[o] += x[row, i] * weight[i, o]
        if squash:
            for o in range(outputs):
                out[o] = tanh(out[o])
    return result


_compiled: Callable[..., Array] = numba.njit(cache=True, nogil=True, fastmath=False)(_affine)


def product(left: Array, right: Array) -> Array:
    """left[n, i] @ right[i, o] in float64, by the same sums."""
    rows, columns = (np.ascontiguousarray(side, dtype=np.float64) for side in (left, right))
    return _compiled(rows, columns, np.zeros(columns.shape[1]), False)


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Dense layers, weights[k] is [input, output]; tanh after each but the last."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def __post_init__(self) -> None:
        for name in ("weights", "biases"):
            arrays = tuple(np.ascontiguousarray(a, dtype=np.float64) for a in getattr(self, name))
            object.__setattr__(self, name, arrays)

    def __call__(self, x: Array) -> Array:
        """[n, input] -> [n, output]."""
        last = len(self.weights) - 1
        rows = np.ascontiguousarray(x, dtype=np.float64)
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = _compiled(rows, weight, bias, depth < last)
        return rows
