"""What the Markdown pages say by other means than a site has: files shown by title, links out of docs/."""

from __future__ import annotations

import posixpath
import re

from sphinx.application import Sphinx

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]*)(?:#[^)]*)?\)")
_FILE = re.compile(r"^```(?!console)(\w+) title=\"([^\"]+)\"$", re.MULTILINE)


def captioned(text: str) -> str:
    """Blocks that are files with the file's name above; a console block's title is for the tests."""
    return _FILE.sub(r"```{code-block} \1\n:caption: \2", text)


def named(page: str, text: str) -> str:
    """Links out of docs/ replaced by the name of the file that is meant: the site has no checkout beside it."""

    def name(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link[2]))
        if target.startswith("docs/"):
            return link[0]
        return f"`{target}`" if link[1].strip("`") == target else f"{link[1]} (`{target}`)"

    return _LINK.sub(name, text)


def _read(_app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = captioned(named(page, source[0]))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
