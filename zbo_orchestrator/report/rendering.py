"""A drawn figure as SVG that wears the page's colours, or as a PNG file."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure

from zbo_orchestrator.report.palette import PAPER, VARIABLES

STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "path.simplify": True,
    "path.simplify_threshold": 0.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "zbo",
    "text.parse_math": False,  # names are the user's: a dollar sign in one is a dollar sign
}
RASTER: Final = 170
"""Dots per inch of what is too heavy to be drawn as vectors."""


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's settings while figures are drawn and rendered; undone afterwards."""
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has the glyph
        yield


def svg(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as inline SVG: ids made unique by a name, theme colours as CSS variables, a label to be read out."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", dpi=RASTER, transparent=True, metadata={"Date": None, "Creator": None})
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"#[0-9a-f]{6}\b", _variable, text)
    return Markup(_labelled(text, alt))


def _variable(match: re.Match[str]) -> str:
    """A theme colour as its CSS variable; any other colour as it is."""
    colour = match[0]
    return f"var(--{VARIABLES[colour]}, {colour})" if colour in VARIABLES else colour


def _labelled(text: str, alt: str) -> str:
    """Give the root element its role and label; its size is the page's affair."""
    root, rest = text.split(">", 1)
    root = re.sub(r'\s(width|height)="[^"]*pt"', "", root)
    return f'{root} role="img" aria-label="{escape(alt)}">{rest}'


def png(figure: Figure, sink: Path | BinaryIO) -> None:
    """Write the figure on light paper."""
    figure.savefig(sink, format="png", dpi=160, facecolor=PAPER, transparent=False)
