"""The plain VAE in a comparison: what it cannot cluster or hold in memory fails one trial, and says why."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_jrvae import vanilla as module
from zbo_jrvae.executor import JrvaeExecutor
from zbo_jrvae.vanilla import VanillaExecutor, clustered
from zbo_orchestrator.comparison.arms import arms_of
from zbo_orchestrator.model import Channel, ExecutionError, Measurement, Trajectory
from zbo_orchestrator.testing import RecordedRun

SMALL = JrvaeExecutor(subset=30, classes=3, epochs=1, hidden=(8,), batch=10, grid=3)


def trained(jrvae: JrvaeExecutor) -> Measurement:
    schedule = Trajectory(np.ones((1, 1)), 1.0, (Channel("beta_c"),))
    return VanillaExecutor(jrvae).execute(schedule, RecordedRun())


def test_fewer_images_than_classes_fail_with_both_numbers() -> None:
    with pytest.raises(ExecutionError, match="8 images; wanted at least 10"):
        trained(replace(SMALL, subset=8, classes=10))


def test_as_many_images_as_classes_are_enough() -> None:
    measured = trained(replace(SMALL, subset=10, classes=10)).arrays
    assert np.isfinite(measured["manifolds"]).all()
    assert (measured["posterior"].sum(axis=0) == 1).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(2, 6), st.integers(0, 2**32))
def test_every_cluster_has_a_code_or_there_are_too_few(distinct: int, clusters: int, seed: int) -> None:
    codes = np.repeat(np.random.default_rng(seed).normal(size=(distinct, 2)), 3, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if distinct < clusters:
            with pytest.raises(ExecutionError, match=rf"{distinct} distinct codes .* at least {clusters} clusters"):
                clustered(codes, clusters, seed)
        else:
            assert len(np.unique(clustered(codes, clusters, seed))) == clusters


def test_a_comparison_tells_that_its_score_is_not_quite_the_same() -> None:
    found = Trajectory(np.ones((1, 1)), 1.0, (Channel("beta_c"),))
    noted = {arm.name: arm.note for arm in arms_of(SMALL, found, {}) if arm.note}
    assert list(noted) == ["vanilla VAE"]
    assert "not quite the same quantity" in noted["vanilla VAE"]


@pytest.mark.parametrize("step", ["Training", "encode"])
def test_memory_that_runs_out_fails_the_training_and_says_what_to_lower(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def greedy(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, step, greedy)
    with pytest.raises(ExecutionError, match=r"out of memory: 1 schedule\(s\) x batch 10 .* lower"):
        trained(SMALL)


def test_another_error_of_torch_is_no_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(module, "encode", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        trained(SMALL)
