"""The HTML templates of this package, filled in."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def filled(template: str, **values: Any) -> str:
    """A template as HTML, with the style and the script that all share; what the values hold is escaped."""
    loader = PackageLoader("zbo_orchestrator.report", "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    style, script = (Markup(loader.get_source(environment, name)[0]) for name in ("page.css", "page.js"))
    return environment.get_template(template).render(style=style, script=script, **values)
