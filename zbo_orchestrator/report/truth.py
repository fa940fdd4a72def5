"""The scanned space: what there was to be found, and how rare it was."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.latent import mark_trials
from zbo_orchestrator.report.posterior import Layer, bounds_of, paint
from zbo_orchestrator.report.wording import number, share

NEAR = 0.05
"""What counts as good: within this share of the scan's range from its best."""


def truth_figure(findings: Findings) -> Figure | None:
    """The scan of every feasible candidate with the trials on it; None without one, or in one dimension."""
    if findings.truth is None or not np.isfinite(findings.truth).any() or findings.space.dimension == 1:
        return None
    figure, ((axes,),) = palette.sheet(5.4, 4.7, margins=palette.BAR)
    scores = Layer(findings.truth, palette.score_map(findings.goal).name, bounds_of("mean", findings.truth), "score")
    paint(figure, axes, findings, scores)
    mark_trials(axes, findings, 0, 1, edge="#ffffff")
    return figure


def truth_words(findings: Findings) -> str:
    known = 0 if findings.truth is None else int(np.isfinite(findings.truth).sum())
    return f"The scanned score of {known} candidates of the latent space, with the campaign's trials on it."


def rarity_figure(findings: Findings) -> Figure | None:
    """A histogram of the scan with the trials' scores beneath; None without a scan that varies."""
    if findings.truth is None:
        return None
    known = findings.truth[np.isfinite(findings.truth)]
    if not len(known) or np.ptp(known) == 0:
        return None
    figure, ((axes,),) = palette.sheet(5.4, 3.9)
    palette.dress(axes, x="score", y="share of candidates, %")
    counts, edges = np.histogram(known, bins=50)
    axes.stairs(100 * counts / len(known), edges, fill=True, color=palette.MUTED, alpha=0.35)
    axes.set_ylim(bottom=-7 * counts.max() / len(known))
    scored = findings.trials.value[findings.trials.scored]
    axes.plot(
        scored, np.full(len(scored), -3.5 * counts.max() / len(known)), "|", ms=9, color=palette.ACCENT, alpha=0.7
    )
    if findings.best is not None:
        axes.axvline(findings.trials.value[findings.best.row], color=palette.BEST, lw=1.6)
    return figure


def rarity_words(findings: Findings) -> str:
    """How many candidates are good."""
    assert findings.truth is not None
    gain = findings.goal.gain(findings.truth[np.isfinite(findings.truth)])
    good = float(np.mean(gain >= gain.max() - NEAR * np.ptp(gain)))
    best = number(findings.optimum)
    return f"{share(good)} of the scanned candidates lie within 5 % of the range from the best, which scores {best}."
