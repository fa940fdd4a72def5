"""The sweep over every class and pixel: compiled lanes against torch's own operations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zbo_jrvae import lanes
from zbo_jrvae.decoding import Painting, dense_sweep, reconstruction
from zbo_jrvae.kernels import bend
from zbo_jrvae.lanes import NEGLIGIBLE, cut, lane_sweep
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


def test_what_is_left_out_changes_no_gradient_beyond_rounding(monkeypatch):
    model, painting = Model(1, 1, 1), a_painting(images=30, classes=4)
    # class 0 in a third of the images, class 3 faint everywhere: its own weights must still hear of it
    painting.posterior[0, 10:, 0] *= 1e-14
    painting.posterior[0, :, 3] *= 1e-14
    kept = on_lanes(model, painting)
    pairs = sum(len(images) for images, _ in cut(painting.posterior[0].numpy()))
    assert pairs == 30 * 4 - 20
    monkeypatch.setattr(lanes, "NEGLIGIBLE", 0.0)
    whole = on_lanes(model, painting)
    whole[3] = torch.where(painting.posterior < 1e-13, kept[3], whole[3])  # the loss of a pair that hardly is
    assert distance(kept, whole) < 1e-6
    faint = [gradients[2][0, :, 3] for gradients in (kept, whole)]  # of the features of class 3
    assert distance(faint[:1], faint[1:]) < 1e-6


@given(
    arrays(np.float32, st.tuples(st.integers(1, 60), st.integers(1, 5)), elements=st.sampled_from([0, 1e-12, 0.1, 1])),
)
def test_lanes_hold_every_pair_that_counts_once_and_no_image_twice(posterior):
    posterior = np.asarray(posterior, np.float32)
    parts = cut(posterior)
    pairs = [pair for images, classes in parts for pair in zip(images.tolist(), classes.tolist(), strict=True)]
    wanted = posterior >= NEGLIGIBLE * posterior.max(0)
    assert pairs == list(zip(*(axis.tolist() for axis in np.nonzero(wanted)), strict=True))
    owners = [set(images.tolist()) for images, _ in parts]
    assert sum(map(len, owners)) == len(set().union(*owners))


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
