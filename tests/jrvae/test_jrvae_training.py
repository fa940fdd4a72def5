"""Training: as far as pyroVED's, repeatable to the bit, resumable, and without a trace in the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyro
import pytest
import torch
from sklearn.datasets import load_digits

from zbo_jrvae.crew import crew
from zbo_jrvae.decoding import dense_sweep
from zbo_jrvae.elbo import Batch, Objective
from zbo_jrvae.lanes import lane_sweep
from zbo_jrvae.model import Model, Recipe
from zbo_jrvae.networks import build, grid
from zbo_jrvae.program import Program
from zbo_jrvae.training import Training, needed_bytes
from zbo_orchestrator.model import ConfigurationError
from zbo_orchestrator.pyroved_import import load_pyroved
from zbo_orchestrator.undisturbed import undisturbed

MODEL = Model(8, 8, 3, hidden=(24, 16))
RECIPE = Recipe(batch=40, device="cpu", threads=2)


def digits(count=100):
    return (load_digits().images[:count] / 16).astype(np.float32)


def constant(models, epochs, *betas):
    return np.broadcast_to(np.array(betas or (1.0, 1.0)), (models, epochs, 2))


def trained(epochs=2, model=MODEL, recipe=RECIPE, seeds=(7,), schedules=None):
    schedules = constant(len(seeds), epochs) if schedules is None else schedules
    training = Training(model, recipe, digits(), schedules, seeds)
    losses = [training.advance() for _ in range(epochs)]
    return training, np.stack(losses, 1)


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(values, other[name]) for name, values in one.items())


def pyroveds_losses(model, seed, epochs, betas):
    with undisturbed(), pyro.get_param_store().scope():
        vae, pv = build(model, seed), load_pyroved()
        trainer = pv.trainers.SVItrainer(vae, enumerate_parallel=True, seed=seed, device="cpu", lr=3e-3)
        loader = pv.utils.init_dataloader(torch.from_numpy(digits()), batch_size=40)
        for _ in range(epochs):
            trainer.step(loader, scale_factor=list(betas))
        return trainer.loss_history["training_loss"]


def test_trains_to_pyroveds_losses():
    epochs, betas, recipe = 25, (1.5, 0.5), replace(RECIPE, learning_rate=3e-3)
    theirs = np.array([pyroveds_losses(MODEL, seed, epochs, betas) for seed in (1, 2, 3)])
    _, ours = trained(epochs, MODEL, recipe, (1, 2, 3), constant(3, epochs, *betas))
    assert ours[:, 0, 0] == pytest.approx(theirs[:, 0], rel=0.01), "the same initial weights"
    assert theirs[:, -1].mean() < theirs[:, 0].mean() - 4, "they learned something"
    # means of three seeds over the last five epochs; the seeds themselves differ by up to 0.3
    assert ours[:, -5:, 0].mean() == pytest.approx(theirs[:, -5:].mean(), abs=0.6)


def test_the_numbers_of_an_epoch_are_the_objective_and_its_terms():
    schedules = np.array([[[4.0, 0.5], [0.25, 3.0]]])
    _, losses = trained(2, schedules=schedules)
    for epoch, betas in enumerate(schedules[0]):
        loss, misfit, *divergences = losses[0, epoch]
        assert loss == pytest.approx(misfit + betas @ divergences, rel=1e-6)


def test_the_rest_of_the_images_is_trained_on_too():
    """100 images in batches of 40 are three steps."""
    training, _ = trained(1)
    assert training.state()["steps"].tolist() == [3]


def test_a_state_restored_elsewhere_goes_on_bit_for_bit():
    recipe = replace(RECIPE, pixel_share=0.5)
    straight, losses = trained(4, recipe=recipe, seeds=(1, 2))
    half, _ = trained(2, recipe=recipe, seeds=(1, 2), schedules=constant(2, 4))
    resumed = Training(MODEL, recipe, digits(), constant(2, 4), (1, 2))
    resumed.restore({name: values.copy() for name, values in half.state().items()})
    assert resumed.epoch == 2
    assert np.array_equal(np.stack([resumed.advance(), resumed.advance()], 1), losses[:, 2:])
    assert same(resumed.state(), straight.state())


def test_models_side_by_side_are_as_each_alone():
    schedules = np.stack([constant(1, 2, 1.0, 1.0)[0], constant(1, 2, 9.0, 0.1)[0]])
    together, losses = trained(seeds=(5, 6), schedules=schedules)
    for index, seed in enumerate((5, 6)):
        alone, own = trained(seeds=(seed,), schedules=schedules[index : index + 1])
        assert np.array_equal(own[0], losses[index])
        assert same(alone.weights(0), together.weights(index))


@pytest.mark.parametrize("invariances", [(), ("r", "t")])
def test_one_program_of_several_models_trains_as_they_do_one_by_one(invariances):
    """The GPU's way, on the processor."""
    model = replace(MODEL, invariances=invariances)
    schedules = np.stack([constant(1, 2, 1.0, 1.0)[0], constant(1, 2, 9.0, 0.1)[0]])
    images = torch.from_numpy(digits().reshape(100, -1))
    program = Program(model, RECIPE, images, schedules, (5, 6))
    with undisturbed(), pyro.get_param_store().scope():
        losses = [program.epoch(epoch, dense_sweep(torch.float32, 1000)) for epoch in range(2)]
    _, wanted = trained(2, model, seeds=(5, 6), schedules=schedules)
    np.testing.assert_allclose(np.stack(losses, 1), wanted, rtol=1e-4)


def test_bfloat16_trains_close_by():
    _, wide = trained(3)
    _, narrow = trained(3, recipe=replace(RECIPE, precision="bfloat16"))
    assert not np.array_equal(wide, narrow)
    np.testing.assert_allclose(narrow[..., 0], wide[..., 0], rtol=0.01)


def test_the_same_seed_gives_the_same_bits_whatever_the_threads():
    one, other = (trained(recipe=replace(RECIPE, threads=threads))[0] for threads in (1, 3))
    assert same(one.state(), other.state())


def test_two_trainings_at_once_have_the_bits_of_each_alone():
    alone = [trained(3, seeds=(seed,))[0].state() for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(lambda seed: trained(3, seeds=(seed,))[0].state(), (1, 2)))
    assert all(same(one, other) for one, other in zip(alone, at_once, strict=True))


@pytest.fixture
def three_threads():
    """Torch set to three threads, here and on threads to come."""
    usual = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(usual)


@pytest.mark.usefixtures("three_threads")
def test_the_process_is_left_as_it_was():
    pyro.get_param_store().clear()
    pyro.param("somebody's", torch.ones(2))
    state = torch.get_rng_state()
    trained()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3
    assert list(pyro.get_param_store()) == ["somebody's"]
    pyro.get_param_store().clear()


@pytest.mark.usefixtures("three_threads")
def test_torch_uses_one_core_on_each_thread_of_a_crew():
    with crew(2) as pool:
        assert list(pool.map(lambda _: torch.get_num_threads(), range(8))) == [1] * 8


def test_chance_differs_between_seeds_and_epochs():
    """The same weights, not moved: what differs is the order of the images and the draws of z."""
    still, weights = replace(RECIPE, learning_rate=0), trained(1)[0].state()
    losses = []
    for seed in (1, 1, 2):
        training = Training(MODEL, still, digits(), constant(1, 2), (seed,))
        training.restore(weights | {"epoch": 0})
        losses.append([training.advance()[0, 0], training.advance()[0, 0]])
    assert losses[0] == losses[1]
    assert len(set(losses[0] + losses[2])) == 4


def test_a_share_of_the_pixels_stands_for_all_of_them():
    """The mean gradient over many draws of pixels is the gradient over all pixels, within its error."""
    model, images = MODEL, torch.from_numpy(digits(20).reshape(1, 20, 64))
    program = Program(model, replace(RECIPE, pixel_share=0.25), images[0], constant(1, 1), (0,))
    noise, generator = torch.zeros(1, 20, model.encoded), torch.Generator()

    def gradient(shown):
        leaf = program.adam.parameters.clone().requires_grad_()
        with ThreadPoolExecutor(1) as pool:
            objective = Objective(model, lane_sweep(pool, 1), grid(model))
            misfit = objective.terms(program.named(leaf), Batch(images, noise, shown))[0]
        return torch.autograd.grad(misfit.sum(), leaf)[0].numpy()

    shares = [program.shown([generator], 20) for _ in range(300)]
    assert all(len(set(row.tolist())) == 16 for row in shares[0][0])
    draws = np.concatenate([gradient(shown) for shown in shares])
    wanted = gradient(None)[0]
    error = draws.std(0, ddof=1) / np.sqrt(len(draws))
    heard = error > 0
    surplus = (draws.mean(0) - wanted)[heard] / error[heard]
    assert abs(surplus.mean()) < 0.2
    assert np.abs(surplus).max() < 6
    assert np.sqrt((surplus**2).mean()) < 1.5


def test_weights_carry_pyroveds_names_and_begin_with_its_own():
    initial = Training(MODEL, RECIPE, digits(), constant(1, 1), (11,)).weights(0)
    theirs = build(MODEL, 11).state_dict()
    assert same(initial, {name: values.numpy() for name, values in theirs.items()})


@pytest.mark.parametrize("shape", [(1, 3), (2, 3, 2), (1, 3, 1)], ids=str)
def test_schedules_that_do_not_fit_the_seeds_are_refused(shape):
    with pytest.raises(ValueError, match=r"schedules have shape .*; wanted \[1 models, epoch, 2\]"):
        Training(MODEL, RECIPE, digits(), np.ones(shape), (1,))


def test_there_is_no_epoch_after_the_last():
    training, _ = trained(1)
    with pytest.raises(ValueError, match="schedules end after 1 epochs"):
        training.advance()


def test_a_loss_that_is_no_number_is_reported():
    training = Training(MODEL, replace(RECIPE, learning_rate=1e30), digits(), constant(1, 3), (1,))
    assert not np.isfinite([training.advance() for _ in range(3)]).all()


def test_a_share_of_pixels_needs_a_decoder_that_paints_them():
    with pytest.raises(ConfigurationError, match=r"pixel_share is 0\.5"):
        Training(replace(MODEL, invariances=()), replace(RECIPE, pixel_share=0.5), digits(), constant(1, 1), (1,))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(ConfigurationError, match="device is 'cuda'"):
        Training(MODEL, replace(RECIPE, device="cuda"), digits(), constant(1, 1), (1,))


def test_more_images_and_classes_need_more_memory():
    small = needed_bytes(MODEL, RECIPE, 1)
    assert needed_bytes(replace(MODEL, height=80), RECIPE, 1) > small
    assert needed_bytes(MODEL, RECIPE, 8) > small
