"""From a history on disk to a report on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zbo_orchestrator import campaign
from zbo_orchestrator.history import Record, Scan
from zbo_orchestrator.model import Array, ConfigurationError, Decoder, DecoderRecipe
from zbo_orchestrator.place import Address, local
from zbo_orchestrator.report.compared import Compared
from zbo_orchestrator.report.compared import beside as compared_beside
from zbo_orchestrator.report.compared_gallery import used
from zbo_orchestrator.report.compared_words import verdict
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.gallery import Exhibit, gallery
from zbo_orchestrator.report.gather import Beside, gather
from zbo_orchestrator.report.page import page
from zbo_orchestrator.report.rendering import drawing, png


def write(history_path: Address, out_html: str | Path, *, pngs: Path | None = None) -> Path:
    """Write a history's report as one self-contained HTML file, and each figure as PNG into `pngs`; return the file.

    Raises `HistoryError` where the history cannot be read.
    """
    findings, compared = found(history_path)
    return present(findings, out_html, pngs=pngs, compared=compared)


def found(history_path: Address) -> tuple[Findings, Compared | None]:
    """What a report shows: the findings of a history, and what they were compared with."""
    record = Record.read(history_path)
    compared, remark = compared_beside(record)
    there = beside(record)
    return gather(record, replace(there, remarks=(*there.remarks, *filter(None, [remark])))), compared


def present(
    findings: Findings, out_html: str | Path, *, pngs: Path | None = None, compared: Compared | None = None
) -> Path:
    """Write the report of findings, and of what they were compared with."""
    place = local(out_html)
    place.parent.mkdir(parents=True, exist_ok=True)
    with drawing():
        exhibits = exhibited(findings, compared)
        place.write_text(text(findings, compared, exhibits), encoding="utf-8")
        if pngs is not None:
            pngs.mkdir(parents=True, exist_ok=True)
            for each in exhibits:
                png(each.figure, pngs / f"{each.name}.png")
    return place


def text(findings: Findings, compared: Compared | None, exhibits: Sequence[Exhibit] | None = None) -> str:
    """The report as HTML; its exhibits are drawn where they are not given."""
    against = verdict(compared.comparison) if compared else ""
    return page(findings, exhibited(findings, compared) if exhibits is None else exhibits, against)


def exhibited(findings: Findings, compared: Compared | None) -> list[Exhibit]:
    """Every figure of the report."""
    return [*gallery(findings), *(used(compared) if compared else ())]


def beside(record: Record) -> Beside:
    """The scan of a history where there is one, and its decoder; where one cannot be had a remark says why."""
    truth, no_truth = scanned(record)
    decoder, no_decoder = decoder_of(record)
    return Beside(truth, decoder, tuple(filter(None, (no_truth, no_decoder))))


def scanned(record: Record) -> tuple[Array | None, str]:
    """The scan's values [candidate]; a scan of another campaign is left out with a remark."""
    place = record.path.beside(".scan")
    if not place.exists():
        return None, ""
    scan = Scan(place, record.charter.space)
    mine = {name: record.charter.identity.get(name) for name in scan.identity}
    if mine != scan.identity or not np.array_equal(scan.candidates, record.charter.space.candidates):
        return None, f"The scan at {place.name} is another campaign's, and is left out."
    return scan.values, ""


def decoder_of(record: Record) -> tuple[Decoder | None, str]:
    """The decoder built again from the history, none of the other parts; where it is not installed here, a remark."""
    document = record.charter.campaign
    try:
        recipe: DecoderRecipe = campaign.part(
            "decoders", document.get("decoder", {}), seed=int(document.get("seed", 0))
        )
        return recipe.restore(record.charter.decoder), ""
    except ConfigurationError as error:
        return None, f"The decoder cannot be built here, so nothing is decoded: {error}"
