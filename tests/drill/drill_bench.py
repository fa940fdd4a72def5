"""The instrument's side of the drill: a simulator that notes when its output was switched and when a fault struck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Set
from typing import Self

import numpy as np

from zbo_orchestrator.model import Measurement, Report, Trajectory
from zbo_scpi.connection import Connection
from zbo_scpi.simulator import Behaviour, Generator, Ratings, Simulator
from zbo_scpi.simulator.faults import Faults

PATIENCE = 1.0
"""Seconds that the campaigns of the drill wait for an answer of their instrument."""
_LOOK = 0.002


class Struck(Faults):
    """Faults that note when they struck, once the bench has looked at its output."""

    def __init__(self, meant: Callable[[str], str], look: Callable[[], object]) -> None:
        super().__init__(meant)
        self._look = look
        self.moments: list[float] = []

    def order(self, *faults: str, times: float = float("inf")) -> None:
        for fault in faults:
            self.switch_on(fault, times)

    def strikes(self, name: str, commands: Set[str]) -> bool:
        strikes = super().strikes(name, commands)
        if strikes:
            self._look()
            self.moments.append(time.monotonic())
        return strikes


class Bench:
    """A generator behind a socket, its runs as long as their waveforms, or held until they are let go."""

    def __init__(self) -> None:
        self._generator = Generator(self._answer, Ratings(pace=1.0))
        behaviour = Behaviour(lateness=2 * PATIENCE, downtime=PATIENCE)
        self.simulator = Simulator(self._generator, behaviour, port=0)
        instrument = self.simulator.instrument
        self.faults = instrument.faults = Struck(instrument._meant, lambda: self.on)
        self._free, self._over = threading.Event(), threading.Event()
        self._free.set()
        self._changes: list[tuple[float, bool]] = [(time.monotonic(), False)]
        self._watch = threading.Thread(target=self._watch_output, daemon=True)

    def __enter__(self) -> Self:
        self.simulator.start()
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._free.set()
        self._over.set()
        self._watch.join()
        self.simulator.close()

    def hold(self) -> None:
        """From now on a run does not end by itself."""
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    # --- what its front panel shows

    @property
    def on(self) -> bool:
        with self._generator.lock:  # which may be taken again by whoever holds it
            on = any(output.on for output in self._generator.outputs)
            if on != self._changes[-1][1]:
                self._changes.append((time.monotonic(), on))
        return on

    @property
    def driving(self) -> bool:
        """Whether a waveform goes out."""
        with self._generator.lock:
            return self.on and self._generator.running

    @property
    def safe(self) -> bool:
        """Off, at no offset and running nothing, as it has it and as it tells a client that has just come."""
        with self._generator.lock:
            outputs = self._generator.outputs
            safe = not self.driving and all(not output.on and output.offset == 0 for output in outputs)
        return safe and self.told == "0;0.0"

    @property
    def told(self) -> str:
        """Output and offset, as a second connection reads them."""
        connection = Connection(self.simulator.resource, "@py", 5.0)
        try:
            return connection.ask("OUTPut?;:SOURce:VOLTage:OFFSet?")
        finally:
            connection.close()

    @property
    def times_on(self) -> int:
        """How often the output was switched on."""
        return sum(on for _, on in self._changes)

    def off_after(self, moment: float) -> float:
        """Seconds from a moment until the output was off; it has to be."""
        assert not self.on
        if not [on for at, on in self._changes if at <= moment][-1]:
            return 0.0
        return next(at for at, on in self._changes if at > moment and not on) - moment

    # --- what it does

    def _answer(self, volts: Trajectory, report: Report) -> Measurement:
        """The specimen: a curl that follows the first sample."""
        report(0, volts.steps)
        while not self._free.wait(_LOOK):
            report(0, volts.steps)
        return Measurement({"curl": np.full((3, 3), volts.values[0, 0])}, {"curl": ("x", "y")}, {}, volts)

    def _watch_output(self) -> None:
        while not self._over.wait(_LOOK):
            self.on  # noqa: B018  notes what has changed
