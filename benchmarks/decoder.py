"""How long the trajectory decoder takes to learn, beside pyroVED's own trainer on the same network and curves.

Both see the ferroelectric study's library (7,500 curves of 900 steps, deviation 0.1, two latent axes, two hidden
layers of 128). pyroVED's `SVItrainer` runs at the published settings: Adam at 1e-3, batches of 64, 75 epochs. Its ELBO
wanders from epoch to epoch, so beside the last value the best of all epochs looked at is printed, and the verdict is
against the best; its time is its epochs times the median epoch, so that what else the machine did in those minutes
does not count against it. Both are judged by one function on the same 1,000 curves which neither saw, 32 samples a
curve; `Vae` also keeps its usual 5 % of the library from training, which pyroVED does not.

    python -m benchmarks.decoder [--epochs 75] [--seeds 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from zbo_orchestrator.decoders.atlas import chart
from zbo_orchestrator.decoders.elbo import evidence_bound
from zbo_orchestrator.decoders.families import ModulatedSine
from zbo_orchestrator.decoders.library import draw_library
from zbo_orchestrator.decoders.vae import Vae, networks
from zbo_orchestrator.envelope import Envelope, Limits
from zbo_orchestrator.model import Array, Channel, Trajectory
from zbo_orchestrator.pyroved_import import load_pyroved

SIGMA = 0.1
EVERY = 5
"""Epochs of pyroVED's between two looks at its ELBO; looking is not counted."""


def curves(count: int, seed: int) -> Trajectory:
    return draw_library(
        [ModulatedSine(count=count, points=1200)],
        steps=900,
        dt=4 / 1199,
        channels=(Channel("field", "150 Ec"),),
        bounds=(-1.0, 1.0),
        seed=seed,
    )


def elbo(arrays: dict[str, Array], unseen: Array) -> float:
    encoder, decoder = networks(arrays)
    return float(evidence_bound(encoder, decoder, unseen, np.full(900, SIGMA), samples=32).elbo.mean())


def published(library: Array, unseen: Array, epochs: int) -> Iterator[tuple[int, float, float]]:
    """(epoch, seconds for it, held-out ELBO) of pyroVED's own trainer: epochs times the median of one so far."""
    pyroved = load_pyroved()
    model = pyroved.models.iVAE((900,), latent_dim=2, sampler_d="gaussian", decoder_sig=SIGMA, sigmoid_d=False, seed=1)
    trainer = pyroved.trainers.SVItrainer(model, lr=1e-3)
    loader = pyroved.utils.init_dataloader(torch.tensor(library, dtype=torch.float32), batch_size=64)
    each: list[float] = []
    for epoch in range(1, epochs + 1):
        each.append(timed(lambda: trainer.step(loader)))
        if epoch % EVERY == 0 or epoch == epochs:
            yield (
                epoch,
                epoch * float(np.median(each)),
                elbo({name: w.numpy() for name, w in model.state_dict().items()}, unseen),
            )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--epochs", type=int, default=75, help="epochs of pyroVED's trainer")
    options.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of pyroVED's trainer")
    options.add_argument("--seeds", type=int, default=3, help="seeds of ours")
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    drawing = time.perf_counter()
    library, unseen = curves(7500, seed=7), curves(1000, seed=8).values[..., 0]
    drawing = time.perf_counter() - drawing
    importing = timed(load_pyroved)  # both need it; counted in neither
    print(
        f"{os.cpu_count()} cores, torch {torch.__version__}, {torch.get_num_threads()} threads for pyroVED, 1 for ours"
    )
    print(f"library and held-out curves drawn in {drawing:.1f} s, pyroVED imported in {importing:.1f} s\n")

    print("pyroVED: epochs  seconds   ELBO")
    best, taken = -np.inf, 0.0
    for epoch, taken, value in published(library.values[..., 0], unseen, asked.epochs):
        best = max(best, value)
        print(f"{epoch:15d} {taken:8.1f} {value:6.0f}")
    print(f"best ELBO {best:.0f}\n")

    print("ours: epochs  seed  seconds  ELBO   times faster  reaches pyroVED's best")
    for epochs in (20, Vae().epochs, 80):
        for seed in range(asked.seeds):
            seconds, value = ours(library, unseen, epochs, seed)
            verdict = "yes" if value >= best else "no"
            print(f"{epochs:12d} {seed:5d} {seconds:8.1f} {value:5.0f} {taken / seconds:14.1f}  {verdict}")
    decoding(library)


def ours(library: Trajectory, unseen: Array, epochs: int, seed: int) -> tuple[float, float]:
    """Seconds of everything `learn` does (axes, training, codes, held-out ELBO), and the ELBO on unseen curves."""
    recipe = Vae(sigma=SIGMA, epochs=epochs)
    start = time.perf_counter()
    arrays = recipe.learn(library, seed, lambda *_, **__: None)
    return time.perf_counter() - start, elbo(arrays, unseen)


def decoding(library: Trajectory) -> None:
    recipe = Vae(epochs=1)
    decoder = recipe.restore(recipe.learn(library, 0, lambda *_, **__: None))
    z = np.random.default_rng(0).normal(size=(10_000, 2))
    decoder.decode(z[:1])
    envelope = Envelope({"field": Limits(-10, 10, slew=1e4)})
    print(f"\n10,000 points decoded in {timed(lambda: decoder.decode(z)):.2f} s, ", end="")
    print(f"charted (decoded and measured) in {timed(lambda: chart(decoder, envelope, shape=(100, 100))):.2f} s")


if __name__ == "__main__":
    main()
