"""The `zbo` command: what it prints, what it leaves behind, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Zbo, runner
from lab import DIRECT, Hill, written

from zbo_orchestrator import survey
from zbo_orchestrator.campaign import load
from zbo_orchestrator.cli.terminal import plot, sparkline
from zbo_orchestrator.history import History, Record
from zbo_orchestrator.model import Channel, Status, Trajectory
from zbo_orchestrator.planners import baselines

ZBO = [sys.executable, "-m", "zbo_orchestrator.cli"]
BARE = ["--without-prefect", "--no-report", "--allow-code"]


@pytest.fixture
def zbo(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zbo:
    """Runs a command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))

    return runner(capsys)


@pytest.fixture
def hill(tmp_path: Path) -> Path:
    return written(tmp_path, DIRECT)


@pytest.fixture
def finished(zbo: Zbo, hill: Path) -> Path:
    assert zbo("run", hill, *BARE).code == 0
    return Path("histories/hill")


def shown(zbo: Zbo, history: Path) -> dict[str, Any]:
    return dict(json.loads(zbo("show", history, "--json").out))


# --- help ---


@pytest.mark.parametrize(
    "command",
    ["run", "show", "report", "export", "verify", "repair", "log", "parts", "check", "scan", "rescore", "schema"],
)
def test_every_command_teaches_by_example(zbo: Zbo, command: str) -> None:
    ended = zbo(command, "--help")
    assert ended.code == 0
    assert f"  zbo {command}" in ended.out


def test_help_answers_without_heavy_imports() -> None:
    heavy = "('torch', 'zarr', 'prefect', 'pydantic')"
    probe = f"import sys, zbo_orchestrator.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", probe], text=True).strip() == "[]"


# --- run ---


def test_a_run_prints_what_it_found_and_where_it_is(zbo: Zbo, hill: Path) -> None:
    ended = zbo("run", hill, *BARE)
    assert ended.code == 0
    assert ended.err == ""
    lines = ended.out.splitlines()
    trials = [line for line in lines if "/7  trial" in line]
    assert [line.split()[0] for line in trials] == [f"{n}/7" for n in range(1, 8)]
    values = Record.read("histories/hill").values
    assert f"{values.max():.8g} at trial {values.argmax()}" in ended.out
    assert f"best trajectory (trial {values.argmax()})" in lines
    assert "history      histories/hill" in lines


def test_the_same_command_says_that_it_is_finished_and_changes_nothing(zbo: Zbo, hill: Path, finished: Path) -> None:
    commits = len(Record.read(finished).log())
    again = zbo("run", hill, *BARE)
    assert again.code == 0
    assert "hill is finished" in again.out
    assert "7 trials" in again.out
    assert len(Record.read(finished).log()) == commits


def test_trials_is_a_total_and_add_comes_on_top(zbo: Zbo, hill: Path, finished: Path) -> None:
    assert zbo("run", hill, *BARE, "--trials", 9).code == 0
    assert len(Record.read(finished)) == 9
    assert "is finished" in zbo("run", hill, *BARE, "--trials", 9).out
    assert zbo("run", hill, *BARE, "--add", 3).code == 0
    record = Record.read(finished)
    assert (len(record), record.state, record.budget.total) == (12, "finished", 12)
    assert [event["data"]["total"] for event in record.events if event["kind"] == "budget"] == [9, 12]


def test_trials_may_end_within_the_initial_draw_and_go_on_the_same(zbo: Zbo, hill: Path, finished: Path) -> None:
    for trials in (2, 7):
        assert zbo("run", hill, *BARE, "--history", "parts", "--trials", trials).code == 0
    np.testing.assert_array_equal(Record.read("parts").z, Record.read(finished).z)
    np.testing.assert_array_equal(Record.read("parts").values, Record.read(finished).values)


@pytest.mark.parametrize("how", [["--width", "3", "--workers", "threads"], ["--width", "2", "--workers", "processes"]])
def test_trials_run_side_by_side(zbo: Zbo, hill: Path, how: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    ended = zbo("run", hill, *BARE, *how)
    assert ended.code == 0, ended.err
    record = Record.read("histories/hill")
    assert (record.status == Status.SCORED).all()
    assert len(record) == 7


def test_a_failed_trial_is_told_and_the_run_goes_on(zbo: Zbo, hill: Path) -> None:
    ended = zbo("run", hill, *BARE, "--set", "executor.cliff=0")
    assert ended.code == 0
    assert "failed: fell off the cliff" in ended.out
    counts = shown(zbo, Path("histories/hill"))["counts"]
    assert counts["failed"] > 0
    assert counts["failed"] + counts["scored"] == 7


def test_a_report_is_written_beside_the_history(zbo: Zbo, hill: Path) -> None:
    ended = zbo("run", hill, "--without-prefect", "--allow-code")
    assert ended.code == 0, ended.err
    assert "report       histories/hill.html" in ended.out
    assert "<html" in Path("histories/hill.html").read_text()[:500]


# --- how it ends when it goes wrong ---


def test_a_wrong_file_ends_with_2_and_lists_what_is_wrong(zbo: Zbo, tmp_path: Path) -> None:
    ended = zbo("run", written(tmp_path, DIRECT, seed="x", nmae=1), *BARE)
    assert (ended.code, ended.out) == (2, "")
    assert "2 problems" in ended.err
    assert "Traceback" not in ended.err
    assert not Path("histories").exists()
    assert zbo("run", "ferosim-curl").code == 2
    assert "did you mean ferrosim-curl?" in zbo("run", "ferosim-curl").err


def test_a_wrong_command_line_ends_with_2(zbo: Zbo, hill: Path) -> None:
    assert zbo("run", hill, "--trials", 0).code == 2
    assert zbo("run", hill, "--trials", 3, "--add", 3).code == 2
    assert zbo("runn").code == 2
    assert zbo("run", hill, "--without-prefect").code == 2  # its parts are code, which was not allowed


def test_another_campaigns_history_ends_with_3(zbo: Zbo, hill: Path, finished: Path) -> None:
    ended = zbo("run", hill, *BARE, "--set", "executor.cliff=3")
    assert ended.code == 3
    assert "executor.cliff: history has 10.0, this campaign wants 3.0" in ended.err
    assert len(ended.err.splitlines()) == 1
    for command in ("show", "log", "verify"):
        assert zbo(command, "nowhere").code == 3
        assert "no history at nowhere" in zbo(command, "nowhere").err


def test_a_history_in_use_ends_with_3_and_names_the_holder(zbo: Zbo, hill: Path, finished: Path) -> None:
    with History.open(finished):
        ended = zbo("run", hill, *BARE, "--add", 1)
        assert ended.code == 3
        assert str(os.getpid()) in ended.err
        assert zbo("show", finished).code == 0  # readers are never locked out


def test_a_fatal_error_ends_with_4(zbo: Zbo, tmp_path: Path) -> None:
    ended = zbo("run", written(tmp_path, DIRECT, executor={"use": "lab:Broken"}), *BARE)
    assert ended.code == 4
    assert ended.err.strip().splitlines()[-1] == "zbo: the stage has lost its position; home it by hand"


def test_debug_shows_the_traceback_wherever_it_stands(zbo: Zbo) -> None:
    assert "Traceback" not in zbo("show", "nowhere").err
    assert "Traceback" in zbo("show", "nowhere", "--debug").err
    assert "Traceback" in zbo("--debug", "show", "nowhere").err


def test_where_nothing_can_be_written_it_ends_with_3_in_one_line(zbo: Zbo, finished: Path) -> None:
    ended = zbo("report", finished, "--out", "/dev/full")
    assert ended.code == 3
    assert ended.err == "zbo: [Errno 28] No space left on device\n"


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on_bit_for_bit(zbo: Zbo, tmp_path: Path) -> None:
    slow = written(tmp_path, DIRECT, planner={"use": "sobol"}, executor={"use": "lab:Hill", "wait": 0.1})
    command = [*ZBO, "run", str(slow), *BARE, "--history", "stopped"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    while not running.stdout.readline().startswith("3/7"):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "To go on: zbo run" in errors
    assert "Traceback" not in errors
    held = len(Record.read("stopped"))
    assert 3 <= held < 7

    words = errors.split("To go on: zbo ")[1].split()
    ended = zbo(*words)
    assert ended.code == 0, ended.err
    assert "going on after" in ended.out
    assert zbo("run", slow, *BARE, "--history", "straight").code == 0
    stopped, straight = Record.read("stopped"), Record.read("straight")
    np.testing.assert_array_equal(stopped.z, straight.z)
    np.testing.assert_array_equal(stopped.values, straight.values)


# --- histories ---


def test_show_json_holds_what_scripts_need(zbo: Zbo, finished: Path) -> None:
    found, record = shown(zbo, finished), Record.read(finished)
    assert (found["name"], found["state"], found["trials"]) == ("hill", "finished", 7)
    assert found["values"] == record.values.tolist()
    assert found["counts"]["scored"] == 7
    assert found["stop_reason"] == record.stop_reason
    best = int(record.values.argmax())
    assert found["best"] == {"number": best, "value": record.values[best], "z": record.z[best].tolist()}
    assert found["recommended"] is None  # a random planner has no posterior


def test_show_recommends_by_posterior_mean_in_the_goals_direction(zbo: Zbo, hill: Path) -> None:
    settings = ["--set", "planner={use: bayesian}", "--set", "budget={initial: 10, total: 14}"]
    for direction, evaluator in (("maximize", 1), ("minimize", -1)):
        goal = ["--set", f"goal.direction={direction}", "--set", f"evaluator.scale={evaluator}"]
        assert zbo("run", hill, *BARE, *settings, *goal, "--history", direction).code == 0
        found = shown(zbo, Path(direction))
        maps = Record.read(direction).maps(found["recommended"]["plan"])
        candidate = found["recommended"]["candidate"]
        assert found["recommended"]["mean"] == float(maps["mean"][candidate])
        assert np.hypot(*(np.array(found["recommended"]["z"]) - Hill().peak)) < 0.3  # grid step 0.25
        feasible = Record.read(direction).charter.space.feasible
        assert feasible[candidate]
        extreme = np.max if evaluator == 1 else np.min
        assert found["recommended"]["mean"] == float(extreme(maps["mean"][feasible]))


def test_show_tells_an_unfinished_campaign(zbo: Zbo, hill: Path, tmp_path: Path) -> None:
    load(hill, allow_code=True).open(Path("fresh")).close()
    found = shown(zbo, Path("fresh"))
    assert (found["state"], found["best"], found["values"], found["stop_reason"]) == ("running", None, [], None)
    assert "none yet" in zbo("show", "fresh").out


def test_verify_replays_every_plan(zbo: Zbo, hill: Path) -> None:
    settings = ["--set", "planner={use: bayesian}", "--width", "2", "--workers", "threads"]
    assert zbo("run", hill, *BARE, *settings).code == 0
    ended = zbo("verify", "histories/hill", "--replay", "--allow-code")
    assert ended.code == 0, ended.err
    plans = len(Record.read("histories/hill").plans)
    assert f"replayed {plans} plans: every one equal" in ended.out
    assert zbo("verify", "histories/hill", "--replay").code == 0  # what is code is the executor, which no plan needs


def test_verify_finds_a_plan_that_comes_out_differently(
    zbo: Zbo, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = baselines.Random.plan

    def nudged(self: Any, evidence: Any, n: int) -> Any:
        plan = honest(self, evidence, n)
        return type(plan)(np.nextafter(plan.z, 9), plan.reasons) if evidence.proposed == 4 else plan

    monkeypatch.setattr(baselines.Random, "plan", nudged)
    ended = zbo("verify", finished, "--replay", "--allow-code")
    assert ended.code == 3
    assert "plan 4: stored" in ended.out


def test_log_export_and_repair(zbo: Zbo, finished: Path) -> None:
    newest = zbo("log", finished, "-n", 2).out.splitlines()
    assert len(newest) == 2
    assert newest[0].split()[0] == Record.read(finished).commit
    assert zbo("export", finished, "trials.csv").code == 0
    assert len(Path("trials.csv").read_text().splitlines()) == 8
    assert zbo("export", finished, "trials.doc").code == 2
    assert zbo("repair", finished, "mended").code == 0
    np.testing.assert_array_equal(Record.read("mended").values, Record.read(finished).values)


def test_rescore_prints_another_evaluators_scores_and_changes_nothing(zbo: Zbo, finished: Path) -> None:
    commit, values = Record.read(finished).commit, Record.read(finished).values
    ended = zbo("rescore", finished, "--evaluator", "lab:Height", "--set", "scale=2", "--csv", "--allow-code")
    assert ended.code == 0, ended.err
    rows = [line.split(",") for line in ended.out.splitlines()]
    assert rows[0][:3] == ["trial", "stored", "lab:Height"]
    assert [float(row[2]) for row in rows[1:]] == [2 * value for value in values]
    assert Record.read(finished).commit == commit
    assert zbo("rescore", finished, "--evaluator", "lab:Height").code == 2
    unfit = zbo("rescore", finished, "--evaluator", "total-curl")
    assert unfit.code == 0
    assert "curl" in unfit.out.splitlines()[1]


# --- campaigns ---


def test_check_prints_the_certificate_and_runs_nothing(zbo: Zbo, tmp_path: Path) -> None:
    ended = zbo("check", written(tmp_path, DIRECT, executor={"use": "lab:Broken"}), "--allow-code")
    assert ended.code == 0
    assert "x.upper" in ended.out
    assert "Feasible: 72 of 81" in ended.out
    assert not Path("histories").exists()
    narrow = zbo("check", tmp_path / "hill.yaml", "--allow-code", "--set", "envelope.channels.x.upper=-2")
    assert narrow.code == 2
    assert "x.upper" in narrow.err
    assert zbo("check", tmp_path / "hill.yaml", "--allow-code", "--file-only").out.startswith("hill: the file is right")


@pytest.mark.parametrize("executor", ["lab:Hill", "lab:Hills"])
def test_scan_runs_the_feasible_grid_and_says_how_hard_it_is(zbo: Zbo, tmp_path: Path, executor: str) -> None:
    path = written(tmp_path, DIRECT, executor={"use": executor, "cliff": 0.6})
    ended = zbo("scan", path, "--allow-code")
    assert ended.code == 0, ended.err
    grid = np.linspace(-1, 1, 9)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    values = -((x - 0.3) ** 2) - (y + 0.2) ** 2
    reached = values[(x <= 0.6)]
    share = float((reached >= reached.max() - 0.05 * np.ptp(reached)).mean())
    assert "72 feasible candidates, 9 without a score" in ended.out
    assert f"{reached.max():.8g} at candidate" in ended.out
    assert f"{share:.3%} lie within" in ended.out
    assert f"{int(np.ceil(np.log(0.5) / np.log(1 - share)))} random evaluations" in ended.out


def test_a_scan_goes_on_where_it_was_interrupted(zbo: Zbo, hill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "BLOCK", 10)
    executed: list[int] = []
    honest = Hill.execute

    def stopping(self: Any, trajectory: Any, run: Any) -> Any:
        if len(executed) == 35:
            executed.append(-1)
            raise KeyboardInterrupt
        executed.append(run.number)
        return honest(self, trajectory, run)

    monkeypatch.setattr(Hill, "execute", stopping)
    assert zbo("scan", hill, "--allow-code").code == 130
    ended = zbo("scan", hill, "--allow-code")
    assert ended.code == 0, ended.err
    assert len(executed) - 1 == 72 + 5  # only the block that was under way ran again
    assert zbo("scan", hill, "--allow-code").out.endswith(ended.out[ended.out.index("scanned") :])
    assert len(executed) - 1 == 77


def test_scan_is_for_simulators_only(zbo: Zbo, tmp_path: Path) -> None:
    ended = zbo("scan", written(tmp_path, DIRECT, executor={"use": "lab:Instrument"}), "--allow-code")
    assert ended.code == 2
    assert "simulators only" in ended.err


def test_scan_refuses_the_history_of_another_campaign(zbo: Zbo, hill: Path, finished: Path) -> None:
    ended = zbo("scan", hill, "--allow-code", "--set", "executor.cliff=3")
    assert ended.code == 3
    assert "executor" in ended.err
    assert zbo("scan", hill, "--allow-code", "--set", "planner={use: sobol}").code == 0


def test_parts_lists_what_is_installed_with_options(zbo: Zbo) -> None:
    everything = zbo("parts").out
    for name in ("modulated-sine", "identity", "bayesian", "ferrosim", "total-curl", "ferrosim-parameters"):
        assert f"  {name} " in everything
    one = zbo("parts", "bayesian").out
    assert "log-ei | ei | pi | ucb | mean | thompson" in one
    assert "sobol" not in zbo("parts", "decoders").out
    assert zbo("parts", "bayesain").code == 2
    assert "did you mean bayesian?" in zbo("parts", "bayesain").err


def test_schema_is_json(zbo: Zbo) -> None:
    described = json.loads(zbo("schema").out)
    assert "planners.bayesian" in described["$defs"]


# --- curves as text ---


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([float("nan"), 1, 2]) == " ▁█"
    assert len(sparkline(np.arange(500.0))) == 60
    assert sparkline([3, 3]) == "▁▁"


def test_a_plot_shows_each_channel_with_its_range() -> None:
    time_axis = np.linspace(0, 1, 50)
    values = np.stack([time_axis, -3 * time_axis], axis=1)
    lines = list(plot(Trajectory(values, 0.1, (Channel("up", "V"), Channel("down"))), width=20, height=4))
    assert lines[0] == "up [V]"
    assert lines[1].split()[0] == "1"
    assert lines[5] == "down"
    assert lines[9].split()[0] == "-3"
    rising, falling = lines[1:5], lines[6:10]
    assert rising[0].rstrip("\u2800")[-1] != "\u2800"
    assert rising[3].split("┤")[1][0] != "\u2800"
    assert falling[0].split("┤")[1][0] != "\u2800"
    assert lines[-1].split() == ["0", "5"]
    assert list(plot(Trajectory([[1.0, 2.0]], 1.0, (Channel("a"), Channel("b")))))[1] == "  1"


def test_the_version_needs_no_command() -> None:
    said = subprocess.run([*ZBO, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.strip()[0].isdigit()


@pytest.mark.long
def test_fewer_trials_than_the_initial_design_still_replay(tmp_path: Path) -> None:
    history = tmp_path / "short"
    run = [*ZBO, "run", "ferrosim-parameters", "--trials", "2", "--history", str(history), "--without-prefect"]
    subprocess.run([*run, "--no-report"], check=True, capture_output=True)
    assert subprocess.run([*ZBO, "verify", "--replay", str(history)], check=False, capture_output=True).returncode == 0
