"""A real ophyd device, as a part of a campaign."""

from __future__ import annotations

from zbo_ophyd.executor import Ophyd

__all__ = ["Ophyd"]
