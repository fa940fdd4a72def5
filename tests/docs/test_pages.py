"""The pages are right: their files are written, their commands run, and what they show is what is printed."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT, TYPED, anchors, blocks, links
from reader import Reader, pattern

BEFORE = {"README.md": "zbo run ferrosim-curl --trials 2 --without-prefect --no-report"}
"""What a page takes for granted: README's first block makes the whole demo."""
END_TO_END = "run-it-every-night.md"
"""Its titled consoles are typed by tests/e2e; tests/deployments sees to it that none is left out."""


def read() -> list[str]:
    """Pages with anything to do on them."""
    todo = [page for page in PAGES if any(block.language in TYPED and not block.excuse for block in blocks(page))]
    return [page for page in todo if page != END_TO_END]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", read())
def test_all_that_a_page_says_to_do(page: str, reader: Reader) -> None:
    if page in BEFORE:
        assert reader.run(BEFORE[page])[0] == 0
    reader.follow(blocks(page))


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_says_why_not(page: str) -> None:
    fences = re.findall(r"^\s*```", PAGES[page].read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page)), "a fence that is indented, or not closed, would be overlooked"
    for block in blocks(page):
        if block.language == "console" and not block.excuse:
            assert block.text.startswith("$ "), f"nothing to type in\n{block.text}"
            assert bool(block.title) == (page == END_TO_END), f"nobody types\n{block.text}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert [link for link in links(page) if not link.leads_somewhere] == []


def test_every_benchmark_that_is_named_exists() -> None:
    named = {name for page in PAGES.values() for name in re.findall(r"\bbenchmarks[/.](\w+)", page.read_text())}
    assert len(named) >= 10
    assert sorted(name for name in named if not (ROOT / "benchmarks" / f"{name}.py").exists()) == []


def test_headings_are_named_as_browsers_name_them() -> None:
    assert "3-a-class-progress-and-stops" in anchors(PAGES["plug-in-an-instrument.md"])


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (("a  b", "..."), "a b\nanything\n", True),
        (("a ... c",), "a bbb c\n", True),
        (("a", "c"), "a\nb\nc\n", False),
        (("8 scored",), "8 scored, 1 failed\n", False),
        (("8 scored",), "9 scored\n", False),
    ],
)
def test_how_shown_lines_are_compared(shown: tuple[str, ...], printed: str, fits: bool) -> None:
    assert bool(pattern(shown).fullmatch(printed)) == fits


def test_where_any_number_will_do() -> None:
    shown = ("best  11.7 at trial 62, z = (-3.27, 1.47)",)
    assert pattern(shown, any_numbers=True).fullmatch("best  9 at trial 7, z = (4, -1e-05)\n")
    assert not pattern(shown, any_numbers=True).fullmatch("best  9 at trial, z = (4, -1e-05)\n")
