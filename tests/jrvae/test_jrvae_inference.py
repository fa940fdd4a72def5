"""What trained weights say, as pyroVED would say it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from zbo_jrvae.inference import as_pyroved, decode, encode, manifolds
from zbo_jrvae.model import Model
from zbo_jrvae.networks import build


@pytest.fixture(params=[(), ("r",), ("t",), ("s", "r", "t")], ids=str)
def trained(request):
    """A model and weights that are not the initial ones."""
    model = Model(7, 5, 3, hidden=(12, 9), invariances=request.param)
    rng = np.random.default_rng(0)
    weights = {
        name: (2 * values.numpy() + 0.1 * rng.normal(size=values.shape)).astype(np.float32)
        for name, values in build(model, 3).state_dict().items()
    }
    return model, weights


def test_encodes_as_pyroved(trained):
    model, weights = trained
    images = np.random.default_rng(1).random((4 * 4096, 7, 5), np.float32)  # more than one piece
    ours = encode(model, weights, images)
    theirs = as_pyroved(model, weights).encode(torch.from_numpy(images), logits=True)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-6)
    assert ours.means.shape[1] == {(): 2, ("r",): 3, ("t",): 4, ("s", "r", "t"): 6}[model.invariances]


def test_decodes_as_pyroved(trained):
    model, weights = trained
    z, classes = np.random.default_rng(2).normal(size=(300, 2)), np.arange(300) % 3
    theirs = as_pyroved(model, weights).decode(torch.tensor(z).float(), one_hot(torch.tensor(classes), 3).float())
    np.testing.assert_allclose(decode(model, weights, z, classes), theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_manifolds_are_pyroveds(trained):
    model, weights = trained
    ours, vae = manifolds(model, weights, 4), as_pyroved(model, weights)
    assert ours.shape == (3, 16, 7, 5)
    assert ours.dtype == np.float32
    for kind in range(3):
        np.testing.assert_allclose(ours[kind], vae.manifold2d(4, kind, plot=False).numpy(), rtol=1e-5, atol=1e-6)


def test_the_process_keeps_its_random_state_and_threads(trained):
    model, weights = trained
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    manifolds(model, weights, 3)
    as_pyroved(model, weights)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
