"""Every figure of a comparison, each with its title, its caption and its text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from zbo_orchestrator.comparison.ensemble import Ensemble
from zbo_orchestrator.report.compared import Compared
from zbo_orchestrator.report.compared_figures import (
    agreement_figure,
    difference_figure,
    schedules_figure,
    seeds_figure,
)
from zbo_orchestrator.report.compared_pictures import manifolds_figure, manifolds_words
from zbo_orchestrator.report.compared_words import details, ensemble_words, verdict
from zbo_orchestrator.report.gallery import Exhibit


def exhibits(compared: Compared) -> Iterator[Exhibit]:
    """Every figure that this comparison has the data for."""
    yield from _scores(compared)
    yield from used(compared)
    if compared.ensemble is not None:
        yield from _votes(compared.ensemble)


def _scores(compared: Compared) -> Iterator[Exhibit]:
    comparison = compared.comparison
    yield from _shown(
        seeds_figure(comparison),
        name="seeds",
        section="spread",
        title="Every score",
        caption="A line joins the scores of one seed; bars are means.",
        alt=f"Scores over {len(comparison.seeds)} seeds of {', '.join(comparison.arms)}.",
    )
    yield from _shown(
        difference_figure(comparison),
        name="differences",
        section="outcome",
        title="Against the best found",
        caption="Mean paired difference and its 95 % t-interval over seeds; each interval is for one comparison alone.",
        alt=" ".join(details(comparison)) or verdict(comparison),
    )


def used(compared: Compared) -> Iterator[Exhibit]:
    """What the arms are: their schedules, and what a model trained under each has learnt."""
    arms = ", ".join(compared.comparison.arms)
    yield from _shown(
        schedules_figure(compared.comparison),
        name="schedules",
        section="used",
        title="Schedules",
        caption="",
        alt=f"The schedules of {arms}.",
    )
    yield from _shown(
        manifolds_figure(compared),
        name="manifolds",
        section="used",
        title="Manifolds",
        caption=manifolds_words(compared),
        alt=f"What models trained under {arms} decode along one latent axis.",
    )


def _votes(ensemble: Ensemble) -> Iterator[Exhibit]:
    yield from _shown(
        agreement_figure(ensemble),
        name="agreement",
        section="ensemble",
        title="Agreement",
        caption="",
        alt=ensemble_words(ensemble),
    )


def _shown(figure: Figure | None, **words: str) -> Iterator[Exhibit]:
    """The exhibit where there is a figure."""
    if figure is not None:
        yield Exhibit(figure=figure, **words)
