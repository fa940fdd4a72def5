"""The variational decoder: pyroVED's iVAE over whole trajectories, trained by a faster loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt

from zbo_orchestrator.decoders.descent import Autoencoder, Schedule, Stack, descend
from zbo_orchestrator.decoders.elbo import encoded, evidence_bound, log_normaliser
from zbo_orchestrator.decoders.latent_box import latent_box
from zbo_orchestrator.decoders.layers import Layers
from zbo_orchestrator.decoders.signature import Signature, points, wanted
from zbo_orchestrator.decoders.subspace import Subspace
from zbo_orchestrator.model import Array, ConfigurationError, Decoder, Report, Trajectory
from zbo_orchestrator.pyroved_import import load_pyroved
from zbo_orchestrator.undisturbed import undisturbed, warm

_FEWEST = 8
"""Curves below which there is nothing to learn from and hold out."""


@dataclass(frozen=True, slots=True)
class Vae:
    """pyroVED's iVAE without invariances: tanh layers, a standard normal prior, a Gaussian decoder.

    latent_dim     latent axes
    hidden         units of the encoder's hidden layers, mirrored in the decoder
    sigma          the decoder's standard deviation in a channel's own unit, one for all or one a channel; None takes a
                   twentieth of the channel's range in the library (0.1 for bounds -1 .. 1)
    epochs, batch, learning_rate   the peak rate of a one-cycle schedule
    held_out       share of the curves kept from training, to measure the ELBO and the reconstruction error
    coverage       share of the codes, along each axis, that the latent box spans: 1 is the published box of all codes
    """

    latent_dim: Annotated[int, Ge(1)] = 2
    hidden: tuple[Annotated[int, Gt(0)], ...] = (128, 128)
    sigma: float | tuple[float, ...] | None = None
    epochs: Annotated[int, Gt(0)] = 40
    batch: Annotated[int, Gt(0)] = 64
    learning_rate: Annotated[float, Gt(0)] = 7e-3
    held_out: Annotated[float, Gt(0), Lt(1)] = 0.05
    coverage: Annotated[float, Gt(0), Le(1)] = 1.0

    def __post_init__(self) -> None:
        if not self.hidden:
            raise ConfigurationError("decoder vae: hidden is empty; wanted at least one layer")
        if self.sigma is not None and not np.all(np.asarray(self.sigma) > 0):
            raise ConfigurationError(f"decoder vae: sigma is {self.sigma}; wanted positive numbers")

    def learn(self, library: Trajectory | None, seed: int, report: Report) -> dict[str, Array]:
        """Weights under pyroVED's own names, codes[curve, d], the box, and how well held-out curves are explained."""
        if library is None:
            raise ConfigurationError("decoder vae has no library; wanted one to learn from")
        signature = Signature.of(library)
        curves = signature.flat(library)
        sigma = np.tile(self._sigma(library), signature.steps)
        kept, aside = self._split(len(curves), seed)
        with undisturbed():
            warm()
            weights, losses = self._fitted(curves[kept], sigma, seed, report)
        encoder, decoder = networks(weights)
        bound = evidence_bound(encoder, decoder, curves[aside], sigma, seed=seed)
        codes, _ = encoded(encoder, curves)
        lower, upper = latent_box(codes, self.coverage)
        error = np.sqrt((signature.trajectory(bound.error).values ** 2).mean(axis=(0, 1)))
        return {
            **signature.arrays,
            **weights,
            "codes": codes,
            "box_lower": lower,
            "box_upper": upper,
            "sigma": sigma[: len(signature.channels)],
            "held_out": aside,
            "held_out_elbo": np.array(bound.elbo.mean()),
            "reconstruction_error": error,
            "training_elbo": losses,
        }

    def restore(self, arrays: Mapping[str, Array]) -> Decoder:
        encoder, decoder = networks(arrays)
        box = wanted(arrays, "box_lower"), wanted(arrays, "box_upper")
        return VaeDecoder(Signature.read(arrays), encoder, decoder, box)

    def _sigma(self, library: Trajectory) -> Array:
        """The decoder's deviation [channel]."""
        channels = len(library.channels)
        if self.sigma is None:
            spans = np.ptp(library.values.reshape(-1, channels), axis=0)
            return np.where(spans > 0, spans / 20, 1.0)
        sigma = np.atleast_1d(np.asarray(self.sigma, dtype=np.float64))
        if len(sigma) not in (1, channels):
            raise ConfigurationError(
                f"decoder vae: sigma has {len(sigma)} values; wanted 1 or {channels}, one a channel"
            )
        return np.broadcast_to(sigma, (channels,))

    def _split(self, curves: int, seed: int) -> tuple[Array, Array]:
        """Indices of the curves to learn from and of those held out."""
        if curves < _FEWEST:
            raise ConfigurationError(f"decoder vae: the library has {curves} curves; wanted at least {_FEWEST}")
        order = np.random.default_rng([seed, curves]).permutation(curves)
        aside = min(max(1, round(curves * self.held_out)), curves - 2)
        return np.sort(order[aside:]), np.sort(order[:aside])

    def _fitted(self, curves: Array, sigma: Array, seed: int, report: Report) -> tuple[dict[str, Array], Array]:
        """pyroVED's weights for curves[n, x], and the training ELBO [epoch]."""
        subspace = Subspace.of(curves, sigma)
        coordinates = subspace.coordinates(curves)
        batch = min(self.batch, len(curves))
        inputs = coordinates.shape[1]
        model = Autoencoder(inputs, self.latent_dim, self.hidden, batch, subspace.deviation)
        _start(model, _pyroved(inputs, self.latent_dim, self.hidden, subspace.deviation, seed))
        constant = subspace.residual(curves, coordinates) + log_normaliser(sigma)
        losses = descend(
            model,
            torch.as_tensor(coordinates, dtype=torch.float32),
            Schedule(self.epochs, batch, self.learning_rate),
            seed,
            lambda step, of, loss: report(step, of, elbo=-loss - constant),
        )
        return _named(_folded(subspace, model)), -np.array(losses) - constant


@dataclass(frozen=True, slots=True, eq=False)
class VaeDecoder:
    """A trained iVAE in float64; `encode` gives the means of q(z|x)."""

    signature: Signature
    encoder: Layers
    decoder: Layers
    box: tuple[Array, Array]

    def decode(self, z: Array) -> Trajectory:
        return self.signature.trajectory(self.decoder(points(z, len(self.box[0]))))

    def encode(self, trajectory: Trajectory) -> Array:
        return encoded(self.encoder, self.signature.flat(trajectory))[0]


def as_pyroved(arrays: Mapping[str, Array]) -> Any:
    """The learned network as a pyroVED iVAE over [step x channel] in float32, for its plots and tools."""
    encoder, decoder = networks(arrays)
    inputs, latent = len(encoder.weights[0]), len(decoder.weights[0])
    hidden = tuple(len(bias) for bias in encoder.biases[:-1])
    with undisturbed():
        model = _pyroved(inputs, latent, hidden, float(np.mean(wanted(arrays, "sigma"))), seed=0)
    model.load_state_dict({name: torch.as_tensor(arrays[name], dtype=torch.float32) for name in model.state_dict()})
    return model


def _pyroved(inputs: int, latent: int, hidden: tuple[int, ...], sigma: float, seed: int) -> Any:
    return load_pyroved().models.iVAE(
        (inputs,),
        latent_dim=latent,
        hidden_dim_e=list(hidden),
        hidden_dim_d=list(hidden[::-1]),
        sampler_d="gaussian",
        decoder_sig=sigma,
        sigmoid_d=False,
        seed=seed % 2**63,
        device="cpu",
    )


def _start(model: Autoencoder, pyroved: Any) -> None:
    """Begin from pyroVED's own initial weights."""
    encoder, decoder = networks({name: value.numpy() for name, value in pyroved.state_dict().items()})
    for stack, layers in ((model.encoder, encoder), (model.decoder, decoder)):
        pairs = zip([*stack.weights, *stack.biases], [*layers.weights, *layers.biases], strict=True)
        for mine, given in pairs:
            mine.copy_(torch.as_tensor(given))


def _folded(subspace: Subspace, model: Autoencoder) -> tuple[Layers, Layers]:
    """The network trained on coordinates, written as one on curves."""
    encoder, decoder = _exported(model.encoder), _exported(model.decoder)
    encoder[0] = subspace.folded_input(*encoder[0])
    decoder[-1] = subspace.folded_output(*decoder[-1])
    return _stacked(encoder), _stacked(decoder)


def _exported(stack: Stack) -> list[tuple[Array, Array]]:
    return [
        (weight.numpy().astype(np.float64), bias.numpy().astype(np.float64))
        for weight, bias in zip(stack.weights, stack.biases, strict=True)
    ]


def _stacked(pairs: list[tuple[Array, Array]]) -> Layers:
    return Layers(tuple(weight for weight, _ in pairs), tuple(bias for _, bias in pairs))


def _named(pair: tuple[Layers, Layers]) -> dict[str, Array]:
    """Weights [output, input] and biases under the names of pyroVED's state dictionary."""
    encoder, decoder = pair
    halves = zip(
        ("fc11", "fc12"), np.split(encoder.weights[-1], 2, axis=1), np.split(encoder.biases[-1], 2), strict=True
    )
    named = [(f"encoder_z.fc_layers.{2 * k}", w, b) for k, (w, b) in _hidden(encoder)]
    named += [(f"encoder_z.{name}", w, b) for name, w, b in halves]
    named += [(f"decoder.fc_layers.{2 * k}", w, b) for k, (w, b) in _hidden(decoder)]
    named.append(("decoder.out", decoder.weights[-1], decoder.biases[-1]))
    weights = {f"{name}.weight": np.ascontiguousarray(w.T) for name, w, _ in named}
    return {**weights, **{f"{name}.bias": b for name, _, b in named}}


def _hidden(layers: Layers) -> list[tuple[int, tuple[Array, Array]]]:
    return list(enumerate(zip(layers.weights[:-1], layers.biases[:-1], strict=True)))


def networks(arrays: Mapping[str, Array]) -> tuple[Layers, Layers]:
    """Encoder (means, then raw deviations) and decoder, from arrays under pyroVED's names."""
    means, raws = _layer(arrays, "encoder_z.fc11"), _layer(arrays, "encoder_z.fc12")
    both = (np.concatenate([means[0], raws[0]], axis=1), np.concatenate([means[1], raws[1]]))
    encoder = [*_hidden_layers(arrays, "encoder_z"), both]
    decoder = [*_hidden_layers(arrays, "decoder"), _layer(arrays, "decoder.out")]
    return _stacked(encoder), _stacked(decoder)


def _hidden_layers(arrays: Mapping[str, Array], network: str) -> list[tuple[Array, Array]]:
    names = (f"{network}.fc_layers.{2 * depth}" for depth in count())
    found = []
    for name in names:
        if f"{name}.weight" not in arrays:
            break
        found.append(_layer(arrays, name))
    return found


def _layer(arrays: Mapping[str, Array], name: str) -> tuple[Array, Array]:
    return wanted(arrays, f"{name}.weight").T, wanted(arrays, f"{name}.bias")
