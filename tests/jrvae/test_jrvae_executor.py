"""The jrVAE as an executor: what it measures, what it refuses, and that a killed training goes on."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from zbo_jrvae import executor as module
from zbo_jrvae.course import Course
from zbo_jrvae.executor import JrvaeExecutor
from zbo_jrvae.images import Digits, ImageFile, Images, Particles
from zbo_jrvae.training import Training
from zbo_orchestrator.model import (
    Array,
    Channel,
    ConfigurationError,
    ExecutionError,
    Executor,
    Measurement,
    Stopped,
    Trajectory,
)
from zbo_orchestrator.testing import ComparableContract, ExecutorContract, RecordedRun, same

EPOCHS = 3
SMALL = JrvaeExecutor(subset=30, classes=3, epochs=EPOCHS, hidden=(16, 16), batch=10, grid=3, beta_discrete=0.25)


def schedule(*values: float) -> Trajectory:
    return Trajectory(np.array(values or [1.0] * EPOCHS)[:, None], 1.0, (Channel("beta_c"),))


def trained(executor: Executor, trajectory: Trajectory | None = None, seed: int = 0) -> Measurement:
    return executor.execute(trajectory or schedule(), RecordedRun(seed=seed))


class TestJrvaeExecutor(ExecutorContract, ComparableContract):
    def make(self) -> JrvaeExecutor:
        return SMALL

    def trajectory(self) -> Trajectory:
        return schedule()


class TestVanillaVae(ExecutorContract):
    def make(self) -> Executor:
        return SMALL.rivals(schedule())["vanilla VAE"][0]

    def trajectory(self) -> Trajectory:
        return schedule()


def test_it_measures_manifolds_codes_classes_and_losses() -> None:
    measurement = trained(replace(SMALL, keep_weights=True, watch=2))
    shapes = {name: values.shape for name, values in measurement.arrays.items() if not name.startswith("weight_")}
    assert shapes == {
        "manifolds": (3, 9, 8, 8),
        "means": (30, 3),
        "posterior": (30, 3),
        "labels": (30,),
        "loss": (EPOCHS,),
        "reconstruction": (EPOCHS,),
        "kl_continuous": (EPOCHS,),
        "kl_discrete": (EPOCHS,),
        "separation": (1,),
        "separation_step": (1,),
    }
    assert measurement.dims["manifolds"] == ("class", "cell", "y", "x")
    assert measurement.arrays["posterior"].sum(1) == pytest.approx(1, abs=1e-5)
    assert measurement.arrays["weight_decoder_out_weight"].shape == (1, 16)


def test_the_loss_is_its_terms_weighted_by_the_schedule() -> None:
    arrays = trained(SMALL, schedule(0.5, 2.0, 8.0)).arrays
    weighted = arrays["reconstruction"] + np.array([0.5, 2.0, 8.0]) * arrays["kl_continuous"]
    assert arrays["loss"] == pytest.approx(weighted + 0.25 * arrays["kl_discrete"], rel=1e-5)


def test_both_weights_can_be_the_trajectorys() -> None:
    joint = replace(SMALL, beta_discrete=None)
    values = np.column_stack([[1.0, 2.0, 3.0], [0.25] * EPOCHS])
    both = Trajectory(values, 1.0, (Channel("beta_c"), Channel("beta_d")))
    assert same(trained(joint, both), trained(SMALL, schedule(1.0, 2.0, 3.0)))


def test_progress_is_reported_epoch_by_epoch_with_the_loss() -> None:
    run = RecordedRun()
    measurement = replace(SMALL, watch=2).execute(schedule(), run)
    assert [(step, of) for step, of, _ in run.reports] == [(1, EPOCHS), (2, EPOCHS), (3, EPOCHS)]
    assert [values["loss"] for _, _, values in run.reports] == pytest.approx(measurement.arrays["loss"])
    watched = [values["separation"] for _, _, values in run.reports if "separation" in values]
    assert watched == pytest.approx(measurement.arrays["separation"])


def test_seeds_and_subsets_make_a_difference_and_nothing_else_does() -> None:
    assert same(trained(SMALL, seed=4), trained(pickle.loads(pickle.dumps(SMALL)), seed=4))
    assert not same(trained(SMALL, seed=4), trained(SMALL, seed=5))
    assert not np.array_equal(SMALL.loaded.pixels, replace(SMALL, seed=1).loaded.pixels)


@dataclass
class Impatient(RecordedRun):
    """Dies, as its process would, after so many epochs."""

    lives: int = 2

    def report(self, step: int, of: int, **values: float) -> None:
        super().report(step, of, **values)
        if step >= self.lives:
            raise KeyboardInterrupt


@pytest.mark.parametrize("lives", [1, 2, 3])
def test_a_killed_training_goes_on_from_its_checkpoint_and_ends_the_same(
    lives: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Course", lambda *args: Course(*args, save_every=0.0))
    executor = replace(SMALL, watch=1)
    with pytest.raises(KeyboardInterrupt):
        executor.execute(schedule(), Impatient(scratch=tmp_path, lives=lives))
    again = RecordedRun(scratch=tmp_path)
    resumed = executor.execute(schedule(), again)
    assert same(resumed, executor.execute(schedule(), RecordedRun()))
    assert again.reports[0][0] == lives


def test_a_checkpoint_of_another_training_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Course", lambda *args: Course(*args, save_every=0.0))
    SMALL.execute(schedule(), RecordedRun(scratch=tmp_path))
    again = SMALL.execute(schedule(2.0, 2.0, 2.0), RecordedRun(scratch=tmp_path))
    assert same(again, trained(SMALL, schedule(2.0, 2.0, 2.0)))


@dataclass(frozen=True, slots=True)
class Wild:
    """Images that no learning rate would survive."""

    use: ClassVar[str] = "wild"

    def load(self, subset: int | None, seed: int) -> Images:
        return Images(np.full((20, 8, 8), 1.0, dtype=np.float32))


def test_a_loss_that_is_no_number_fails_the_trial_and_names_the_epoch() -> None:
    wild = replace(SMALL, images=Wild(), subset=None, sampler="gaussian", sigma=1e-25)  # type: ignore[arg-type]
    with pytest.raises(
        ExecutionError, match=r"the loss is (inf|nan) in epoch 1 of 3; lower learning_rate or the weights"
    ):
        trained(wild)


def test_an_exploding_training_stops_by_itself() -> None:
    hot = replace(SMALL, learning_rate=300.0, epochs=30)
    with pytest.raises(ExecutionError, match=r"in epoch \d+ of 30.*lower learning_rate"):
        trained(hot, schedule(*[1.0] * 30))


def test_a_stop_ends_one_member_of_a_batch_and_not_the_others() -> None:
    runs = [RecordedRun(number=0, seed=1), RecordedRun(number=1, seed=1, stop_at=1)]
    results = dict(SMALL.execute_many([schedule()] * 2, runs))
    assert isinstance(results[1], Stopped)
    assert isinstance(results[0], Measurement)
    assert same(results[0], trained(SMALL, seed=1))


class Hungry(Training):
    """Wants more memory than any machine has."""

    def advance(self) -> Array:
        return torch.empty(1 << 60).numpy()


def test_memory_that_runs_out_is_a_failed_trial_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Training", Hungry)
    with pytest.raises(ExecutionError, match=r"want about .* GB, manifolds .* of .* GB; lower batch or pixel_share"):
        trained(SMALL)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_asked_for_and_absent_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match="torch sees no GPU"):
        replace(SMALL, device="cuda")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": 1}, "classes is 1; wanted at least 2"),
        ({"invariances": ("r", "r")}, "wanted each at most once"),
        ({"hidden": ()}, "hidden is empty"),
        ({"invariances": (), "pixel_share": 0.5}, "wanted 1 without invariances"),
        ({"subset": 5000}, "5000"),
        ({"images": Particles(count=10)}, "subset is 30; wanted no more than the 10 images drawn"),
        ({"invariances": (), "precision": "bfloat16"}, "wanted float32 without invariances"),
    ],
)
def test_an_option_that_cannot_work_is_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        replace(SMALL, **options)


def test_images_beyond_what_the_sampler_takes_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.linspace(0, 2, 10 * 64).reshape(10, 8, 8))
    images = ImageFile(tmp_path / "images.npy", normalise="none")
    for sampler in ("bernoulli", "gaussian"):
        with pytest.raises(ConfigurationError, match=r"run from 0 to 2; wanted 0 to 1: set images\.normalise"):
            replace(SMALL, images=images, subset=None, sampler=sampler)


def test_images_without_labels_are_measured_without() -> None:
    @dataclass(frozen=True, slots=True)
    class Unlabelled:
        use: ClassVar[str] = "unlabelled"

        def load(self, subset: int | None, seed: int) -> Images:
            return Images(Digits().load(subset, seed).pixels)

    assert "labels" not in trained(replace(SMALL, images=Unlabelled())).arrays  # type: ignore[arg-type]


def test_the_final_experiment_sees_every_image_and_rivals_are_of_the_founds_form() -> None:
    assert len(SMALL.final().loaded) == 1797
    found = schedule(5.0, 2.0, 1.0)
    rivals = SMALL.rivals(found)
    assert list(rivals) == ["vanilla VAE", "constant 1", "scaled constant 0.25", "cooldown"]
    for executor, trajectory in rivals.values():
        assert trajectory.values.shape == found.values.shape
        assert trained(executor, trajectory).arrays["manifolds"].shape == (3, 9, 8, 8)
