"""A campaign's end of its guardian (see `guardian_process`)."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any, TypeVar

from zbo_orchestrator.arming import Arming
from zbo_orchestrator.executors.guarded import bare
from zbo_orchestrator.executors.line import Line
from zbo_orchestrator.executors.messages import Allow, Charge, Made, MakeSafe, Permit, Release, Waiting
from zbo_orchestrator.executors.timeouts import Timeouts
from zbo_orchestrator.model import ConfigurationError, Executor, FatalError

_log = logging.getLogger(__name__)
Kind = TypeVar("Kind")


class Guardian:
    """A process that holds the instrument's lease and makes it safe, on demand or when this process is gone or hung.

    Starting one waits, within bounds and saying so, for another that is not done yet, and makes the instrument safe.
    Raises `Stranger` where another instrument answers than `arming` says, before anything moves; `FatalError` where the
    lease stays taken or the safe state is refused, and `EOFError` where the guardian itself is gone or does not answer.
    """

    def __init__(self, executor: Executor, words: str, timeouts: Timeouts, arming: Arming | None = None) -> None:
        kind = type(bare(executor))
        if kind.__module__ == "__main__":
            raise ConfigurationError(f"{kind.__name__} stands in a script, where no guardian finds it; wanted a module")
        self._timeouts = timeouts
        ours, theirs = Pipe()
        command = [sys.executable, "-m", "zbo_orchestrator.executors.guardian_process", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._line = Line(ours)
        self._line.send(Charge(pickle.dumps(executor), tuple(sys.path), words, timeouts, arming))
        self._line.beat(timeouts.beat)
        try:
            self.made = self._answer(Made, timeouts.start + timeouts.lease)
        except EOFError as gone:
            self.end()
            raise FatalError(f"{self.fate} before it had made the instrument safe") from gone
        except BaseException:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def fate(self) -> str:
        """How it ended, in words."""
        return f"the guardian's process ended with exit code {self._process.poll()}"

    def permit(self) -> Permit:
        """Leave for one child to drive."""
        self._line.send(Allow())
        return self._answer(Permit, self._timeouts.heartbeat)

    def make_safe(self) -> str:
        """Drive to the safe state by the guardian's own connection; what was read back, in words."""
        self._line.send(MakeSafe())
        return self._answer(Made, self._timeouts.safe + self._timeouts.heartbeat).words

    def release(self) -> None:
        """Let it go, once the instrument has been made safe."""
        with suppress(EOFError, subprocess.TimeoutExpired):
            self._line.send(Release())
            self._process.wait(self._timeouts.terminate)
        self.end()

    def leave(self) -> None:
        """Leave it alone with an instrument that is not safe: it tries on, as it would if this process were gone."""
        self._line.close()

    def end(self) -> None:
        """Kill it: where it does not answer, or could not begin."""
        self._process.kill()
        self._process.wait()
        self._line.close()

    def _answer(self, kind: type[Kind], timeout: float) -> Kind:
        while True:
            message: Any = self._line.receive(timeout)
            match message:
                case Waiting():
                    _log.warning("%s", message.words)
                case BaseException():
                    raise message
                case None:
                    raise EOFError(f"the guardian gave no answer in {timeout:g} s")
                case kind():
                    return message
