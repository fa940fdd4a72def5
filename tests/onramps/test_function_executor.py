"""A plain function is an executor, and another its evaluator: from Python, from a campaign file, in a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mylab
import numpy as np
import pytest
import yaml

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.executors.function import Function
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import Channel, ConfigurationError, ExecutionError, Measurement, Status, Stopped, Trajectory
from zbo_orchestrator.testing import ExecutorContract, RecordedRun

WARM = Trajectory([[2.0], [3.0], [1.0]], 0.5, (Channel("power", "W"),))

CAMPAIGN: dict[str, Any] = {
    "name": "heating",
    "budget": {"initial": 4, "total": 8},
    "decoder": {"use": "identity", "channels": [{"name": "power", "unit": "W"}], "lower": [0], "upper": [10]},
    "atlas": {"grid": [21]},
    "planner": {"use": "random"},
    "executor": {"use": "mylab:heat", "gain": 2.0},
    "evaluator": {"use": "mylab:closeness", "wanted": 305},
}


def written(folder: Path, **sections: Any) -> Path:
    path = folder / "heating.yaml"
    path.write_text(yaml.safe_dump({**CAMPAIGN, **sections}))
    return path


class TestHeat(ExecutorContract):
    def make(self) -> Function:
        return Function(mylab.heat, gain=2.0)

    def trajectory(self) -> Trajectory:
        return WARM


def test_a_campaign_of_two_functions(tmp_path: Path) -> None:
    file = written(tmp_path)
    conduct(load(file, allow_code=True), tmp_path / "history", Watcher())
    record = Record.read(tmp_path / "history")
    melted = record.z[:, 0] > 8
    assert set(record.status[melted]) == {Status.FAILED}
    assert set(record.status[~melted]) == {Status.SCORED}
    expected = -np.abs(293 + 2 * record.z[~melted, 0] - 305)
    assert record.repeatable
    assert np.allclose(record.values[~melted], expected, atol=0, rtol=1e-12)


def test_a_trial_that_is_to_stop_before_it_starts_does_not_start() -> None:
    started = []
    run = RecordedRun(stop_at=1)
    with pytest.raises(Stopped):
        Function(started.append).execute(WARM, run)
    assert (started, run.reports) == ([], [(0, 3, {})])


def test_options_of_a_function_are_checked_like_those_of_a_class(tmp_path: Path) -> None:
    for executor, complaint in (
        ({"use": "mylab:heat", "gain": "hot"}, r"executor\.gain: .*wanted"),
        ({"use": "mylab:heat", "trajectory": 1}, r"executor\.trajectory: unknown key; wanted one of gain"),
        ({"use": "mylab:closenes"}, "cannot be imported"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            load(written(tmp_path, executor=executor), allow_code=True)
    assert load(written(tmp_path, executor={"use": "mylab:heat"}), allow_code=True).document["executor"] == {
        "use": "mylab:heat",
        "gain": 1.0,
    }
    with pytest.raises(ConfigurationError, match="which is code; wanted --allow-code"):
        load(written(tmp_path))


def test_a_function_that_cannot_be_handed_its_role_is_refused(tmp_path: Path) -> None:
    (tmp_path / "strange_functions.py").write_text(
        "def nothing(): ...\ndef named(*, trajectory): ...\ndef placed(trajectory, gain, /): ...\n"
    )
    for name, complaint in (
        ("nothing", "nothing takes nothing; wanted trajectory first"),
        ("named", "named takes trajectory; wanted trajectory first"),
        ("placed", "placed takes gain by place; wanted options by name"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            load(written(tmp_path, executor={"use": f"strange_functions:{name}"}), allow_code=True)


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (None, "returned NoneType None; wanted a Measurement, or arrays by name"),
        (np.zeros(3), r"returned ndarray array\(\[0., 0., 0.\]\)"),
        ({1: [0.0]}, "an array named 1; wanted text"),
        ({"t": [[1.0], [2.0, 3.0]]}, "returned t as list .*; wanted an array of numbers"),
        ({"t": "warm"}, "returned t as str 'warm'"),
    ],
)
def test_what_is_no_measurement_fails_the_trial(returned: object, complaint: str) -> None:
    def careless(trajectory: Trajectory) -> object:
        return returned

    with pytest.raises(ExecutionError, match=f"careless .*{complaint}"):
        Function(careless).execute(WARM, RecordedRun())


def test_a_whole_measurement_passes_as_it_is() -> None:
    whole = Measurement({"t": np.arange(3)}, {"t": ("step",)}, {"t": "K"})
    assert Function(lambda trajectory: whole).execute(WARM, RecordedRun()) is whole


def test_an_evaluator_of_a_function_takes_numbers_alone(tmp_path: Path) -> None:
    (tmp_path / "verdicts.py").write_text("def vague(trajectory, measurement): return 'good'\n")
    campaign = load(written(tmp_path, evaluator={"use": "verdicts:vague"}), allow_code=True)
    measured: Mapping[str, Any] = {"temperature": np.zeros(3)}
    with pytest.raises(ExecutionError, match="vague returned str; wanted a number, or a Score"):
        campaign.evaluator.evaluate(WARM, Measurement(measured))
