"""Which instrument a campaign may drive: the one that its file names, armed by `--live`, or a simulated one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from zbo_orchestrator.instrument import Described, Description
from zbo_orchestrator.model import ConfigurationError


class Stranger(ConfigurationError):  # noqa: N818 (whom we met)
    """What answers is not what may be driven: nothing was moved, and nothing is to be made safe."""


@dataclass(frozen=True, slots=True)
class Arming:
    """What the campaign file says of the instrument, and whether a person armed it.

    instrument   the identity that it has to give; None: the file names none
    simulated    whether the file says that nothing can be harmed
    live         whether a person said `--live`
    """

    instrument: str | None = None
    simulated: bool = False
    live: bool = False

    @property
    def armed(self) -> bool:
        """Whether anything may be connected; where not, a dry run is all that may be made."""
        return self.simulated or self.live

    def check(self, device: object) -> None:
        """Raise `ConfigurationError` for what cannot be driven, before anything is connected."""
        if not isinstance(device, Described):
            raise ConfigurationError(
                f"{type(device).__name__} does not say what it is; wanted a describe(): without one an instrument "
                "can neither be armed nor count as simulated"
            )
        if not self.armed:
            raise ConfigurationError(
                "the instrument is not armed; wanted --live (live=True of the flow), or `simulated: true` in the "
                "campaign file of a simulator"
            )

    def admit(self, description: Description | None) -> None:
        """Raise `Stranger` unless this is the instrument that is meant; to be asked before anything moves."""
        if description is None:
            raise Stranger("the instrument does not say what it is; wanted a describe()")
        met = repr(description.identity)
        if self.simulated and not description.simulated:
            raise Stranger(f"{met} answered, and is not simulated; the campaign file says `simulated: true`")
        if self.instrument is None and not self.simulated:
            line = f"instrument: {json.dumps(description.identity, ensure_ascii=False)}"
            raise Stranger(f"{met} answered, which the campaign file does not name; to drive it add the line {line}")
        if self.instrument not in (None, description.identity):
            raise Stranger(f"{met} answered; wanted {self.instrument!r}, the campaign file's instrument")
