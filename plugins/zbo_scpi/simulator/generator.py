"""The generator itself, without words: waveform memory, outputs, trigger, interlock, emergency stop, what came back."""

from __future__ import annotations

import threading

import numpy as np

from zbo_orchestrator.model import Array, Channel, ExecutionError, Measurement, Trajectory
from zbo_scpi.simulator.outputs import Output, Ratings
from zbo_scpi.simulator.playing import Noise, Playing
from zbo_scpi.simulator.specimen import Specimen
from zbo_scpi.simulator.status import (
    EMERGENCY_STOPPED,
    INTERLOCK_OPEN,
    MEASURING,
    WAITING_FOR_TRIGGER,
    ScpiError,
    Status,
)


class Generator:
    """State that outlives every client; `lock` is held by whoever asks or tells."""

    def __init__(self, specimen: Specimen, ratings: Ratings = Ratings()) -> None:  # noqa: B008 (frozen)
        self.ratings = ratings
        self.lock = threading.RLock()
        self.lease = 0
        """The highest fencing number that any client has announced; it outlives a restart."""
        self._specimen = specimen
        self._noise = Noise(ratings.noise, np.random.default_rng(ratings.seed))
        self._told: list[Status] = []
        self._idle = threading.Condition(self.lock)
        self._playing: Playing | None = None
        self._power_on()

    def _power_on(self) -> None:
        self.outputs = [Output() for _ in range(self.ratings.outputs)]
        self.interlock_closed, self.emergency_stopped = True, False
        self._armed = False
        self._response: Measurement | None = None

    # --- who listens

    def attach(self, status: Status) -> None:
        """Tell a client of what concerns all."""
        self._told.append(status)
        status.operation.condition, status.questionable.condition = self._conditions

    def detach(self, status: Status) -> None:
        self._told.remove(status)

    @property
    def _conditions(self) -> tuple[int, int]:
        operation = MEASURING * self.running | WAITING_FOR_TRIGGER * self._armed
        wrong = INTERLOCK_OPEN * (not self.interlock_closed) | EMERGENCY_STOPPED * self.emergency_stopped
        return operation, wrong

    def _tell(self, error: ScpiError | None = None) -> None:
        operation, wrong = self._conditions
        for status in self._told:
            status.operation.see(operation)
            status.questionable.see(wrong)
            if error:
                status.note(error)
            if not self.pending:
                status.completed()

    # --- outputs

    def reset(self) -> None:
        """*RST: nothing runs, outputs off, settings and memory as after power on; interlock and stop stay."""
        self.abort()
        self.outputs = [Output() for _ in self.outputs]
        self._response = None

    def power_cycle(self) -> None:
        """Off and on again; only the fencing number is kept."""
        self.abort()
        self._power_on()

    def store(self, output: Output, name: str, samples: Array) -> None:
        """Put samples, -1 .. 1, into memory."""
        if len(samples) > self.ratings.points:
            raise ScpiError(-223, f"{len(samples)} samples; at most {self.ratings.points}")
        if not len(samples) or not (np.abs(samples) <= 1).all():
            raise ScpiError(-222, "wanted one sample or more, each within -1 .. 1")
        output.memory[name] = samples

    def switch(self, output: Output, *, on: bool) -> None:
        """Refused while the interlock is open or after an emergency stop; switching off ends a run."""
        if on and not self.interlock_closed:
            raise ScpiError(-221, "the interlock is open")
        if on and self.emergency_stopped:
            raise ScpiError(-221, "emergency stop; SYSTem:ESTop:RESet first")
        output.on = on
        if not on:
            self.abort()

    def set_interlock(self, *, closed: bool) -> None:
        self.interlock_closed = closed
        if not closed:
            self._everything_off(ScpiError(-300, "the interlock was opened"))
        self._tell()

    def stop_everything(self) -> None:
        """The emergency stop: outputs off, and they stay off until `release`."""
        self.emergency_stopped = True
        self._everything_off(ScpiError(-300, "emergency stop"))

    def release(self) -> None:
        self.emergency_stopped = False
        self._tell()

    def _everything_off(self, error: ScpiError) -> None:
        for output in self.outputs:
            output.on = False
        self._halt()
        self._tell(error)

    # --- running

    @property
    def running(self) -> bool:
        return self._playing is not None

    @property
    def pending(self) -> bool:
        """Whether an operation that *OPC waits for has begun and not ended: from INITiate on."""
        return self.running or self._armed

    def arm(self) -> None:
        if self.pending:
            raise ScpiError(-213)
        self._volts()
        self._armed = True
        self._tell()

    def trigger(self) -> None:
        """Play what was armed; what came back from an earlier run is forgotten."""
        if not self._armed:
            raise ScpiError(-211)
        self._armed, self._response = False, None
        self._playing = Playing(self._volts(), self._specimen, self.ratings.pace, self._ended)
        self._playing.start()
        self._tell()

    def abort(self) -> None:
        """Nothing is armed and nothing runs; what was running leaves no response."""
        self._halt()
        self._tell()

    def wait(self, seconds: float) -> bool:
        """Give the lock up until nothing is pending, for so long at most; whether nothing is."""
        return self._idle.wait_for(lambda: not self.pending, seconds)

    def response(self) -> Measurement:
        """What the last run measured."""
        if self._response is None:
            raise ScpiError(-230, "no run has ended with a response")
        return self._response

    def _halt(self) -> None:
        if self._playing is not None:
            self._playing.stop()
        self._playing, self._armed = None, False
        self._idle.notify_all()

    def _ended(self, playing: Playing, outcome: Measurement | ExecutionError) -> None:
        with self.lock:
            if self._playing is not playing:
                return  # aborted: whoever did it has told everyone
            self._playing = None
            self._response = None if isinstance(outcome, ExecutionError) else self._noise.on(outcome)
            self._tell(ScpiError(-300, str(outcome)) if isinstance(outcome, ExecutionError) else None)
            self._idle.notify_all()

    def _volts(self) -> Trajectory:
        """What would go out now, [step, output]; an output that is off stays at 0 V."""
        for number, output in enumerate(self.outputs, 1):
            if output.selected not in output.memory:
                raise ScpiError(-221, f"output {number} has no waveform")
        lengths, rates = {len(each.volts) for each in self.outputs}, {each.rate for each in self.outputs}
        if len(lengths) > 1 or len(rates) > 1:
            raise ScpiError(-221, "the outputs' waveforms differ in length or sample rate")
        volts = np.stack([each.volts * each.on for each in self.outputs], axis=1)
        if np.abs(volts).max() > self.ratings.volts:
            raise ScpiError(-222, f"{np.abs(volts).max():g} V; at most {self.ratings.volts:g} V")
        channels = tuple(Channel(f"output {number}", "V") for number in range(1, len(self.outputs) + 1))
        return Trajectory(volts, 1 / rates.pop(), channels)
