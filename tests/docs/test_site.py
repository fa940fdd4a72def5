"""The documentation builds as a site without a warning, and holds what people look for in it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from zbo_orchestrator import model
from zbo_orchestrator.campaign.parts import KINDS, find, installed
from zbo_orchestrator.cli import app

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "site"))

from markdown_pages import captioned, named  # noqa: E402 (of the site, which is no package)
from plain_docstrings import as_rst  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    words = ["-W", "--keep-going", "-q", "-c", DOCS / "site", "-d", out / "doctrees", DOCS, out]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return out


def anchors(page: Path) -> set[str]:
    return set(re.findall(r'id="([^"]+)"', page.read_text()))


@pytest.mark.long
def test_each_page_is_reached_from_the_first_one(site: Path) -> None:
    first = (site / "index.html").read_text()
    pages = [page.with_suffix(".html").name for page in DOCS.glob("*.md") if page.stem != "index"]
    assert [page for page in pages if f'href="{page}"' not in first] == []


@pytest.mark.long
def test_every_public_name_of_the_model_is_in_the_reference(site: Path) -> None:
    mine = [name for name, thing in vars(model).items() if getattr(thing, "__module__", None) == model.__name__]
    public = [name for name in [*mine, "Array", "Json", "Certify", "Report"] if not name.startswith("_")]
    found = set().union(*(anchors(page) for page in (site / "reference").glob("*.html")))
    assert len(public) > 40
    assert [name for name in public if f"{model.__name__}.{name}" not in found] == []


@pytest.mark.long
def test_every_command_and_part_has_a_heading(site: Path) -> None:
    commands = anchors(site / "reference" / "commands.html")
    assert [name for name in get_group(app).commands if f"zbo-{name}" not in commands] == []
    parts = anchors(site / "reference" / "parts.html")
    assert [name for kind in KINDS for name in installed(kind) if name not in parts] == []


@pytest.mark.long
def test_every_part_is_documented_as_a_class_too(site: Path) -> None:
    found = anchors(site / "reference" / "shipped-parts.html")
    wanted = [find(kind, name) for kind in KINDS for name in installed(kind)]
    assert [part for part in wanted if f"{part.__module__}.{part.__qualname__}" not in found] == []


@pytest.mark.long
def test_every_key_of_a_campaign_file_is_told(site: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "reference" / "campaign-file.html").read_text())
    for key in ("trial_seed", "budget.seconds", "library.channels[].unit", "envelope.channels.NAME.slew"):
        assert key in text
    assert "4294967295" in text  # a seed's bound, in full


@pytest.mark.long
def test_signatures_are_for_people(site: Path) -> None:
    pages = {page.name: page.read_text() for page in (site / "reference").glob("*.html")}
    noise = ("TypeAliasForwardRef", "FieldInfo", "Alias for field number", "&lt;factory&gt;", "Annotated[")
    assert [(name, word) for name, text in pages.items() for word in noise if word in text] == []


def test_lines_of_a_name_and_what_it_is_become_a_list() -> None:
    told = [
        "Two limits.",
        "",
        "lower, upper[d]   the range",
        "slew              the largest",
        "                  change",
        "After.",
    ]
    assert as_rst(told) == [
        "Two limits.",
        "",
        *("``lower``, ``upper[d]``", "    the range", "``slew``", "    the largest change"),
        *("", "After.", ""),
    ]


def test_a_form_s_words_are_a_list_of_what_each_argument_is() -> None:
    assert as_rst(["Args:", "    history: where it is kept; empty: here", "    live: arms it"]) == [
        *("``history``", "    where it is kept; empty: here", "``live``", "    arms it", ""),
    ]


def test_a_docstring_s_text_is_taken_literally_but_for_code() -> None:
    assert as_rst(["report(*values) of `Run`s, in `scratch`; |x| and y_"]) == [
        r"report(\*values) of :py:obj:`.Run`\ s, in ``scratch``; \|x\| and y\_",
        "",
    ]


def test_an_indented_block_is_shown_as_it_stands() -> None:
    assert as_rst(["    x = f(1)"]) == [".. code-block:: python", "", "    x = f(1)", ""]
    assert as_rst(["    x over y"]) == [".. code-block:: text", "", "    x over y", ""]


def test_links_out_of_the_documentation_name_the_file() -> None:
    assert named("tour", "[the loop](../zbo/loop.py)") == "the loop (`zbo/loop.py`)"
    assert named("decisions/0001", "[limits](../limits.md)") == "[limits](../limits.md)"


def test_a_block_that_is_a_file_shows_its_name() -> None:
    assert captioned('```yaml title="a.yaml"\nx: 1\n```') == "```{code-block} yaml\n:caption: a.yaml\nx: 1\n```"
    assert captioned('```console title="run"\n$ x\n```') == '```console title="run"\n$ x\n```'
