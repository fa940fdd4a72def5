"""The latent region worth charting: the box around a library's codes."""

from __future__ import annotations

import logging

import numpy as np

from zbo_orchestrator.model import Array

log = logging.getLogger(__name__)

_COLLAPSED = 0.05
"""Width of codes below which a latent axis says nothing (the prior's standard deviation is 1)."""


def latent_box(codes: Array, coverage: float = 1.0) -> tuple[Array, Array]:
    """Lower[d] and upper[d] around the central `coverage` of codes[n, d] along each axis.

    1 is the box of all codes, as published. An axis on which codes hardly differ has collapsed: the decoder ignores it,
    and a box of no width cannot be charted; it is widened to half a prior's deviation each way.
    """
    tail = (1.0 - coverage) / 2
    lower, upper = np.quantile(codes, [tail, 1.0 - tail], axis=0)
    collapsed = upper - lower < _COLLAPSED
    if collapsed.any():
        log.warning(
            "latent axes %s have collapsed: all codes lie within %g", np.flatnonzero(collapsed).tolist(), _COLLAPSED
        )
    centre = (lower + upper) / 2
    return np.where(collapsed, centre - 0.5, lower), np.where(collapsed, centre + 0.5, upper)
