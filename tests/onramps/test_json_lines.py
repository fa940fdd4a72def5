"""Programs that speak JSON lines: what they say is understood, and whatever they do wrong ends them and the trial."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mylab
import numpy as np
import pytest
import yaml
from waiting import alive, eventually

from zbo_orchestrator.campaign import load
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.executors.json_lines import JsonLines
from zbo_orchestrator.executors.json_lines_instrument import JsonLinesInstrument
from zbo_orchestrator.executors.supervised import Supervised
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import (
    Channel,
    ConfigurationError,
    ExecutionError,
    FatalError,
    RefusedError,
    Status,
    Stopped,
    Trajectory,
    TransientError,
    ZboError,
)
from zbo_orchestrator.testing import ExecutorContract, InstrumentContract, RecordedRun

HEATER = Path(__file__).with_name("heater.py")
POWER = (Channel("power", "W"),)
WARM = Trajectory([[2.0], [3.0], [1.0]], 0.01, POWER)
LONG = Trajectory(np.full((5000, 1), 4.0), 0.01, POWER)

CAMPAIGN: dict[str, Any] = {
    "name": "heating",
    "budget": {"initial": 2, "total": 4},
    "decoder": {"use": "identity", "channels": [{"name": "power", "unit": "W"}], "lower": [0], "upper": [10]},
    "atlas": {"grid": [21]},
    "planner": {"use": "random"},
    "simulated": True,
    "evaluator": {"use": "mylab:closeness", "wanted": 297},
}


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The heater's output, and a folder of leases of its own."""
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path / "leases"))
    panel = tmp_path / "panel"
    panel.write_text("0")
    return panel


@pytest.fixture
def instrument(panel: Path) -> Iterator[JsonLinesInstrument]:
    executor = JsonLinesInstrument(command=heater(panel))
    yield executor
    executor.close()


def heater(panel: Path) -> tuple[str, ...]:
    return sys.executable, str(HEATER), str(panel)


def program(folder: Path, text: str) -> tuple[str, ...]:
    """A program of these lines, to which `json`, `sys`, `os`, `time` and a function `say` are at hand."""
    path = folder / "program.py"
    start = "import json, os, sys, time\ndef say(text): print(text, flush=True)\n"
    path.write_text(f"{start}{text}\n")
    return sys.executable, str(path)


class TestJsonLines(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _place(self, panel: Path) -> None:
        self.command = heater(panel)

    def make(self) -> JsonLines:
        return JsonLines(command=self.command, repeatable=True)

    def trajectory(self) -> Trajectory:
        return WARM


class TestJsonLinesInstrument(ExecutorContract, InstrumentContract):
    @pytest.fixture(autouse=True)
    def _place(self, panel: Path) -> None:
        self.command = heater(panel)

    def make(self) -> JsonLinesInstrument:
        return JsonLinesInstrument(command=self.command, repeatable=True)

    def trajectory(self) -> Trajectory:
        return WARM


# --- what is understood -----------------------------------------------------------------------------


def test_a_program_measures_what_a_function_does(panel: Path) -> None:
    run = RecordedRun()
    measured = JsonLines(command=heater(panel)).execute(WARM, run)
    assert np.array_equal(measured.arrays["temperature"], mylab.heat(WARM)["temperature"])
    assert measured.units == {"temperature": "K"}
    assert [(step, of) for step, of, _ in run.reports] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert run.reports[-1][2] == {"temperature": measured.arrays["temperature"][-1]}


def test_a_trial_arrives_whole_and_its_answer_too(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        "trial = json.loads(sys.stdin.readline())\n"
        "assert trial.pop('do') == 'execute'\n"
        'say(\'{"say": "report", "step": 1, "of": 3, "values": {"drift": null}}\')\n'
        "meta = [trial[key] for key in ('number', 'attempt', 'seed', 'dt')]\n"
        "say(json.dumps({'say': 'measured', 'arrays': {'meta': meta, 'image': [[1, None], [3, 4.5]], 'one': 7},\n"
        "    'dims': {'image': ['row', 'column']}, 'units': {'one': trial['channels'][0]['unit']},\n"
        "    'executed': [[2 * value for value in row] for row in trial['values']]}))",
    )
    run = RecordedRun(number=4, attempt=2, seed=9)
    measured = JsonLines(command=command).execute(WARM, run)
    assert np.isnan(run.reports[1][2]["drift"])
    assert list(measured.arrays["meta"]) == [4, 2, 9, 0.01]
    assert np.array_equal(measured.arrays["image"], [[1, np.nan], [3, 4.5]], equal_nan=True)
    assert measured.arrays["one"] == 7
    assert (measured.dims["image"], measured.units) == (("row", "column"), {"one": "W"})
    assert measured.executed is not None
    assert np.array_equal(measured.executed.values, 2 * WARM.values)


@pytest.mark.parametrize("kind", [ExecutionError, RefusedError, TransientError, FatalError, Stopped])
def test_an_error_comes_with_its_class(tmp_path: Path, kind: type[ZboError]) -> None:
    said = f'{{"say": "error", "kind": "{kind.__name__}", "text": "the lamp is out"}}'
    with pytest.raises(ZboError, match=r"^the lamp is out$") as raised:
        JsonLines(command=program(tmp_path, f"say({said!r})")).execute(WARM, RecordedRun())
    assert type(raised.value) is kind


# --- what is not ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("say('warming up')", "said warming up; wanted one JSON object a line"),
        ("sys.stdout.buffer.write(bytes([255, 10])); sys.stdout.flush()", "wanted one JSON object a line"),
        ("say('[1, 2]')", r'said \[1, 2\]; wanted an object with a key "say"'),
        ('say(\'{"say": "hello"}\')', "said 'hello'; wanted report, measured or error"),
        ('say(\'{"say": "report", "step": "one", "of": 3}\')', 'step is "one"; wanted a number'),
        ('say(\'{"say": "report", "step": 0.5, "of": 3}\')', r"step is 0\.5; wanted a whole number"),
        (
            'say(\'{"say": "report", "step": 1, "of": 3, "values": {"of": 1}}\')',
            "values holds of; wanted other names",
        ),
        ('say(\'{"say": "error", "kind": "Oops", "text": ""}\')', "kind is 'Oops'; wanted one of Execution"),
        ('say(\'{"say": "measured", "arrays": {"t": [[1, 2], [3]]}}\')', r"t is \[\[1, 2\], \[3\]\]; wanted num"),
        ('say(\'{"say": "measured", "arrays": {"t": ["1"]}}\')', r't is \["1"\]; wanted numbers'),
        ('say(\'{"say": "measured", "arrays": [1]}\')', r"arrays is \[1\]; wanted an object"),
        ('say(\'{"say": "measured", "dims": {"t": "step"}}\')', 't is "step"; wanted a list'),
        ("sys.exit(3)", "exited with code 3$"),
        ("print('no lamp', file=sys.stderr); sys.exit(3)", "exited with code 3; the last line on its stderr: no lamp"),
        ("for n in range(5000): print(n, file=sys.stderr)", "exited with code 0; the last line on its stderr: 4999"),
        ("raise OSError('port busy')", "exited with code 1; the last line on its stderr: OSError: port busy"),
        ("os.close(1); time.sleep(60)", "closed its stdout"),
    ],
)
def test_what_cannot_be_understood_is_a_passing_failure_that_says_what_it_was(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(TransientError, match=complaint):
        JsonLines(command=program(tmp_path, text), stop=1.0).execute(WARM, RecordedRun())


def test_silence_ends_the_program_and_all_it_started(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "print('stuck', file=sys.stderr, flush=True)\n"
        "time.sleep(600)",
    )
    with pytest.raises(TransientError, match=r"was silent for 5 s; the last line on its stderr: stuck"):
        JsonLines(command=command, silence=5, stop=0.1).execute(LONG, RecordedRun())
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert eventually(lambda: not any(map(alive, pids)))


def test_what_a_program_writes_to_stderr_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = program(
        tmp_path, 'print(\'warming up\', file=sys.stderr)\nsay(\'{"say": "measured", "arrays": {"t": [1]}}\')'
    )
    with caplog.at_level(logging.WARNING):
        JsonLines(command=command).execute(WARM, RecordedRun())
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == ["warming up"]


# --- stops ------------------------------------------------------------------------------------------


def test_a_stop_reaches_the_program_as_an_abort(panel: Path) -> None:
    run = RecordedRun(stop_at=3)
    with pytest.raises(Stopped, match=r"the contract asked; .*heater.py.* answered: the contract asked"):
        JsonLines(command=heater(panel)).execute(LONG, run)
    assert (len(run.reports), panel.read_text()) == (3, "0")


def test_a_program_that_hears_no_abort_is_ended(tmp_path: Path) -> None:
    deaf = 'say(\'{"say": "report", "step": 1, "of": 3}\')\ntime.sleep(600)'
    with pytest.raises(Stopped, match=r"the contract asked; aborted: .* was silent"):
        JsonLines(command=program(tmp_path, deaf), stop=0.2).execute(WARM, RecordedRun(stop_at=2))


def test_what_is_worse_than_a_stop_is_told_instead(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        'say(\'{"say": "report", "step": 1, "of": 3}\')\n'
        "sys.stdin.readline(), sys.stdin.readline()\n"
        'say(\'{"say": "error", "kind": "FatalError", "text": "the valve is stuck"}\')',
    )
    with pytest.raises(FatalError, match="the valve is stuck"):
        JsonLines(command=command).execute(WARM, RecordedRun(stop_at=2))


@pytest.mark.parametrize("when", [0, 2])
def test_an_abort_from_another_thread_ends_the_trial_and_not_the_program(
    panel: Path, instrument: JsonLinesInstrument, when: int
) -> None:
    class Aborting(RecordedRun):
        def report(self, step: int, of: int, **values: float) -> None:
            super().report(step, of, **values)
            if step == when:
                thread = threading.Thread(target=instrument.abort, args=("the interlock opened",))
                thread.start()
                thread.join()

    run = Aborting()
    instrument.connect()
    with pytest.raises(Stopped, match=r"^the interlock opened$"):
        instrument.execute(LONG, run)
    assert len(run.reports) < LONG.steps
    before = instrument._program
    assert panel.read_text() == "0"
    assert instrument.execute(WARM, RecordedRun()).arrays["temperature"].shape == (3,)
    assert instrument._program is before


# --- an instrument ----------------------------------------------------------------------------------


def test_it_describes_itself(instrument: JsonLinesInstrument) -> None:
    described = instrument.describe()
    assert (described.identity, described.channels, described.simulated) == ("ACME heater 17", POWER, True)
    assert described.envelope.channels["power"].upper == 8
    assert described.envelope.duration == np.inf


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ('{"say": "described", "channels": []}', "identity is null; wanted text"),
        ('{"say": "described", "identity": "x", "channels": [1]}', "name is null; wanted text"),
        ('{"say": "described", "identity": "x", "channels": [], "limits": {"p": {"top": 1}}}', "limits of p are"),
        ('{"say": "safe"}', "said 'safe'; wanted described or error"),
    ],
)
def test_a_description_that_cannot_be_understood_says_why(tmp_path: Path, said: str, complaint: str) -> None:
    with pytest.raises(TransientError, match=complaint):
        JsonLinesInstrument(command=program(tmp_path, f"say({said!r})"), stop=0.2).describe()


def test_the_safe_state_needs_no_earlier_call_and_is_read_back(panel: Path, instrument: JsonLinesInstrument) -> None:
    panel.write_text("5")
    assert instrument.safe_state() == {"power": 0.0}
    assert panel.read_text() == "0"


def test_the_safe_state_is_reached_past_a_program_that_hangs(
    panel: Path, tmp_path: Path, instrument: JsonLinesInstrument
) -> None:
    instrument.stop = 0.2
    failed: list[BaseException] = []

    def drive() -> None:
        try:
            instrument.execute(LONG, RecordedRun())
        except TransientError as error:
            failed.append(error)

    driving = threading.Thread(target=drive)
    driving.start()
    assert eventually(lambda: panel.read_text() == "4.0")
    hung = instrument._program
    assert hung is not None
    os.kill(hung._process.pid, signal.SIGSTOP)
    assert instrument.safe_state() == {"power": 0.0}
    driving.join(30)
    assert panel.read_text() == "0"
    assert not alive(hung._process.pid)
    assert len(failed) == 1
    assert instrument.execute(WARM, RecordedRun()).arrays["temperature"].shape == (3,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sys.exit(2)", "the safe state cannot be reached: .* exited with code 2"),
        ('say(\'{"say": "error", "kind": "FatalError", "text": "power=5"}\'); sys.stdin.read()', "power=5"),
        ('say(\'{"say": "error", "kind": "ExecutionError", "text": "no"}\'); sys.stdin.read()', "no"),
    ],
)
def test_a_safe_state_that_is_not_reached_is_fatal(tmp_path: Path, text: str, complaint: str) -> None:
    executor = JsonLinesInstrument(command=program(tmp_path, text))
    with pytest.raises(FatalError, match=complaint):
        executor.safe_state()
    executor.close()


def test_a_closed_program_exits_by_itself_and_comes_back(instrument: JsonLinesInstrument) -> None:
    instrument.connect()
    program = instrument._program
    assert program is not None
    instrument.close()
    assert program._process.returncode == 0
    assert instrument.describe().channels == POWER


def test_a_program_that_died_between_trials_is_started_again(instrument: JsonLinesInstrument) -> None:
    instrument.execute(WARM, RecordedRun())
    first = instrument._program
    assert first is not None
    os.kill(first._process.pid, signal.SIGKILL)
    assert eventually(lambda: not first.is_open)
    instrument.execute(WARM, RecordedRun())
    assert instrument._program is not first


def test_a_program_ends_with_the_process_that_started_it(panel: Path) -> None:
    driver = (
        "import sys; from zbo_orchestrator.executors.json_lines_instrument import JsonLinesInstrument as I\n"
        "from zbo_orchestrator.model import Channel, Trajectory; from zbo_orchestrator.testing import RecordedRun\n"
        f"I(command={heater(panel)!r}).execute(Trajectory([[4.0]] * 5000, 0.01, (Channel('power'),)), RecordedRun())"
    )
    parent = subprocess.Popen([sys.executable, "-c", driver])
    assert eventually(lambda: panel.read_text() == "4.0")
    parent.kill()
    parent.wait()
    assert eventually(lambda: panel.read_text() == "0")


# --- campaigns --------------------------------------------------------------------------------------


def ran(folder: Path, executor: Mapping[str, Any], **sections: Any) -> Record:
    file = folder / "heating.yaml"
    file.write_text(yaml.safe_dump({**CAMPAIGN, "executor": executor, **sections}))
    conduct(load(file, allow_code=True), folder / "history", Watcher())
    return Record.read(folder / "history")


def test_a_campaign_with_an_instrument_that_speaks_json_lines(panel: Path, tmp_path: Path) -> None:
    record = ran(tmp_path, {"use": "json-lines-instrument", "command": list(heater(panel))})
    assert list(record.status) == [Status.SCORED] * 4
    assert record.space.candidates[record.space.feasible].max() == 8  # of 10: what it says of itself
    assert np.allclose(record.values, -np.abs(293 + record.z[:, 0] - 297))
    assert panel.read_text() == "0"


def test_a_supervised_trial_that_is_cut_ends_safe(panel: Path) -> None:
    timeouts = Timeouts(trial=0.5, ask=0.5, abort=0.5, terminate=0.5)
    children = Supervised(JsonLinesInstrument(command=heater(panel)), timeouts)
    try:
        with pytest.raises(ExecutionError, match=r"longer than 0.5 s; .*safe state read back power=0"):
            children.execute(LONG, RecordedRun())
        assert panel.read_text() == "0"
    finally:
        children.close()


@pytest.mark.parametrize("use", ["json-lines", "json-lines-instrument"])
def test_a_command_of_a_file_runs_only_when_allowed(panel: Path, tmp_path: Path, use: str) -> None:
    file = tmp_path / "heating.yaml"
    executor = {"use": use, "command": ["touch", str(tmp_path / "trap")]}
    file.write_text(yaml.safe_dump({**CAMPAIGN, "executor": executor, "evaluator": {"use": "loop-area"}}))
    with pytest.raises(
        ConfigurationError, match=rf'executor\.use: got "{use}", which runs code that its options name; wanted --allow'
    ):
        load(file)
    assert load(file, allow_code=True).document["executor"]["command"] == executor["command"]
    assert not (tmp_path / "trap").exists()


def test_options_that_cannot_work_are_refused(tmp_path: Path) -> None:
    for options, complaint in (
        ({"command": ()}, r"command is \[\]; wanted a program"),
        ({"command": ("x",), "silence": 0.0}, "silence is 0.0; wanted above 0"),
        ({"command": ("x",), "stop": np.inf}, "stop is inf; wanted above 0, and finite"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            JsonLines(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="answer is nan; wanted above 0"):
        JsonLinesInstrument(command=("x",), answer=np.nan)
    with pytest.raises(ConfigurationError, match="command no-such-program cannot be started"):
        JsonLines(command=("no-such-program",)).execute(WARM, RecordedRun())
    with pytest.raises(RefusedError, match=r"shape \(2, 3, 1\); wanted finite values\[step, channel\]"):
        JsonLines(command=("true",)).execute(Trajectory([WARM.values] * 2, 1.0, POWER), RecordedRun())
