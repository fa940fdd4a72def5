"""An instrument that is not there: it notes what it is sent and answers as one that is well, so that a run runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zbo_orchestrator.model import Array
from zbo_scpi.dialect import Dialect
from zbo_scpi.outputs import Output

_NAME = "response"
"""What it has measured, where no names are given."""


class StandIn:
    """The other end of every connection of a rehearsal.

    Its errors are none, its runs over at once; an output is on from its upload until it is switched off. What it has
    applied, and measured, is the waveform itself. `said` grows by one line for each exchange, answers behind an arrow.
    """

    def __init__(self, dialect: Dialect, outputs: Sequence[Output], identity: str, read: Sequence[str]) -> None:
        self.said: list[str] = []
        self._dialect, self._outputs = dialect, outputs
        self._volts: dict[int, Array] = {output.number: np.zeros(1) for output in outputs}
        self._on: set[int] = set()
        self._uploads = 0
        self._answers: dict[str, Callable[[], str]] = dict(self._known(identity, read or (_NAME,)))
        self._blocks: dict[str, int] = {
            dialect.response.format(name=name): outputs[0].number for name in read or (_NAME,)
        }
        self._blocks |= {dialect.applied.format(output=output.number): output.number for output in outputs}

    def open(self, resource: str, backend: str, timeout: float) -> StandIn:  # noqa: ARG002 (as a real one is opened)
        self.said.append(f"(connect to {resource})")
        return self

    def close(self) -> None:
        self.said.append("(disconnect)")

    def write(self, message: str) -> None:
        self.said.append(message)
        self._on -= {
            each.number for each in self._outputs if message == self._dialect.switch_off.format(output=each.number)
        }

    def query(self, message: str) -> str:
        answer = self._answers[message]()
        self.said.append(f"{message}  → {answer}")
        return answer

    def write_binary_values(self, message: str, values: Array, datatype: str, is_big_endian: bool) -> None:  # noqa: ARG002
        """Outputs are uploaded to in their order."""
        output = self._outputs[self._uploads % len(self._outputs)]
        self._uploads += 1
        self._volts[output.number] = output.volts_of(values)
        self._on.add(output.number)
        self.said.append(f"{message}{_block(values.nbytes, self._volts[output.number])}")

    def query_binary_values(self, message: str, datatype: str, is_big_endian: bool, container: type) -> Array:  # noqa: ARG002
        volts = self._volts[self._blocks[message]]
        self.said.append(f"{message}  → {_block(volts.nbytes, volts)}")
        return volts

    def _known(self, identity: str, names: Sequence[str]) -> list[tuple[str, Callable[[], str]]]:
        """Every query of the dialect with what it is answered."""
        dialect = self._dialect
        constant = {
            dialect.identify: identity,
            dialect.error: '0,"No error"',
            dialect.finished: "1",
            dialect.status: "0",
            dialect.catalog: ",".join(f'"{name}"' for name in names),
        }
        for name in names:
            constant |= {dialect.axes.format(name=name): '"sample"', dialect.unit.format(name=name): '""'}
        for output in self._outputs:
            constant[dialect.offset.format(output=output.number)] = "0"
            constant[dialect.widest.format(output=output.number)] = f"{2 * output.full_scale:g}"
        first = self._outputs[0].number
        return [
            *((query, lambda answer=answer: answer) for query, answer in constant.items()),
            *((dialect.shape.format(name=name), lambda: str(self._volts[first].size)) for name in names),
            *(
                (dialect.is_on.format(output=each.number), lambda n=each.number: str(int(n in self._on)))
                for each in self._outputs
            ),
        ]


def _block(size: int, volts: Array) -> str:
    """An IEEE 488.2 block: its header as sent, its contents told."""
    return f"#{len(str(size))}{size}<{size} bytes, {volts.min():.4g} .. {volts.max():.4g} V>"
