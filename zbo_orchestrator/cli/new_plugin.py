"""The command that writes a package for an instrument of one's own. Heavy imports stand inside: see `cli`."""
# ruff: noqa: PLC0415

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from zbo_orchestrator.model import ConfigurationError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as my-lab: small letters, digits, hyphens.")],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Must not exist. [default: NAME]", show_default=False),
    ] = None,
) -> None:
    """Write a package with an instrument.

    It works as it stands, on a simulated lamp: the instrument, its tests, a campaign, what to change in which order.

    \b
    zbo new-plugin my-lab
    """
    place = folder or Path(name)
    _refuse(name, place)
    try:
        written = write(name, place)
    except OSError as error:
        raise ConfigurationError(f"{place}: {error.strerror}; wanted a folder that can be made") from error
    for path in written:
        typer.echo(path)
    typer.echo(f"next: cd {place}; pip install -e '.[dev]'; pytest; zbo run {name}.yaml")


def _refuse(name: str, place: Path) -> None:
    """Raise `ConfigurationError` for a name that no package can have, or a place that is taken."""
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigurationError(f"plugin {name!r}; wanted small letters, digits and hyphens, such as my-lab")
    if module in sys.stdlib_module_names or find_spec(module) is not None:
        raise ConfigurationError(f"plugin {name!r}: a module {module} is installed already; wanted a new name")
    if place.exists():
        raise ConfigurationError(f"{place} exists already; wanted a folder to make")


def write(name: str, place: Path) -> list[Path]:
    """Write the package into a new folder; returns its files."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    skeleton = Environment(
        loader=PackageLoader("zbo_orchestrator", "new-plugin"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    words = {"name": name, "module": name.replace("-", "_")}
    written = []
    for template in skeleton.list_templates(extensions=["jinja"]):
        relative = template.removesuffix(".jinja").replace("src/module/", f"src/{words['module']}/")
        path = place / relative.replace("campaign.yaml", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(skeleton.get_template(template).render(words), encoding="utf-8")
        written.append(path)
    return written
