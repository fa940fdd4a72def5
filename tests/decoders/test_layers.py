"""Dense layers: right to rounding, and the same bits for a row wherever it stands."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_orchestrator.decoders.layers import Layers, product


def network(seed: int, *sizes: int) -> Layers:
    rng = np.random.default_rng(seed)
    shapes = list(pairwise(sizes))
    return Layers(tuple(rng.normal(size=s) for s in shapes), tuple(rng.normal(size=s[1]) for s in shapes))


@settings(deadline=None)
@given(seed=st.integers(0, 99), inputs=st.integers(1, 9), hidden=st.integers(1, 9), outputs=st.integers(1, 40))
def test_layers_compute_what_matrix_products_do(seed: int, inputs: int, hidden: int, outputs: int) -> None:
    layers = network(seed, inputs, hidden, outputs)
    x = np.random.default_rng(seed).normal(size=(5, inputs))
    expected = np.tanh(x @ layers.weights[0] + layers.biases[0]) @ layers.weights[1] + layers.biases[1]
    np.testing.assert_allclose(layers(x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(product(x, layers.weights[0]), x @ layers.weights[0], rtol=1e-12, atol=1e-12)


@settings(deadline=None)
@given(data=st.data(), rows=st.integers(1, 300))
def test_a_row_has_the_same_bits_alone_and_anywhere_among_others(data: st.DataObject, rows: int) -> None:
    layers = network(0, 3, 17, 41)
    x = np.random.default_rng(rows).normal(size=(rows, 3))
    together = layers(x)
    row = data.draw(st.integers(0, rows - 1))
    order = np.random.default_rng(row).permutation(rows)
    np.testing.assert_array_equal(layers(x[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(layers(x[order]), together[order])


def test_no_rows_give_no_rows() -> None:
    assert network(0, 2, 3)(np.empty((0, 2))).shape == (0, 3)


def test_strided_input_is_read_as_it_stands() -> None:
    layers, x = network(0, 4, 6), np.random.default_rng(0).normal(size=(9, 8))
    assert layers(x[::2, ::2]) == pytest.approx(layers(np.ascontiguousarray(x[::2, ::2])), abs=0)
