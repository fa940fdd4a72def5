"""A dry run tells what a run would do, to the last command, and does nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zbo_orchestrator.campaign import load
from zbo_orchestrator.cli import main
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.dry_run import dry_run
from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.executors.rehearsed import Exchange
from zbo_orchestrator.history import Record
from zbo_orchestrator.instrument import Rehearsed
from zbo_orchestrator.model import Channel, FatalError, HistoryError, Measurement, Report, Trajectory
from zbo_orchestrator.testing import RecordedRun
from zbo_scpi import Dialect, Output, ScpiWaveform
from zbo_scpi.connection import visa
from zbo_scpi.simulator import Generator, Ratings, Simulator

NOBODY = "TCPIP::127.0.0.1::9::SOCKET"
SCPI = {"use": "scpi-waveform", "resource": NOBODY, "outputs": [{"name": "field", "unit": "Ec"}], "time_unit": 2.0}
RANDOM = {"use": "random"}
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_CACHE", str(tmp_path / "cache"))


def told(file: Path, history: Path, trials: int = 1) -> str:
    return "\n".join(dry_run(load(file), history, trials))


def contents(folder: Path) -> dict[str, str]:
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


# --- what comes next ------------------------------------------------------------------------------


def test_it_tells_the_trial_that_then_runs_first(campaign_file: Write, tmp_path: Path) -> None:
    file, history = campaign_file(planner=RANDOM), tmp_path / "history"
    said = told(file, history, 2)
    assert not history.exists()
    conduct(load(file), history, Watcher())
    record = Record.read(history)
    for number in range(2):
        place = ", ".join(f"{x:.4g}" for x in record.z[number])
        assert f"trial {number} at z = [{place}]: {record.reasons[number]}" in said
    first = record.trial(0).trajectory.values
    assert re.search(rf"field lower +{first.min():.6g} +-1.5  Ec$", said, re.MULTILINE)
    assert re.search(rf"field upper +{first.max():.6g} +1.5  Ec$", said, re.MULTILINE)
    assert re.search(rf"field slew +{np.abs(np.diff(first[:, 0])).max() * 53 / 4:.6g} +none$", said, re.MULTILINE)
    assert "FieldExecutor cannot tell its own: it has no rehearsal()" in said


def test_a_history_is_read_and_left_as_it_is(campaign_file: Write, tmp_path: Path) -> None:
    file, history = campaign_file(planner=RANDOM, budget={"initial": 1, "total": 3}), tmp_path / "history"
    conduct(load(file), history, Watcher())
    before = contents(history)
    more = load(file, ["budget.total=5"])
    said = "\n".join(dry_run(more, history, 1))
    assert contents(history) == before
    assert re.search(r"expected +[\d.e-]+ s a trial, the median of 3;.*\n.* s for the 2 trials to come", said)
    conduct(more, history, Watcher())
    place = ", ".join(f"{x:.4g}" for x in Record.read(history).z[3])
    assert f"trial 3 at z = [{place}]: random draw 4" in said
    assert "no trial would run: " in told(file, history)
    with pytest.raises(HistoryError, match="is the history of another campaign"):
        told(campaign_file(planner={"use": "sobol"}), history)


# --- its commands ---------------------------------------------------------------------------------


def test_what_is_not_armed_ends_in_a_dry_run(
    campaign_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = campaign_file(planner=RANDOM, executor=SCPI, envelope={"channels": {"field": {"lower": -3}}})
    before = contents(tmp_path)
    main_said = []
    for options in ([], ["--dry-run", "--trials", "3"]):
        with pytest.raises(SystemExit) as end:
            main(["run", str(file), *options])
        assert not end.value.code
        main_said.append(capsys.readouterr().out)
    assert {name: seal for name, seal in contents(tmp_path).items() if "cache" not in name} == before
    unarmed, asked = main_said
    assert unarmed.startswith("The instrument is not armed, so this is a dry run; --live drives it")
    assert asked.startswith("dry run of small: nothing is connected")
    assert (unarmed.count("*TRG"), asked.count("*TRG")) == (1, 3)
    assert "field lower" in unarmed
    assert re.search(r"field upper +\S+ +2  Ec", unarmed), "the limits that its options tell count too"
    assert re.search(r"SOURce1:DATA:ARBitrary TRAJECTORY,#3320<320 bytes, -?[\d.]+ \.\. [\d.]+ V>", unarmed)
    seconds = 40 * 4 / 53 * 2
    assert f"expected    {seconds:.6g} s a trial" in unarmed
    assert f"{seconds * 9:.4g} s for the 9 trials to come" in unarmed


def test_a_trial_that_the_guard_refuses_is_told_and_sends_nothing() -> None:
    rehearsal = ScpiWaveform(resource=NOBODY, outputs=(Output("x"),)).rehearsal("")
    wild = Trajectory([[0.0], [2.5]], 0.1, (Channel("x"),))
    exchange = Exchange(rehearsal)
    list(exchange.begin())
    already = len(rehearsal.sent)
    assert list(exchange.trial(wild, RecordedRun(), Envelope())) == [
        "    refused: outside the envelope: x.upper by 0.5"
    ]
    assert len(rehearsal.sent) == already


def test_blocks_are_told_in_volts_whatever_they_are_made_of() -> None:
    executor = ScpiWaveform(
        resource=NOBODY, outputs=(Output("x", volts=0.5, full_scale=4.0),), dialect=Dialect(samples="int16")
    )
    rehearsal = executor.rehearsal("")
    rehearsal.executor.execute(Trajectory([[-3.0], [1.0]], 0.1, (Channel("x"),)), RecordedRun())
    assert "SOURce1:DATA:ARBitrary TRAJECTORY,#14<4 bytes, -1.5 .. 0.5 V>" in rehearsal.sent


def test_another_identity_than_the_options_want_is_found_out_dry(campaign_file: Write, tmp_path: Path) -> None:
    file = campaign_file(executor=SCPI | {"identity": "ACME,1"}, instrument="ACME,2")
    with pytest.raises(FatalError, match="is 'ACME,2'; wanted 'ACME,1'"):
        told(file, tmp_path / "history")


@dataclass
class Tapped:
    """A wire that notes what goes over it, as a rehearsal does."""

    wire: Any
    said: list[str] = field(default_factory=list)

    def write(self, message: str) -> None:
        self.said.append(message)
        self.wire.write(message)

    def query(self, message: str) -> str:
        self.said.append(message)
        return str(self.wire.query(message))

    def write_binary_values(self, message: str, values: Any, **how: Any) -> None:
        size = str(values.nbytes)
        self.said.append(f"{message}#{len(size)}{size}")
        self.wire.write_binary_values(message, values, **how)

    def query_binary_values(self, message: str, **how: Any) -> Any:
        self.said.append(message)
        return self.wire.query_binary_values(message, **how)

    def close(self) -> None:
        self.wire.close()


@contextmanager
def tapped(executor: ScpiWaveform) -> Iterator[list[str]]:
    said: list[str] = []
    executor._opening = lambda *where: Tapped(visa(*where), said)
    yield said
    executor.close()


def feels(volts: Trajectory, report: Report) -> Measurement:
    return Measurement({"felt": volts.values[:, 0]}, {"felt": ("time",)}, {"felt": "V"}, executed=volts)


@pytest.mark.parametrize(
    ("dialect", "read", "numbers"),
    [(Dialect(), (), (1,)), (Dialect(applied="", axes=""), ("felt",), (2, 1))],
)
def test_the_rehearsal_sends_what_an_instrument_is_sent(
    dialect: Dialect, read: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    outputs = tuple(Output(f"x{number}", number=number) for number in numbers)
    channels = tuple(Channel(output.name) for output in outputs)
    trajectory = Trajectory(np.linspace(-1, 1, 30)[:, None] * np.ones(len(numbers)), 0.01, channels)
    with Simulator(Generator(feels, Ratings(outputs=len(numbers))), port=0) as simulator:
        real = ScpiWaveform(resource=simulator.resource, outputs=outputs, dialect=dialect, read=read)
        assert isinstance(real, Rehearsed)
        rehearsal = real.rehearsal("")
        for executor in (real, rehearsal.executor):
            assert isinstance(executor, ScpiWaveform)
            executor.fence(7)
        with tapped(real) as sent:
            sequence(real, trajectory)
        sequence(rehearsal.executor, trajectory)
    assert commands(rehearsal.sent, "response", "felt") == commands(sent)


def sequence(executor: Any, trajectory: Trajectory) -> None:
    executor.connect()
    executor.describe()
    executor.execute(trajectory, RecordedRun(scratch=Path()))
    executor.close()
    executor.safe_state()


def commands(said: Any, *names: str) -> list[str]:
    """Without answers and contents of blocks; however often it was looked whether the run is over."""
    plain = [re.sub(r"(  → .*|<.*>)$", "", line) for line in said if not line.startswith("(")]
    if names:
        plain = [line.replace(names[0], names[1]) for line in plain]
    return [line for line, before in zip(plain, ["", *plain], strict=False) if not line == before == "*ESR?"]
