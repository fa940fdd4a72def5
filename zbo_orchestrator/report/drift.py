"""What the sentinels say: the same trajectory again and again, and how far its score has drifted."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from zbo_orchestrator.report import palette
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.wording import counted, number


def drift_figure(findings: Findings) -> Figure | None:
    """Each sentinel's score by trial, the reference it is held against, and the band it may stay in; None without."""
    watch = findings.watch
    if watch is None or not len(watch.trials):
        return None
    figure, ((axes,),) = palette.sheet(5.4, 3.2, margins=palette.Margins(top=0.48))
    palette.dress(axes, x="trial", y="score of the sentinel")
    axes.margins(x=0.06, y=0.2)
    if watch.limit is not None:
        lower, upper = watch.references - watch.limit, watch.references + watch.limit
        axes.fill_between(watch.trials, lower, upper, step="post", color=palette.REGION, linewidth=0, label="limit")
    axes.step(watch.trials, watch.references, where="post", color=palette.MUTED, lw=0.9, label="reference")
    axes.plot(watch.trials, watch.values, color=palette.ACCENT, lw=0.8, alpha=0.5)
    axes.scatter(watch.trials, watch.values, s=18, color=palette.ACCENT, linewidths=0, label="sentinel", zorder=3)
    out = watch.beyond
    if out.any():
        axes.scatter(
            watch.trials[out], watch.values[out], s=70, facecolors="none", edgecolors=palette.BEST, label="paused here"
        )
    palette.legend_above(axes, columns=4)
    return figure


def drift_words(findings: Findings) -> str:
    """The figure in a sentence."""
    watch = findings.watch
    assert watch is not None
    away = float(np.abs(watch.values - watch.references).max())
    said = f"{counted(len(watch.trials), 'sentinel')}, at most {number(away)} from the reference"
    return (
        f"{said}, {int(watch.beyond.sum())} beyond the limit of {number(watch.limit)}." if watch.limit else f"{said}."
    )
