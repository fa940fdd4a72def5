"""Every figure of the report, each with its title, its caption and its text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure

from zbo_orchestrator.report.convergence import convergence_figure, convergence_words
from zbo_orchestrator.report.curves import (
    best_figure,
    best_words,
    library_figure,
    library_words,
    parameters_figure,
    parameters_words,
)
from zbo_orchestrator.report.decoded import decoded_caption, decoded_figure, decoded_words
from zbo_orchestrator.report.drift import drift_figure, drift_words
from zbo_orchestrator.report.findings import Findings
from zbo_orchestrator.report.latent import latent_caption, latent_figure, latent_words
from zbo_orchestrator.report.pictures import caption, drawn_pictures, words
from zbo_orchestrator.report.posterior import posterior_figure, posterior_words
from zbo_orchestrator.report.truth import rarity_figure, rarity_words, truth_figure, truth_words


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """A figure and the words around it; `name` is its anchor in the page and its PNG's file name."""

    name: str
    section: str
    title: str
    caption: str
    alt: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one figure of every report is made."""

    name: str
    section: str
    title: str
    caption: Callable[[Findings], str] | str
    draw: Callable[[Findings], Figure | None]
    words: Callable[[Findings], str]


_KINDS: Final = (
    _Kind(
        "latent-space", "overview", "Latent space",
        latent_caption,
        latent_figure, latent_words,
    ),
    _Kind(
        "convergence", "overview", "Convergence",
        "The score of every trial, and the best so far.",
        convergence_figure, convergence_words,
    ),
    _Kind(
        "drift", "people", "Drift",
        "The same trajectory after every so many trials: whether the apparatus still answers as it did.",
        drift_figure, drift_words,
    ),
    _Kind("best-trajectory", "best", "Trajectory", "", best_figure, best_words),
    _Kind("parameters", "best", "Parameters", "The best trial is ringed.", parameters_figure, parameters_words),
    _Kind(
        "posterior", "model", "Posterior at the last mapped plan",
        "Dots: trials known by then. Ring: the trial asked for next.",
        posterior_figure, posterior_words,
    ),
    _Kind(
        "truth", "truth", "The scanned space",
        "Every candidate executed once, outside the campaign, to know what there was to be found.",
        truth_figure, truth_words,
    ),
    _Kind(
        "rarity", "truth", "How rare a good score is",
        "Scores of all scanned candidates; beneath them, those the campaign's trials got.",
        rarity_figure, rarity_words,
    ),
    _Kind(
        "decoded", "decoder", "Trajectories along the latent space",
        decoded_caption,
        decoded_figure, decoded_words,
    ),
    _Kind(
        "library", "library", "The library",
        "A sample of the curves the decoder learned from.",
        library_figure, library_words,
    ),
)  # fmt: skip


def gallery(findings: Findings) -> list[Exhibit]:
    """Every figure that this campaign has the data for."""
    return [*_fixed(findings), *_measured(findings)]


def figure_of(findings: Findings, name: str) -> Figure | None:
    """The figure of that name alone; None where there is none, or the campaign has not the data for it yet."""
    return next((kind.draw(findings) for kind in _KINDS if kind.name == name), None)


def _fixed(findings: Findings) -> Iterator[Exhibit]:
    for kind in _KINDS:
        figure = kind.draw(findings)
        if figure is not None:
            said = kind.caption if isinstance(kind.caption, str) else kind.caption(findings)
            yield Exhibit(kind.name, kind.section, kind.title, said, kind.words(findings), figure)


def _measured(findings: Findings) -> Iterator[Exhibit]:
    for index, (what, figure) in enumerate(drawn_pictures(findings)):
        title = what.measured.name.replace("_", " ").capitalize()
        yield Exhibit(f"measured-{index}", "best", title, caption(what), words(what), figure)
