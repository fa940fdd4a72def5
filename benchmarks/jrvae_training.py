"""How fast the jrVAE trains against pyroVED's `SVItrainer`, how much memory each takes, and what a step may leave out.

    python benchmarks/jrvae_training.py [--epochs 60]

Same networks, data, batch (100), threads and first weights; D = 10 classes, hidden layers [128, 128]. Every row runs in
a fresh process of its own. `s` is the best epoch on the wall, `core s` the best in processor time, which a busy machine
distorts less; ratios are to a table's first row. Memory is the peak above what the imports take. MNIST is read from
$ZBO_DATA/mnist or ../shared/data/mnist. Nothing is said of a GPU where there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zbo_jrvae.crew import processors
from zbo_jrvae.images import Digits, Images, Mnist
from zbo_jrvae.inference import encode
from zbo_jrvae.model import Model, Recipe
from zbo_jrvae.training import Training
from zbo_orchestrator.clustering import accuracy
from zbo_orchestrator.pyroved_import import load_pyroved

pyroved = load_pyroved()
DATA = Path(os.environ.get("ZBO_DATA", Path(__file__).parents[2] / "shared" / "data"))
CLASSES, HIDDEN, BATCH = 10, (128, 128), 100
Row = dict[str, Any]


def saved(name: str, count: int, folder: str) -> Row:
    """Write some images of a source to a file, so that reading the source weighs on no measurement."""
    chosen = (Digits() if name == "digits" else Mnist(DATA / "mnist")).load(count, 0)
    path = Path(folder) / f"{name}-{count}.npz"
    np.savez(path, pixels=chosen.pixels, labels=chosen.labels)
    return {"path": str(path)}


def images(path: str) -> Images:
    with np.load(path) as file:
        return Images(file["pixels"], file["labels"])


def model_of(data: Images) -> Model:
    return Model(*data.pixels.shape[1:], CLASSES, hidden=HIDDEN)


def operations(data: Images) -> float:
    """Products and sums in the matrix products of one epoch's sweep: forward, and backward to inputs and weights."""
    return 3 * 2 * (HIDDEN[0] ** 2 + HIDDEN[0] * HIDDEN[1]) * data.pixels.size * CLASSES


def timed(advance: Callable[[], float], epochs: int) -> Row:
    """The best epoch after the first, the losses, and the peak of memory above now."""
    before, walls, cores, losses = peak(), [], [], []
    for _ in range(epochs):
        wall, core = time.perf_counter(), time.process_time()
        losses.append(advance())
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return {"wall": min(walls[1:]), "core": min(cores[1:]), "losses": losses, "bytes": peak() - before}


def peak() -> int:
    """The largest resident set so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def with_pyroved(data: str, epochs: int) -> Row:
    """pyroVED's own training loop."""
    pixels = torch.from_numpy(images(data).pixels.copy())
    vae = pyroved.models.jiVAE(
        tuple(pixels.shape[1:]), 2, CLASSES, ["r"], hidden_dim_e=list(HIDDEN), hidden_dim_d=list(HIDDEN), device="cpu"
    )
    trainer = pyroved.trainers.SVItrainer(vae, enumerate_parallel=True, device="cpu")
    loader = pyroved.utils.init_dataloader(pixels, batch_size=BATCH)

    def advance() -> float:
        trainer.step(loader, scale_factor=[1.0, 1.0])
        return float(trainer.loss_history["training_loss"][-1])

    return timed(advance, epochs)


def with_ours(data: str, epochs: int, models: int = 1, **recipe: Any) -> Row:
    """The plug-in's, and what came of it: the loss on all pixels, and how well the classes match the labels."""
    known = images(data)
    model, chosen = model_of(known), Recipe(batch=BATCH, **({"device": "cpu"} | recipe))
    schedules, seeds = np.ones((models, epochs + 1, 2)), range(1, models + 1)
    training = Training(model, chosen, known.pixels, schedules, seeds)
    row = timed(lambda: float(training.advance()[0, 0]), epochs)
    still = Recipe(batch=BATCH, learning_rate=0, device=chosen.device)
    resting = Training(model, still, known.pixels, schedules, seeds)
    resting.restore(training.state())
    found = [encode(model, training.weights(k), known.pixels).posterior.argmax(1) for k in range(models)]
    return row | {
        "final": float(resting.advance()[:, 0].mean()),
        "accuracy": float(np.mean([accuracy(classes, known.labels) for classes in found])),
        "operations": operations(known),
    }


def ceiling() -> Row:
    """Products and sums that a core does in a second of processor time in a large product of float32 matrices."""
    torch.set_num_threads(1)
    one, other, out = (torch.rand(2048, 2048) for _ in range(3))
    return {"speed": 2 * 2048**3 / timed(lambda: float(torch.mm(one, other, out=out)[0, 0]), 20)["core"]}


MEASUREMENTS: dict[str, Callable[..., Row]] = {
    "saved": saved,
    "pyroved": with_pyroved,
    "ours": with_ours,
    "ceiling": ceiling,
}


def measured(what: str, **arguments: Any) -> Row:
    """A measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", json.dumps([what, arguments])]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(printed.splitlines()[-1])


def line(name: str, row: Row, first: Row, *more: str) -> None:
    """One row of a table, with how much faster it is than the table's first."""
    speeds = f"{first['wall'] / row['wall']:9.1f}{first['core'] / row['core']:9.1f}"
    print(f"{name:36}{row['wall']:8.2f}{row['core']:8.2f}{speeds}", *more)


HEAD = f"{'s':>8}{'core s':>8}{'faster':>9}{'by core':>9}"


def against_pyroved(name: str, data: str) -> None:
    """One epoch of both."""
    print(f"\n{name:36}{HEAD}{'MB':>8}{'less':>7}   loss in epochs 1, 2, 5")
    theirs, ours = measured("pyroved", data=data, epochs=5), measured("ours", data=data, epochs=5)
    for who, row in (("SVItrainer", theirs), ("zbo_jrvae", ours)):
        losses = "  ".join(f"{row['losses'][epoch]:.2f}" for epoch in (0, 1, 4))
        memory = f"{row['bytes'] / 1e6:7.0f}{theirs['bytes'] / row['bytes']:7.1f}  "
        line(who, row, theirs, memory, losses)
    speed, top = ours["operations"] / ours["core"], measured("ceiling")["speed"]
    print(f"{speed / 1e9:.0f} G operations a core second in matrix products, {speed / top:.0%} of a large one's")


def what_a_step_may_leave_out(data: str, epochs: int) -> None:
    """Fewer pixels, fewer bits."""
    print(f"\n{f'digits, 500 images, 2 seeds, {epochs} epochs':36}{HEAD}{'loss':>9}{'accuracy':>10}")
    rows = {share: measured("ours", data=data, epochs=epochs, models=2, pixel_share=share) for share in (1, 0.5, 0.25)}
    for share, row in rows.items():
        line(f"pixel_share {share:g}", row, rows[1], f"{row['final']:8.2f}{row['accuracy']:10.2f}")
    narrow = measured("ours", data=data, epochs=3, models=2, precision="bfloat16")
    line("bfloat16 on the processor", narrow, rows[1])


def on_a_gpu(data: str) -> None:
    """A trial of the published size, and several schedules at once."""
    print(f"\n{torch.cuda.get_device_name()}; MNIST, 2,000 images")
    for precision in ("float32", "bfloat16"):
        recipe = {"data": data, "device": "cuda", "precision": precision}
        trial = measured("ours", epochs=120, **recipe)
        alone = trial["wall"]
        came = f"loss {trial['final']:.2f}, accuracy {trial['accuracy']:.2f}"
        print(f"{precision}: 120 epochs take {120 * alone:.1f} s; {came}")
        for models in (4, 16):
            together = measured("ours", epochs=4, models=models, **recipe)["wall"]
            gain = models * alone / together
            print(f"    {models} schedules at once: {together:.2f} s an epoch, {gain:.1f} times faster than in turn")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60, help="of the trainings whose outcome is compared")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        what, arguments = json.loads(options.measure)
        print(json.dumps(MEASUREMENTS[what](**arguments)))
        return
    print(f"{platform.processor() or platform.machine()}, {processors(0)} cores")
    with tempfile.TemporaryDirectory() as folder:
        digits = measured("saved", name="digits", count=500, folder=folder)["path"]
        measured("ours", data=digits, epochs=2)  # compiles the kernels
        against_pyroved("digits 8 x 8, 500 images", digits)
        mnist = (DATA / "mnist").is_dir()
        if mnist:
            few = measured("saved", name="mnist", count=200, folder=folder)["path"]
            against_pyroved("MNIST 28 x 28, 200 images", few)
        else:
            print(f"\nMNIST: skipped, there is no {DATA / 'mnist'}")
        what_a_step_may_leave_out(digits, options.epochs)
        if mnist and torch.cuda.is_available():
            on_a_gpu(measured("saved", name="mnist", count=2000, folder=folder)["path"])
        else:
            print(f"\nGPU: skipped, {'torch sees none' if mnist else 'there is no MNIST'}")


if __name__ == "__main__":
    main()
