"""The words of a generator: which commands do what. Another generator is another table, not other code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from zbo_orchestrator.model import ConfigurationError

SIMULATED = "SIMULATED-WAVEFORM-GENERATOR"
"""The model in the identity of the simulator: nothing real answers so."""
KNOWN = ("output", "name", "rate", "volts", "lease")
"""What may stand in braces in a command."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Commands of an arbitrary-waveform generator; an empty one is left out.

    In braces: {output} (its number), {name} (of a waveform, or of what is measured), {rate} (samples a second),
    {volts} (from peak to peak, or of an offset), {lease}. Several commands are one text with semicolons.

    prepare     once a connection, before anything else
    announce    the number of the lease that the connection drives under
    clear       before every trial: no event and no error of an earlier one is left
    upload      takes a block as its last argument: write it up to the comma
    setup       for each output, after its waveform was uploaded
    arm         once all outputs are set up; `switch_on` follows for each output, then `trigger`
    finished    asks for the standard event status register, whose bit 0 says that `notify` was heard to the end
    stop        before every output is switched off, whatever the run came to
    error       answers `0,...` where the queue is empty
    applied     block of the volts that were at an output; empty: it is not known what was executed
    catalog     names of what is measured, in quotes; `shape` and `axes` of one, comma-separated, and its `unit`
    """

    identify: str = "*IDN?"
    prepare: str = "FORMat:BORDer SWAPped;:FORMat:DATA REAL,64"
    announce: str = "SYSTem:LEASe {lease}"
    clear: str = "*CLS"
    upload: str = "SOURce{output}:DATA:ARBitrary {name},"
    setup: str = (
        "SOURce{output}:FUNCtion:ARBitrary {name};:SOURce{output}:FUNCtion ARBitrary"
        ";:SOURce{output}:FUNCtion:ARBitrary:SRATe {rate};:SOURce{output}:VOLTage {volts}"
        ";:SOURce{output}:VOLTage:OFFSet 0"
    )
    arm: str = "TRIGger:SOURce BUS;:INITiate"
    switch_on: str = "OUTPut{output} ON"
    trigger: str = "*TRG"
    notify: str = "*OPC"
    finished: str = "*ESR?"
    stop: str = "ABORt"
    switch_off: str = "OUTPut{output} OFF"
    is_on: str = "OUTPut{output}?"
    set_offset: str = "SOURce{output}:VOLTage:OFFSet {volts}"
    offset: str = "SOURce{output}:VOLTage:OFFSet?"
    error: str = "SYSTem:ERRor?"
    status: str = "*STB?"
    widest: str = "SOURce{output}:VOLTage? MAXimum"
    applied: str = "FETCh:APPLied{output}?"
    catalog: str = "FETCh:CATalog?"
    response: str = 'FETCh:DATA? "{name}"'
    shape: str = 'FETCh:DATA:SHAPe? "{name}"'
    axes: str = 'FETCh:DATA:AXES? "{name}"'
    unit: str = 'FETCh:DATA:UNIT? "{name}"'
    samples: Literal["float64", "float32", "int16"] = "float64"
    """How waveforms are uploaded: as shares of the full scale, or as whole ones of 32767."""
    big_endian: bool = False
    """The byte order of all blocks."""

    def __post_init__(self) -> None:
        for name, command in self._commands():
            try:
                command.format(**dict.fromkeys(KNOWN, 0))
            except (KeyError, IndexError, ValueError) as error:
                raise ConfigurationError(
                    f"dialect.{name} is {command!r}; wanted {', '.join(f'{{{known}}}' for known in KNOWN)} at most"
                ) from error
            if not command.isascii() or "\n" in command:
                raise ConfigurationError(f"dialect.{name} is {command!r}; wanted one line of ASCII")
        for name in ("identify", "upload", "finished", "switch_off", "is_on", "error", "response"):
            if not getattr(self, name):
                raise ConfigurationError(f"dialect.{name} is empty; wanted a command: nothing works without it")

    def _commands(self) -> Iterator[tuple[str, str]]:
        for field in fields(self):
            if field.name not in {"samples", "big_endian"}:
                yield field.name, getattr(self, field.name)
