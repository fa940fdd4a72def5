"""The decoders with known answers, held to the contract of all decoders."""

from __future__ import annotations

import numpy as np
import pytest
from curves import FIELD, silent, waves

from zbo_orchestrator.decoders.identity import Identity
from zbo_orchestrator.decoders.linear import Linear
from zbo_orchestrator.model import Channel, ConfigurationError, DecoderRecipe, Encoder, Trajectory
from zbo_orchestrator.testing import DecoderContract, EncoderContract

TWO = (Channel("coupling"), Channel("depolarization", "1/eps"))
PLANE = np.stack([np.sin(np.arange(30) / 5), np.arange(30) / 30.0])


class TestLinearContract(DecoderContract, EncoderContract):
    def recipe(self) -> DecoderRecipe:
        return Linear(latent_dim=3)

    def library(self) -> Trajectory | None:
        return waves()

    def encoder(self) -> Encoder:
        decoder = self.restored()
        assert isinstance(decoder, Encoder)
        return decoder

    def curves(self) -> Trajectory:
        return waves()


class TestCosineContract(DecoderContract):
    def recipe(self) -> DecoderRecipe:
        return Linear(latent_dim=4, basis="cosine")

    def library(self) -> Trajectory | None:
        return waves(channels=TWO)


class TestIdentityContract(DecoderContract):
    def recipe(self) -> DecoderRecipe:
        return Identity(channels=TWO, lower=(0.0, -1.0), upper=(2.0, 1.0))

    def library(self) -> Trajectory | None:
        return None


def test_principal_axes_recover_a_plane_of_curves() -> None:
    amounts = np.random.default_rng(0).normal(size=(80, 2))
    curves = 3 + amounts @ PLANE
    library = Trajectory(curves[..., None], 0.1, FIELD)
    arrays = Linear().learn(library, 0, silent)
    decoder = Linear().restore(arrays)
    np.testing.assert_allclose(decoder.decode(arrays["codes"]).values, library.values, atol=1e-9)
    np.testing.assert_allclose(decoder.encode(library), arrays["codes"], atol=1e-9)
    np.testing.assert_allclose(arrays["codes"].std(axis=0), 1)
    np.testing.assert_allclose(arrays["codes"].mean(axis=0), 0, atol=1e-9)
    assert (arrays["directions"].max(axis=1) == np.abs(arrays["directions"]).max(axis=1)).all(), "signs are settled"
    np.testing.assert_array_equal(decoder.box, [arrays["codes"].min(0), arrays["codes"].max(0)])


def test_cosines_are_stated_not_learned() -> None:
    decoder = Linear(latent_dim=4, basis="cosine").restore(
        Linear(latent_dim=4, basis="cosine").learn(waves(steps=50, channels=TWO), 0, silent)
    )
    half_wave = np.cos(np.pi * (np.arange(50) + 0.5) / 50)
    values = decoder.decode(np.array([[2.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, -1.0, 0], [0, 0, 0, 0.5]])).values
    expected = np.zeros((4, 50, 2))
    expected[0, :, 0], expected[1, :, 0] = 2, 3 * half_wave
    expected[2, :, 1], expected[3, :, 1] = -1, half_wave / 2
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_identity_decodes_a_point_to_itself_in_one_step() -> None:
    recipe = Identity(channels=TWO, lower=(0.0, -1.0), upper=(2.0, 1.0), dt=0.25)
    decoder = recipe.restore(recipe.learn(None, 0, silent))
    trajectory = decoder.decode(np.array([[0.5, 0.1], [2.0, -1.0]]))
    np.testing.assert_array_equal(trajectory.values, [[[0.5, 0.1]], [[2.0, -1.0]]])
    assert (trajectory.channels, trajectory.dt) == (TWO, 0.25)
    np.testing.assert_array_equal(decoder.box, [[0, -1], [2, 1]])
    np.testing.assert_array_equal(decoder.encode(trajectory), [[0.5, 0.1], [2.0, -1.0]])


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: Identity(TWO, (0.0,), (1.0, 1.0)), "2 channels, 1 lower and 2 upper"),
        (lambda: Identity((), (), ()), "0 channels"),
        (lambda: Identity(FIELD, (1.0,), (1.0,)), "channel 'field' runs 1.0 .. 1.0"),
        (lambda: Identity(FIELD, (0.0,), (np.inf,)), "wanted finite"),
        (lambda: Identity(FIELD, (0.0,), (1.0,)).learn(waves(), 0, silent), "given a library"),
        (lambda: Linear().learn(None, 0, silent), "has no library"),
        (
            lambda: Linear(latent_dim=3).learn(Trajectory(np.arange(9.0).reshape(3, 3, 1), 1, FIELD), 0, silent),
            "varies",
        ),
        (lambda: Linear(latent_dim=3, basis="cosine").learn(waves(channels=TWO), 0, silent), "multiple of the 2"),
        (lambda: Linear().restore({"dt": np.array(1.0)}), r"holds \['dt'\]; wanted 'channel_names'"),
    ],
)
def test_what_cannot_work_is_refused(action: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        action()  # type: ignore[operator]


def test_points_and_trajectories_of_another_shape_are_refused() -> None:
    recipe = Identity(TWO, (0.0, 0.0), (1.0, 1.0))
    decoder = recipe.restore(recipe.learn(None, 0, silent))
    with pytest.raises(ValueError, match=r"shape \(2,\); wanted \[n, 2\]"):
        decoder.decode(np.zeros(2))
    with pytest.raises(ConfigurationError, match="60 steps of channels"):
        decoder.encode(waves(count=8))
