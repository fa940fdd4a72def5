"""From a history on disk to a report on disk."""

from __future__ import annotations

from pathlib import Path

from zbo_orchestrator import campaign
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ConfigurationError
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.gallery import gallery
from zbo_orchestrator.report.gather import Beside, gather
from zbo_orchestrator.report.page import page
from zbo_orchestrator.report.rendering import drawing, png


def write(history_path: str | Path, out_html: str | Path, *, pngs: Path | None = None) -> Path:
    """Write a history's report as one self-contained HTML file, and each figure as PNG into `pngs`; return the file.

    Raises `HistoryError` where the history cannot be read.
    """
    record = Record.read(history_path)
    return present(gather(record, beside(record)), out_html, pngs=pngs)


def present(findings: Findings, out_html: str | Path, *, pngs: Path | None = None) -> Path:
    """Write the report of findings."""
    place = Path(out_html)
    place.parent.mkdir(parents=True, exist_ok=True)
    with drawing():
        exhibits = gallery(findings)
        place.write_text(page(findings, exhibits), encoding="utf-8")
        if pngs is not None:
            pngs.mkdir(parents=True, exist_ok=True)
            for each in exhibits:
                png(each.figure, pngs / f"{each.name}.png")
    return place


def beside(record: Record) -> Beside:
    """The scan of a history where there is one, and its decoder; a missing plugin leaves words in its place."""
    try:
        decoder = campaign.rebuild(record.charter.campaign, allow_code=False).recipe.restore(record.charter.decoder)
    except ConfigurationError as error:
        return Beside(None, None, f"the decoder cannot be built here: {error}")
    return Beside(None, decoder)
