"""The variational decoder: pyroVED's network and objective, our loop; the same bits for the same seed."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyro
import pytest
import torch
from curves import FIELD, silent, waves

from zbo_orchestrator.decoders.descent import Autoencoder, Schedule
from zbo_orchestrator.decoders.elbo import evidence_bound
from zbo_orchestrator.decoders.subspace import Subspace
from zbo_orchestrator.decoders.vae import Vae, VaeDecoder, as_pyroved
from zbo_orchestrator.kept import fingerprint
from zbo_orchestrator.model import Array, Channel, ConfigurationError, DecoderRecipe, Stopped, Trajectory
from zbo_orchestrator.testing import DecoderContract

QUICK = Vae(hidden=(16, 12), sigma=0.1, epochs=30, batch=16, learning_rate=1e-2, held_out=0.1)


@cache
def learned() -> dict[str, Array]:
    return QUICK.learn(waves(), 3, silent)


def decoder(arrays: dict[str, Array]) -> VaeDecoder:
    restored = QUICK.restore(arrays)
    assert isinstance(restored, VaeDecoder)
    return restored


class TestVaeContract(DecoderContract):
    def recipe(self) -> DecoderRecipe:
        return Vae(latent_dim=3, hidden=(8,), epochs=2)

    def library(self) -> Trajectory | None:
        return waves(count=60, channels=(*FIELD, Channel("pressure", "Pa")))


# --- the objective is pyroVED's ---------------------------------------------------------------------


def test_the_gradient_written_by_hand_is_the_one_autograd_finds() -> None:
    torch.manual_seed(0)
    model = Autoencoder(7, 3, (6, 5), 4, 0.3)
    model.parameters.normal_(0, 0.5)
    x, noise = torch.randn(4, 7), torch.randn(4, 3)
    loss = model.loss_and_gradient(x, noise)
    weights = model.parameters.clone().requires_grad_()
    counts = [size for stack in model.sizes for pair in pairwise(stack) for size in (pair[0] * pair[1], pair[1])]
    pieces = iter(weights.split(counts))

    def network(values: torch.Tensor, sizes: list[int]) -> torch.Tensor:
        for depth, (i, o) in enumerate(pairwise(sizes)):
            values = values @ next(pieces).view(i, o) + next(pieces)
            values = values.tanh() if depth < len(sizes) - 2 else values
        return values

    mean, raw = network(x, model.sizes[0]).split(3, dim=1)
    q = torch.distributions.Normal(mean, torch.nn.functional.softplus(raw))
    divergence = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
    misfit = ((network(mean + q.scale * noise, model.sizes[1]) - x) ** 2).sum() / (2 * 0.3**2)
    expected = (misfit + divergence) / 4
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(model.gradients, weights.grad, rtol=1e-4, atol=1e-4)


def test_the_recorded_elbo_is_the_one_pyroved_computes_on_the_same_weights() -> None:
    arrays, library = learned(), waves()
    curves = library.values[arrays["held_out"], :, 0]
    model = as_pyroved(arrays)
    x = torch.as_tensor(curves, dtype=torch.float32)
    torch.manual_seed(0)
    elbo = pyro.infer.Trace_ELBO(num_particles=1)
    draws = np.array([-elbo.loss(model.model, model.guide, x) for _ in range(400)]) / len(curves)
    error = draws.std() / np.sqrt(len(draws))
    restored = decoder(arrays)
    ours = evidence_bound(restored.encoder, restored.decoder, curves, np.full(60, 0.1), samples=400).elbo.mean()
    assert ours == pytest.approx(draws.mean(), abs=6 * error)
    assert error < 0.5
    assert float(arrays["held_out_elbo"]) == pytest.approx(ours, abs=5)


def test_pyroved_decodes_and_encodes_as_we_do() -> None:
    arrays = learned()
    model, ours = as_pyroved(arrays), decoder(arrays)
    z = np.random.default_rng(0).normal(size=(5, 2))
    theirs = model.decode(torch.as_tensor(z, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(ours.decode(z).values[..., 0], theirs, atol=1e-4)
    means, _ = model.encode(torch.tensor(waves().values[..., 0], dtype=torch.float32))
    np.testing.assert_allclose(arrays["codes"], means.numpy(), atol=1e-3)
    np.testing.assert_array_equal(ours.encode(waves()), arrays["codes"])


def test_a_network_on_principal_coordinates_folds_into_one_on_curves() -> None:
    rng = np.random.default_rng(0)
    sigma = np.tile([0.1, 2.0], 15)
    exact = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30)) + 5
    plane = Subspace.of(exact, sigma)
    lost = plane.residual(exact, plane.coordinates(exact))
    assert lost == pytest.approx(0, abs=1e-6), "curves on three axes lose nothing"
    curves = exact + 0.1 * sigma * rng.normal(size=exact.shape)
    subspace = Subspace.of(curves, sigma)
    first, bias = rng.normal(size=(len(subspace.axes), 4)), rng.normal(size=4)
    weight, offset = subspace.folded_input(first, bias)
    np.testing.assert_allclose(curves @ weight + offset, subspace.coordinates(curves) @ first + bias, atol=1e-8)
    last, end = rng.normal(size=(4, len(subspace.axes))), rng.normal(size=len(subspace.axes))
    weight, offset = subspace.folded_output(last, end)
    hidden = rng.normal(size=(40, 4))
    misfit = (((curves - hidden @ weight - offset) / sigma) ** 2).sum(axis=1)
    residual = subspace.residual(curves, subspace.coordinates(curves))
    inside = ((subspace.coordinates(curves) - hidden @ last - end) ** 2).sum(axis=1) / subspace.deviation**2
    assert misfit.mean() / 2 == pytest.approx(inside.mean() / 2 + residual)
    assert 0 < residual < 30 * 0.1**2 / 2, "what is left out is part of the noise"


# --- it learns ---------------------------------------------------------------------------------------


def test_it_learns_the_curves_it_never_saw() -> None:
    arrays, values = learned(), waves().values
    aside = arrays["held_out"]
    assert len(aside) == 20
    rebuilt = decoder(arrays).decode(arrays["codes"][aside]).values
    error = np.sqrt(((rebuilt - values[aside]) ** 2).mean())
    assert arrays["reconstruction_error"] == pytest.approx([error])
    assert error < 0.4 * values[aside].std()
    assert arrays["training_elbo"][-1] > arrays["training_elbo"][0] + 100
    assert arrays["training_elbo"][-1] == pytest.approx(float(arrays["held_out_elbo"]), abs=60)


def test_the_box_spans_the_codes_or_a_share_of_them() -> None:
    codes = learned()["codes"]
    np.testing.assert_array_equal(decoder(learned()).box, [codes.min(axis=0), codes.max(axis=0)])
    narrower = Vae(hidden=(16, 12), sigma=0.1, epochs=2, coverage=0.8).learn(waves(), 3, silent)
    within = (narrower["codes"] >= narrower["box_lower"]) & (narrower["codes"] <= narrower["box_upper"])
    np.testing.assert_allclose(within.mean(axis=0), 0.8, atol=0.01)


def test_a_collapsed_axis_still_has_a_box(caplog: pytest.LogCaptureFixture) -> None:
    arrays = Vae(latent_dim=2, hidden=(4,), sigma=1e3, epochs=60, batch=20).learn(waves(), 0, silent)
    np.testing.assert_allclose(arrays["box_upper"] - arrays["box_lower"], 1.0)
    np.testing.assert_allclose((arrays["box_upper"] + arrays["box_lower"]) / 2, arrays["codes"].mean(axis=0), atol=0.05)
    assert "have collapsed" in caplog.text


def test_channels_in_other_units_weigh_by_their_own_sigma() -> None:
    one = waves(count=300)
    scales = np.array([1.0, 500.0])
    both = Trajectory(one.values * scales + [0, 1e4], one.dt, (*FIELD, Channel("temperature", "K")))
    arrays = Vae(hidden=(16,), epochs=30, batch=16, learning_rate=1e-2).learn(both, 0, silent)
    np.testing.assert_allclose(arrays["sigma"] / scales, arrays["sigma"][0], rtol=1e-6)
    np.testing.assert_allclose(arrays["reconstruction_error"] / scales, arrays["reconstruction_error"][0], rtol=1e-3)
    assert arrays["reconstruction_error"][0] < 0.4


def test_the_rate_rises_then_falls_to_nothing() -> None:
    schedule = Schedule(1, 1, 0.5)
    rates = [schedule.rate(share) for share in np.linspace(0, 1, 101)]
    assert max(rates) == rates[20] == 0.5
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0 < rates[-1] < 1e-3


# --- the same bits, and a process left as it was -------------------------------------------------------

FRESH = """
import sys
sys.path.insert(0, {folder!r})
from curves import silent, waves
from test_vae import QUICK
from zbo_orchestrator.kept import fingerprint
print(fingerprint(QUICK.learn(waves(), 3, silent)))
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_fresh_processes_learn_the_same_bits_on_any_number_of_threads(threads: str) -> None:
    code = FRESH.format(folder=str(Path(__file__).parent))
    environment = {
        **os.environ,
        **dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], threads),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == fingerprint(learned())


def test_another_seed_learns_another_decoder() -> None:
    few = Vae(hidden=(4,), epochs=1)
    one, other = (few.learn(waves(count=40), seed, silent) for seed in (0, 1))
    assert not np.allclose(one["decoder.out.weight"], other["decoder.out.weight"])
    assert not np.array_equal(one["held_out"], other["held_out"])


@pytest.mark.parametrize("broken_off", [False, True])
def test_the_process_is_left_as_it_was(broken_off: bool) -> None:
    torch.manual_seed(5)
    torch.set_num_threads(2)
    pyro.clear_param_store()
    pyro.param("mine", torch.tensor(3.0))
    expected, before = torch.rand(3), torch.get_rng_state()
    torch.manual_seed(5)

    def report(step: int, of: int, **values: float) -> None:
        if broken_off:
            raise Stopped("enough")

    try:
        Vae(hidden=(4,), epochs=1).learn(waves(count=40), 0, report)
    except Stopped:
        assert broken_off
    assert torch.get_num_threads() == 2
    torch.testing.assert_close(torch.rand(3), expected)
    assert torch.equal(torch.get_rng_state(), before)
    assert pyro.param("mine").item() == 3.0


def test_progress_is_reported_epoch_by_epoch() -> None:
    seen: list[tuple[int, int, list[str]]] = []
    Vae(hidden=(4,), epochs=3).learn(
        waves(count=40), 0, lambda step, of, **values: seen.append((step, of, list(values)))
    )
    assert seen == [(1, 3, ["elbo"]), (2, 3, ["elbo"]), (3, 3, ["elbo"])]


# --- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: Vae(hidden=()), "hidden is empty"),
        (lambda: Vae(sigma=0.0), "sigma is 0.0; wanted positive"),
        (lambda: Vae(sigma=(0.1, 0.2)).learn(waves(), 0, silent), "sigma has 2 values; wanted 1 or 1"),
        (lambda: Vae().learn(None, 0, silent), "has no library"),
        (lambda: Vae().learn(waves(count=7), 0, silent), "library has 7 curves; wanted at least 8"),
        (lambda: Vae().restore({}), "wanted 'encoder_z.fc11.weight'"),
    ],
)
def test_what_cannot_work_is_refused(action: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        action()  # type: ignore[operator]
