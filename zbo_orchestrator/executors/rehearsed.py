"""A campaign's exchange with its instrument from the first word to the last, rehearsed (see `instrument.Rehearsal`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zbo_orchestrator.envelope import Envelope
from zbo_orchestrator.executors.guarded import guarded
from zbo_orchestrator.instrument import (
    Checked,
    Connected,
    Described,
    Description,
    Fenced,
    Rehearsal,
    Rehearsed,
    Safe,
    Staged,
)
from zbo_orchestrator.model import ExecutionError, Executor, RefusedError, Run, Trajectory


def exchange(executor: Executor, identity: str) -> Exchange | Untold:
    """With an instrument that answers `identity`; untold where the executor has no rehearsal."""
    return Exchange(executor.rehearsal(identity)) if isinstance(executor, Rehearsed) else Untold(executor)


@dataclass(frozen=True, slots=True)
class Untold:
    """An executor that cannot tell its commands: only its `check` is asked."""

    executor: Executor
    description: Description | None = None
    seconds: float | None = None

    def begin(self) -> Iterator[str]:
        yield f"commands    {type(self.executor).__name__} cannot tell its own: it has no rehearsal()"

    def trial(self, trajectory: Trajectory, run: Run, envelope: Envelope) -> Iterator[str]:  # noqa: ARG002 (none runs)
        try:
            envelope.refuse(trajectory)
            if isinstance(self.executor, Checked):
                self.executor.check(trajectory)
        except RefusedError as refusal:
            yield f"  refused: {refusal}"

    def end(self) -> Iterator[str]:
        yield from ()


class Exchange:
    """Yields what is sent, in the order in which a guardian and its child send it, each part under its title."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._device, self._sent = rehearsal.executor, rehearsal.sent
        self.seconds: float | None = rehearsal.seconds
        """In the campaign's unit of time."""
        self.description: Description | None = None

    def begin(self) -> Iterator[str]:
        """The guardian looks who answers and makes it safe; then the child connects."""
        if isinstance(self._device, Fenced):
            self._device.fence(int(time.time()))  # a lease's numbers are no lower
        yield from self._part("guardian: who answers", self._recognise)
        yield from self._part("guardian: make safe", self._make_safe)
        yield from self._part("connect", self._open)

    def trial(self, trajectory: Trajectory, run: Run, envelope: Envelope) -> Iterator[str]:
        """One trial behind the guard; what it fails for is told."""
        failed: list[str] = []

        def execute() -> None:
            try:
                guarded(self._device, envelope, self.description).execute(trajectory, run)
            except RefusedError as refusal:
                failed.append(f"    refused: {refusal}")
            except ExecutionError as error:
                failed.append(f"    fails: {error}")

        yield from self._part("commands", execute)
        yield from failed

    def end(self) -> Iterator[str]:
        """Everything put away."""
        yield from self._part("disconnect", self._shut)
        yield from self._part("guardian: make safe", self._make_safe)

    def _part(self, title: str, act: Callable[[], None]) -> Iterator[str]:
        already = len(self._sent)
        act()
        if sent := self._sent[already:]:
            yield from ["", f"  {title}", *(f"    {line}" for line in sent)]

    def _recognise(self) -> None:
        if isinstance(self._device, Safe):
            self._connect()
            self._close()

    def _make_safe(self) -> None:
        if isinstance(self._device, Safe):
            self._device.safe_state()
            self._close()

    def _open(self) -> None:
        self._connect()
        if isinstance(self._device, Staged):
            self._device.stage()

    def _shut(self) -> None:
        if isinstance(self._device, Staged):
            self._device.unstage()
        self._close()

    def _connect(self) -> None:
        if isinstance(self._device, Connected):
            self._device.connect()
        if isinstance(self._device, Described):
            self.description = self._device.describe()

    def _close(self) -> None:
        if isinstance(self._device, Connected):
            self._device.close()
