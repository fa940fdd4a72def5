"""The page: figures, words and data laid into one HTML text that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from zbo_orchestrator.report.explorer import explorer
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.gallery import Exhibit
from zbo_orchestrator.report.pictures import told_pictures
from zbo_orchestrator.report.rendering import svg
from zbo_orchestrator.report.summary import headline, rows, tiles
from zbo_orchestrator.report.templates import filled


def page(findings: Findings, exhibits: Sequence[Exhibit], against: str = "") -> str:
    """The whole report as HTML; everything that comes from the history is escaped.

    against   what a comparison with what is used says, where there is one
    """
    data = explorer(findings)
    return filled(
        "page.html",
        findings=findings,
        headline=headline(findings),
        tiles=tiles(findings),
        counts=findings.trials.counts(),
        shown=[(each, svg(each.figure, each.name, each.alt)) for each in exhibits],
        told=told_pictures(findings),
        against=against,
        rows=rows(findings),
        terms=list(findings.trials.terms),
        noisy=bool((findings.trials.noise > 0).any()),
        retried=bool((findings.trials.attempts > 1).any()),
        seeded=len({seed for seed in findings.trials.seed if seed is not None}) > 1,
        troubled=any(findings.trials.error),
        explorer=_embedded(data),
        left_out=0 if data is None else data["total"] - len(data["plans"]),
        document=json.dumps(findings.document, indent=2, ensure_ascii=False),
    )


def _embedded(data: dict[str, Any] | None) -> Markup | None:
    """JSON that may stand inside a script element: nothing in it can close the element."""
    if data is None:
        return None
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
