"""The sweep over every class and pixel: compiled lanes against torch's own operations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zbo_jrvae import lanes
from zbo_jrvae.decoding import Painting, dense_sweep, reconstruction
from zbo_jrvae.kernels import bend
from zbo_jrvae.lanes import chunks, lane_sweep
from zbo_jrvae.model import Model


def a_painting(images=5, classes=3, pixels=40, hidden=(12, 9), models=1):
    draw = torch.Generator()

    def normal(*shape):
        return torch.randn(models, *shape, generator=draw)

    posterior = normal(images, classes).softmax(-1)
    widths = [hidden[0], *hidden, 1]
    layers = tuple((normal(b, a) / a**0.5, normal(b)) for a, b in pairwise(widths))
    targets = normal(images, pixels).sigmoid()
    points, features = normal(images, pixels, 2), normal(images, classes, hidden[0])
    return Painting(points, features, posterior, targets, normal(hidden[0], 2), layers)


def on_lanes(model, painting, threads=2):
    with ThreadPoolExecutor(threads) as pool:
        value, gradients = lane_sweep(pool, threads)(model, painting)
    return [value, *gradients]


def in_torch(model, painting, dtype=torch.float32, rows=300):
    value, gradients = dense_sweep(dtype, rows)(model, painting)
    return [value, *gradients]


def distance(some, others):
    """The largest difference in each pair of arrays, relative to its largest entry."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize("sampler", ["bernoulli", "gaussian"])
@pytest.mark.parametrize(
    "shape",
    [{}, {"pixels": 2 * lanes.ROWS + 77}, {"hidden": (8,)}, {"hidden": (6, 10, 7)}, {"images": 40, "classes": 1}],
    ids=str,
)
def test_lanes_agree_with_torch(sampler, shape):
    model, painting = Model(1, 1, 1, sampler=sampler), a_painting(**shape)
    assert distance(on_lanes(model, painting), in_torch(model, painting)) < 5e-6


def test_several_models_at_once_are_as_each_alone():
    model, together = Model(1, 1, 1), a_painting(models=3)
    swept = in_torch(model, together)
    for k in range(3):
        one = Painting.of(tuple(t[k : k + 1] for t in together.tensors()), together.targets[k : k + 1])
        assert distance([part[k : k + 1] for part in swept], in_torch(model, one)) < 5e-6


def test_bfloat16_is_close():
    painting = a_painting(hidden=(32, 32))
    assert 0 < distance(in_torch(Model(1, 1, 1), painting, torch.bfloat16), in_torch(Model(1, 1, 1), painting)) < 0.03


def test_the_bits_do_not_depend_on_the_number_of_threads():
    model, painting = Model(1, 1, 1), a_painting(images=37, pixels=90, hidden=(24, 24))
    one, three = on_lanes(model, painting, 1), on_lanes(model, painting, 3)
    assert all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


@given(st.integers(0, 9), st.integers(1, 5), st.integers(1, 3 * lanes.ROWS))
def test_chunks_hold_every_image_class_and_pixel_once(images, classes, pixels):
    counts = np.zeros((images, classes, pixels), int)
    for chunk in chunks(range(images), classes, pixels):
        assert 0 < len(chunk.images) * chunk.span <= lanes.ROWS
        for image, kind in zip(chunk.images, chunk.classes, strict=True):
            counts[image, kind, chunk.start : chunk.start + chunk.span] += 1
    assert (counts == 1).all()


def test_nan_and_infinity_are_not_hidden():
    values = np.array([[np.nan, np.inf, -np.inf, 20.0]], np.float32)
    bend(values, np.zeros(4, np.float32))
    assert np.isnan(values[0, 0])
    np.testing.assert_allclose(values[0, 1:], [1, -1, 1], atol=1e-6)
    painting = a_painting()
    painting.layers[0][0][0, 0, 0] = np.nan
    assert torch.isnan(on_lanes(Model(1, 1, 1), painting)[0])


def test_the_compiled_tanh_is_tanh():
    x = np.linspace(-12, 12, 40_001, dtype=np.float32).reshape(1, -1)
    bent = x.copy()
    bend(bent, np.zeros(x.shape[1], np.float32))
    np.testing.assert_allclose(bent, np.tanh(x.astype(float)), rtol=4e-7, atol=1e-12)


def test_the_gradient_is_scaled_by_what_comes_after():
    """A model's weight on its own loss reaches its gradients and no others'."""
    model, together = Model(1, 1, 1), a_painting(models=2)
    leaves = Painting.of(tuple(t.requires_grad_() for t in together.tensors()), together.targets)
    value = reconstruction(model, dense_sweep(torch.float32, 300), leaves)
    plain = torch.autograd.grad(value.sum(), leaves.tensors(), retain_graph=True)
    scaled = torch.autograd.grad((value * torch.tensor([1.0, 4.0])).sum(), leaves.tensors())
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(other, one * torch.tensor([1.0, 4.0]).view(-1, *[1] * (one.ndim - 1)))
