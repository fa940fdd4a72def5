"""When to stop trying: too many failures, in a row or of the last trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zbo_orchestrator.model import Status

FAILURES = frozenset({Status.FAILED, Status.REFUSED, Status.TRANSIENT, Status.INTERRUPTED})
"""What speaks against the apparatus; a stop and a veto are somebody's will."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Pauses a campaign after `failures` in a row, or where more than `share` of the last `of` trials failed.

    None of them: never.
    """

    failures: int | None = 5
    share: float | None = None
    of: int = 20

    def verdict(self, statuses: Sequence[int]) -> str:
        """Why to pause, given the status of each trial since the last pause, in the order they ended; else empty."""
        failed = [status in FAILURES for status in statuses]
        if self.failures is not None and len(failed) >= self.failures and all(failed[-self.failures :]):
            return f"{self.failures} trials in a row failed"
        count = sum(failed[-self.of :])
        if self.share is not None and len(failed) >= self.of and count > self.share * self.of:
            return f"{count} of the last {self.of} trials failed, more than {self.share:.0%}"
        return ""
