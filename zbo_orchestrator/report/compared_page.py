"""The page of a comparison: one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from zbo_orchestrator.comparison import Comparison, folder_of
from zbo_orchestrator.place import Address
from zbo_orchestrator.report.compared import Compared, gathered
from zbo_orchestrator.report.compared_gallery import exhibits
from zbo_orchestrator.report.compared_pictures import disputed
from zbo_orchestrator.report.compared_words import (
    AT,
    details,
    ensemble_words,
    failures,
    notes,
    spread_words,
    table,
    verdict,
)
from zbo_orchestrator.report.rendering import drawing, svg
from zbo_orchestrator.report.summary import Tile
from zbo_orchestrator.report.templates import filled
from zbo_orchestrator.report.wording import counted, number, share


def write(history: Address, comparison: Comparison, place: Path) -> Path:
    """Write the page of a comparison beside a history; return the file."""
    folder = folder_of(history)
    compared = gathered(comparison, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    with drawing():
        place.write_text(page(compared, folder.name), encoding="utf-8")
    return place


def page(compared: Compared, folder: str) -> str:
    """The whole page as HTML; everything that comes from histories is escaped."""
    comparison, ensemble = compared.comparison, compared.ensemble
    return filled(
        "compared.html",
        comparison=comparison,
        folder=folder,
        headline=verdict(comparison),
        details=details(comparison),
        tiles=tiles(comparison),
        spreads=[spread_words(each) for each in comparison.rounds],
        where=AT[comparison.last.size],
        table=table(comparison),
        notes=notes(comparison),
        failures=list(failures(comparison)),
        ensemble="" if ensemble is None else ensemble_words(ensemble),
        disputed=[] if ensemble is None else [(n, share(float(ensemble.agreement[n]))) for n in disputed(ensemble)],
        shown=[(each, svg(each.figure, each.name, each.alt)) for each in exhibits(compared)],
    )


def tiles(comparison: Comparison) -> list[Tile]:
    """What the verdict rests on, each with what puts it in proportion."""
    spread = comparison.last.spread
    trained = sum(each.values.size for each in comparison.rounds)
    failed = len(list(failures(comparison)))
    schedules = counted(int(comparison.last.alike.sum()), "mean")
    return [
        Tile("Spread over seeds", number(spread.deviation, 3), "standard deviation under the best found"),
        Tile("Range over schedules", number(spread.range, 3), f"of {schedules}"),
        Tile("Chance", number(spread.p, 2), f"if all were equal ({spread.test or 'no'} test)"),
        Tile("Trainings", str(trained), f"{failed} failed" if failed else "none failed"),
    ]
